import OxConfiguration
import OxController
import OxCore
import OxModel
import Oxidize

/// Settings of the relay (first) and of its clients, their keys from the seed.
enum SimulatedKeys {
    static func settings(_ scenario: Scenario, random: inout SeededGenerator) throws -> [NodeSettings] {
        let keys = (0...scenario.clients).map { _ in key(&random) }
        let preshared = key(&random)
        let publicKeys = try keys.map { try KeyTool.publicKey(of: $0) }
        return try keys.indices.map { host in
            var timers = Timers()
            timers.rekeyAfter = scenario.rekeyAfter
            timers.rekeyByResponderAfter = scenario.rekeyAfter * 1.2
            timers.rejectAfter = scenario.rekeyAfter * 1.5
            let local = LocalSettings(
                aeads: scenario.seed % 2 == 0 ? [.aes256GCM, .chaCha20Poly1305].filter(runs) : [.chaCha20Poly1305],
                features: scenario.batch
                    ? [.batch, .split, .train, .repair, .headerCompression] : [.split, .train, .repair, .headerCompression],
                innerAddresses: [], unencryptedNetworks: [],
                sessionIDBytes: host == 0 ? 2 : 1, workers: host == 0 ? scenario.relayWorkers : 1, timers: timers)
            let others = host == 0 ? Array(1..<keys.count) : [0]
            var peers: [PublicKey: NodeSettings.Peer] = [:]
            for other in others {
                let allowed = [
                    IPPrefix(IPAddress(v4: SimulatedPacket.v4Address(of: other)), length: 32)!,
                    IPPrefix(SimulatedPacket.v6Address(of: other), length: 128)!,
                ]
                peers[publicKeys[other]] = NodeSettings.Peer(
                    settings: PeerSettings(
                        publicKey: publicKeys[other], endpoint: other == 0 ? Simulation.address(of: 0) : nil,
                        connectsAtStart: other == 0, allowedIPs: allowed),
                    name: nil, endpoint: nil, preshared: try locked(preshared))
            }
            return NodeSettings(
                identity: try identity(keys[host]), local: local, peers: peers,
                order: others.map { publicKeys[$0] }, innerMTU: 1500, batch: scenario.batch)
        }
    }

    private static func locked(_ key: [UInt8]) throws -> PresharedKey { try PresharedKey(key.span) }

    private static func identity(_ key: [UInt8]) throws -> Identity { try Identity(privateKey: key.span) }

    private static func runs(_ aead: AEAD) -> Bool { Core.supports(aead: aead.rawValue) }

    private static func key(_ random: inout SeededGenerator) -> [UInt8] {
        var key = (0..<32).map { _ in UInt8.random(in: 0...255, using: &random) }
        key[0] &= 248
        key[31] = key[31] & 127 | 64
        return key
    }
}
