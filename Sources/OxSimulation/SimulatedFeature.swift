import OxController
import Oxidize

/// What a run can have or do without: each is one change of the settings of both ends.
public struct SimulatedFeature: Sendable, Equatable, CustomStringConvertible {
    public let name: String
    /// Other names that people may know it by.
    public let aliases: [String]
    /// What being on means.
    public let about: String
    let set: @Sendable (inout NodeSettings, Bool) -> Void

    public var description: String { name }

    public static func == (a: SimulatedFeature, b: SimulatedFeature) -> Bool { a.name == b.name }

    /// By its name or an alias.
    public static func named(_ name: String) -> SimulatedFeature? {
        all.first { $0.name == name || $0.aliases.contains(name) }
    }

    public static let all: [SimulatedFeature] = [
        SimulatedFeature(name: "congestion-control", aliases: ["congestion"], about: "paths find the rate at which they send") {
            $0.local.congestion.isOn = $1
        },
        SimulatedFeature(name: "fair-queue", aliases: [], about: "classes and flows share what a path takes") {
            $0.fairQueue = $1
        },
        SimulatedFeature(
            name: "gaming-mode", aliases: ["gaming"], about: "smaller probes, and urgent packets ahead of the pacing"
        ) {
            $0.local.congestion.isGaming = $1
        },
        SimulatedFeature(
            name: "batch-hold", aliases: ["batching"], about: "packets wait for company; off: never, on: up to the limits by load"
        ) {
            $0.local.congestion.hold = $1 ? .on : .off
        },
        SimulatedFeature(name: "predictive-pacing", aliases: [], about: "forecasts may scale the pacing") {
            $0.local.congestion.heedsForecasts = $1
        },
        SimulatedFeature(name: "repair", aliases: ["fec"], about: "losses are repaired where that is in time") {
            $0.local.repair.isOn = $1
            $0.local.features.set(.repair, $1)
        },
        SimulatedFeature(name: "header-compression", aliases: ["rohc"], about: "headers of packets cross compressed") {
            $0.local.features.set(.headerCompression, $1)
        },
        SimulatedFeature(name: "batch", aliases: [], about: "several small packets share a datagram") {
            $0.batch = $1
            $0.local.features.set(.batch, $1)
        },
        SimulatedFeature(name: "train", aliases: [], about: "super-packets cross as trains") {
            $0.train = $1
            $0.local.features.set(.train, $1)
        },
        SimulatedFeature(name: "coalesce", aliases: [], about: "packets that arrive together are delivered as one") {
            $0.coalesce = $1
        },
        SimulatedFeature(name: "mtu-search", aliases: [], about: "paths are searched for more than the base MTU") {
            $0.local.timers.searchesMTU = $1
        },
    ]
}

extension FeatureSet {
    fileprivate mutating func set(_ feature: FeatureSet, _ isOn: Bool) {
        if isOn { insert(feature) } else { remove(feature) }
    }
}
