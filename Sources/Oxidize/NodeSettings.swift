package import OxConfiguration
package import OxController
package import OxCore
package import OxModel
import OxTraffic

/// A configuration as one end of a tunnel needs it: keys in locked memory, choices made.
package struct NodeSettings {
    package struct Peer {
        package var settings: PeerSettings
        package var name: String?
        /// As the file has it, to be looked up.
        package var endpoint: Endpoint?
        package var preshared: PresharedKey

        package init(settings: PeerSettings, name: String?, endpoint: Endpoint?, preshared: PresharedKey) {
            self.settings = settings
            self.name = name
            self.endpoint = endpoint
            self.preshared = preshared
        }
    }

    package var identity: Identity
    package var local: LocalSettings
    package var peers: [PublicKey: Peer]
    /// The file's order.
    package var order: [PublicKey]
    package var innerMTU: Int
    package var batch: Bool
    package var train: Bool
    package var coalesce: Bool
    package var fairQueue: Bool
    package var classRules: [ClassRule]

    package init(
        identity: Identity, local: LocalSettings, peers: [PublicKey: Peer], order: [PublicKey], innerMTU: Int, batch: Bool,
        train: Bool = true, coalesce: Bool = true, fairQueue: Bool = true, classRules: [ClassRule] = []
    ) {
        self.identity = identity
        self.local = local
        self.peers = peers
        self.order = order
        self.innerMTU = innerMTU
        self.batch = batch
        self.train = train
        self.coalesce = coalesce
        self.fairQueue = fairQueue
        self.classRules = classRules
    }

    /// - Parameters:
    ///   - aeads: what this machine runs well, best first (`AEADChoice`).
    ///   - workers: that share the peers.
    package init(_ configuration: Configuration, aeads: [AEAD], workers: Int = 1) throws(CoreError) {
        identity = try configuration.interface.privateKey.withBytes { bytes throws(CoreError) in
            try Identity(privateKey: bytes)
        }
        var features: FeatureSet = []
        if configuration.features.batch != .off { features.insert(.batch) }
        if configuration.features.split != .off { features.insert(.split) }
        if configuration.features.train != .off { features.insert(.train) }
        if configuration.features.repair != .off { features.insert(.repair) }
        if configuration.features.headerCompression != .off { features.insert(.headerCompression) }
        var timers = Timers()
        if configuration.features.pathMTUDiscovery == .off { timers.searchesMTU = false }
        local = LocalSettings(
            aeads: aeads, features: features, innerAddresses: configuration.interface.addresses.map(\.address),
            unencryptedNetworks: configuration.interface.unencryptedNetworks,
            sessionIDBytes: NodeSettings.sessionIDBytes(peers: configuration.peers.count, workers: workers),
            workers: workers, timers: timers, congestion: CongestionSettings(configuration.features),
            repair: RepairSettings(configuration))
        innerMTU = configuration.interface.mtu
        batch = features.contains(.batch)
        train = features.contains(.train)
        coalesce = configuration.features.coalesce != .off
        fairQueue = configuration.features.fairQueue != .off
        classRules = configuration.classRules
        peers = [:]
        order = configuration.peers.map(\.publicKey)
        for peer in configuration.peers {
            let preshared: PresharedKey
            if let key = peer.presharedKey {
                preshared = try key.withBytes { bytes throws(CoreError) in try PresharedKey(bytes) }
            } else {
                preshared = try PresharedKey.none()
            }
            peers[peer.publicKey] = Peer(
                settings: PeerSettings(
                    publicKey: peer.publicKey, endpoint: peer.endpoint?.address,
                    endpointHasName: peer.endpoint != nil && peer.endpoint?.address == nil,
                    connectsAtStart: configuration.role == .client && peer.endpoint != nil,
                    persistentKeepalive: peer.persistentKeepalive, allowedIPs: peer.allowedIPs),
                name: peer.name, endpoint: peer.endpoint, preshared: preshared)
        }
    }

    /// Few bytes in every datagram, and room for several sessions of each peer at a time (Wire.md section 5.1): the ids of
    /// a worker are those of its low bytes, and half of them are enough for its peers.
    static func sessionIDBytes(peers: Int, workers: Int = 1) -> Int {
        let wanted = (peers + workers - 1) / workers * 8
        let lowBytes = 256 / workers
        switch wanted {
        case ...(lowBytes / 2): return 1
        case ...(lowBytes * 256 / 2): return 2
        default: return 3
        }
    }
}

extension RepairSettings {
    init(_ configuration: Configuration) {
        let goals = configuration.repairWishes.map { ($0.trafficClass, RedundancyGoal($0.trafficClass, wish: $0)) }
        self.init(
            isOn: configuration.features.repair != .off, goals: Dictionary(goals, uniquingKeysWith: { first, _ in first }))
    }
}

extension CongestionSettings {
    init(_ features: Configuration.Features) {
        let gaming: Bool? =
            switch features.gamingMode {
            case .on: true
            case .off: false
            case .auto: nil
            }
        let hold: BatchingPolicy.Mode =
            switch features.batchHold {
            case .on: .on
            case .off: .off
            case .auto: .auto
            }
        self.init(
            isOn: features.congestionControl != .off, isGaming: gaming, hold: hold,
            heedsForecasts: features.predictivePacing != .off)
    }
}
