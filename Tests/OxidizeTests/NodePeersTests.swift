import Logging
import OxController
import OxCore
import OxModel
import Testing

@testable import Oxidize

@Suite struct NodePeersTests {
    private static let peersMany = 20_000

    init() throws { try Core.start() }

    private func settings(_ numbers: Range<Int>, preshared: PresharedKey? = nil) throws -> NodeSettings {
        var peers: [PublicKey: NodeSettings.Peer] = [:]
        var order: [PublicKey] = []
        for number in numbers {
            let bytes = (0..<PublicKey.byteCount).map { UInt8(truncatingIfNeeded: (number + 1) >> (8 * min($0, 3))) }
            let key = try #require(PublicKey(bytes: bytes))
            order.append(key)
            peers[key] = NodeSettings.Peer(
                settings: PeerSettings(publicKey: key), name: nil, endpoint: nil,
                preshared: try preshared ?? PresharedKey.none())
        }
        let key = KeyTool.random(clamped: true)
        return NodeSettings(
            identity: try Identity(privateKey: key.span), local: LocalSettings(sessionIDBytes: 3), peers: peers,
            order: order, innerMTU: 1500, batch: true)
    }

    private func node(_ settings: NodeSettings) throws -> Node {
        let now = Instant(nanoseconds: 1)
        let node = try Node(
            settings, device: Port.memory(capacity: 16).port, network: Port.memory(capacity: 16).port,
            random: SystemRandomNumberGenerator(), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            now: now, resolve: { _, _ in })
        try node.start(now: now)
        return node
    }

    private func rest(_ node: Node, at seconds: UInt64) {
        let now = Instant(nanoseconds: seconds * 1_000_000_000)
        for _ in 0..<100 {
            _ = node.workers[0].turn(now: now)
            node.control(now: now, wall: WallTime(nanoseconds: now.nanoseconds))
        }
    }

    @Test func `many peers each have a slot of their own`() throws {
        let node = try node(settings(0..<Self.peersMany))
        #expect(Set(node.peerIDs.values) == Set((0..<UInt32(Self.peersMany)).map { PeerID($0) }))
    }

    @Test func `the slot of a peer that has gone is another's`() throws {
        let node = try node(settings(0..<8))
        rest(node, at: 1)
        for round in 1..<20 {
            try node.apply(settings(round * 8..<round * 8 + 8), now: Instant(nanoseconds: UInt64(round + 1) * 1_000_000_000))
            rest(node, at: UInt64(round + 1))
        }
        #expect(node.leaving.isEmpty)
        #expect(node.peers.count == 8)
        #expect(node.peers.keys.allSatisfy { $0.rawValue < 16 })
    }

    @Test func `peers without a preshared key have one zero key in common`() throws {
        #expect(try PresharedKey.none() === PresharedKey.none())
        #expect(try !PresharedKey.none().isSet)
    }

    @Test func `preshared keys are equal by what they are`() throws {
        let (one, other) = (KeyTool.random(clamped: false), KeyTool.random(clamped: false))
        #expect(try PresharedKey(one.span) == PresharedKey(one.span))
        #expect(try PresharedKey(one.span) != PresharedKey(other.span))
        #expect(try PresharedKey([UInt8](repeating: 0, count: 32).span) != PresharedKey.none())
    }

    @Test func `a reload says which preshared keys are other ones`() throws {
        let key = KeyTool.random(clamped: false)
        let now = Instant(nanoseconds: 2)
        let node = try node(settings(0..<3))
        #expect(try node.apply(settings(0..<3), now: now) == [])
        #expect(try node.apply(settings(0..<2, preshared: PresharedKey(key.span)), now: now).count == 2)
        #expect(try node.apply(settings(0..<2, preshared: PresharedKey(key.span)), now: now) == [])
        #expect(try node.apply(settings(0..<3), now: now).count == 2)
    }
}
