package import OxConfiguration
package import OxController
package import OxCore
package import OxModel

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

    package init(
        identity: Identity, local: LocalSettings, peers: [PublicKey: Peer], order: [PublicKey], innerMTU: Int, batch: Bool
    ) {
        self.identity = identity
        self.local = local
        self.peers = peers
        self.order = order
        self.innerMTU = innerMTU
        self.batch = batch
    }

    /// - Parameter aeads: what this machine runs well, best first (`AEADChoice`).
    package init(_ configuration: Configuration, aeads: [AEAD]) throws(CoreError) {
        identity = try configuration.interface.privateKey.withBytes { bytes throws(CoreError) in
            try Identity(privateKey: bytes)
        }
        var features: FeatureSet = []
        if configuration.features.batch != .off { features.insert(.batch) }
        if configuration.features.split != .off { features.insert(.split) }
        var timers = Timers()
        if configuration.features.pathMTUDiscovery == .off { timers.searchesMTU = false }
        local = LocalSettings(
            aeads: aeads, features: features, innerAddresses: configuration.interface.addresses.map(\.address),
            unencryptedNetworks: configuration.interface.unencryptedNetworks,
            sessionIDBytes: NodeSettings.sessionIDBytes(peers: configuration.peers.count), timers: timers)
        innerMTU = configuration.interface.mtu
        batch = features.contains(.batch)
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

    /// Few bytes in every datagram, and room for several sessions of each peer at a time (Wire.md section 5.1).
    static func sessionIDBytes(peers: Int) -> Int {
        switch peers * 8 {
        case ...128: 1
        case ...32_768: 2
        default: 3
        }
    }
}

/// Which AEADs a side offers, best first.
package enum AEADChoice {
    /// AES-256-GCM goes first where this machine has the instructions and is faster with them. It is left out where it is not, as
    /// both sides must gain.
    package static func measured(_ choice: Configuration.FeatureChoice) throws(CoreError) -> [AEAD] {
        guard choice != .off, Core.supports(aead: AEAD.aes256GCM.rawValue) else { return [.chaCha20Poly1305] }
        if choice == .on { return [.aes256GCM, .chaCha20Poly1305] }
        let chaCha = try Core.sealingCost(.chaCha20Poly1305)
        let aes = try Core.sealingCost(.aes256GCM)
        return aes < chaCha ? [.aes256GCM, .chaCha20Poly1305] : [.chaCha20Poly1305]
    }
}
