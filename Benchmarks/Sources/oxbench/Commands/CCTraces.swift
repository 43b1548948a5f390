import FoundationEssentials
import Glibc
import OxModel
import OxSimulation

/// Recorded links, as cases: each direction of each, with the other one on the way back.
enum CCTraces {
    /// Of each seed's run, the warm-up included.
    static let seconds = 70.0
    private static let warmUpSeconds = 10.0
    private static let roundTrip = Duration.milliseconds(40)
    /// As many packets as Linux lets wait in front of a device by default.
    private static let bufferBytes = 1000 * RateTrace.opportunityBytes

    /// Empty, with a word to `narrator`, where there are none.
    static func cases(_ place: String?, seconds: Int, narrator: Narrator) throws -> [CCCase] {
        guard let found = try TraceSet.find(place) else {
            narrator.say("SKIP: there are no traces here: name them with --traces, or set OXIDIZE_DATA")
            return []
        }
        let directory = FileManager.default.temporaryDirectory.appending(path: "oxbench-cc-\(getpid())").path
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        return try Signals.blocked {
            let set = try TraceSet(found, ChildProcesses(directory: directory))
            return try set.links.compactMap { link in
                let forward = try trace(link.forward, set, seconds)
                let backward = try link.backward.map { try trace($0, set, seconds) }
                return one(link.name, forward, backward)
            }
        }
    }

    private static func trace(_ file: String, _ set: TraceSet, _ seconds: Int) throws -> RateTrace {
        let loaded = try set.load(file, as: "trace", seconds: seconds)
        guard let trace = RateTrace(milliseconds: loaded.milliseconds.map(UInt32.init)) else {
            throw LabFailure("\(file) goes back in time")
        }
        return trace
    }

    private static func one(_ name: String, _ forward: RateTrace, _ backward: RateTrace?) -> CCCase {
        CCCase(
            name: "trace \(name)",
            figures: [.utilisation(.least(85)), CCFigure.queue(0.95, ms: "queue_p95_ms", .most(100)), .queue(0.5, ms: "queue_p50_ms", nil)]
        ) { seed in
            func model(_ trace: RateTrace?) -> LinkModel {
                let bottleneck = trace.map { trace in
                    var trace = trace
                    trace.offset = .seconds(seconds) * Double((seed - 1) % 100)
                    return Bottleneck(.trace(trace), queueBytes: bufferBytes)
                }
                return LinkModel(bottleneck: bottleneck, delay: roundTrip / 2)
            }
            return CongestionScenario(
                seed: seed, duration: .seconds(seconds), warmUp: .seconds(warmUpSeconds), up: model(forward),
                down: model(backward), flows: [CongestionScenario.Flow(.saturating())])
        }
    }
}

extension Signals {
    /// For a command that runs programs at its beginning only: later a signal ends it at once.
    static func blocked<Result>(_ body: () throws -> Result) rethrows -> Result {
        var before = sigset_t()
        unsafe sigprocmask(SIG_SETMASK, nil, &before)
        block()
        defer { unsafe sigprocmask(SIG_SETMASK, &before, nil) }
        return try body()
    }
}
