import OxModel
import OxSimulation
import Oxidize
import Testing

/// A running end of a tunnel: what it says of itself, and what it does when it is told something.
@Suite struct NodeTests {
    private let pair: TunnelPair

    init() throws { pair = try TunnelPair(relaySessionIDBytes: 2) }

    private func deliver(from side: TunnelPair.Side, id: UInt64 = 2) throws -> Int {
        _ = try pair.send([TunnelPair.packet(id: id, from: side, payloadBytes: 64)], from: side)
        pair.exchange()
        return pair.takeDelivered().count
    }

    @Test func `both sides are connected and show the round trip of the path`() throws {
        #expect(try deliver(from: .client) == 1)
        for side in TunnelPair.Side.allCases {
            let status = try #require(pair.status(of: side))
            #expect(status.state == "connected")
            #expect(status.encrypted == true)
            #expect(status.paths.count == 1)
        }
        let path = try #require(pair.status(of: .client)?.paths.first)
        #expect(path.rttMs.map { abs($0 - 20) < 0.1 } == true)
        #expect(path.rttVarianceMs != nil)
        #expect(path.lossPercent == 0)
        #expect(pair.status(of: .client)?.packetsSent == 1)
        #expect(pair.status(of: .relay)?.packetsReceived == 1)
        #expect(pair.status(of: .client)?.handshakeMs.map { abs($0 - 20) < 0.1 } == true)
    }

    @Test func `a ping takes a round trip, and says so when nothing answers`() {
        #expect(pair.ping(from: .client).map { $0 - .milliseconds(20) < .milliseconds(1) } == true)
        pair.shutDown(.relay)
        #expect(pair.ping(from: .client) == nil)
    }

    @Test func `the path's MTU is found`() {
        #expect(pair.status(of: .client)?.paths.first?.mtuBytes ?? 0 > 1400)
    }

    @Test func `a reload moves a route without a new handshake`() throws {
        #expect(try deliver(from: .client) == 1)
        let before = pair.status(of: .relay)?.sessionAgeS ?? 0
        try pair.reload(.relay) { settings in
            for key in settings.peers.keys { settings.peers[key]?.settings.allowedIPs = [] }
        }
        #expect(try deliver(from: .client, id: 4) == 0)
        #expect(pair.drops(of: .relay)["source_not_allowed"] == 1)
        #expect(try deliver(from: .relay, id: 6) == 0)
        #expect(pair.drops(of: .relay)["no_route"] == 1)
        #expect(pair.status(of: .relay)?.sessionAgeS ?? 0 > before)
    }

    @Test func `a peer that a reload removes is told, and let in again by the next`() throws {
        var kept: NodeSettings?
        try pair.reload(.relay) { settings in
            kept = settings
            settings.peers = [:]
            settings.order = []
        }
        #expect(pair.status(of: .relay) == nil)
        #expect(try deliver(from: .client) == 0)
        let restored = try #require(kept)
        try pair.reload(.relay) { $0 = restored }
        pair.exchange(quiet: .seconds(30))
        #expect(try deliver(from: .client, id: 4) >= 1)
        #expect(pair.status(of: .relay)?.state == "connected")
    }

    /// Each side trusts the other's network or not, then a new handshake settles it.
    private func handshake(clientTrusts: Bool, relayTrusts: Bool) throws {
        let networks = [IPPrefix("192.0.2.0/24")!, IPPrefix("198.51.100.0/24")!]
        try pair.reload(.client) { $0.local.unencryptedNetworks = clientTrusts ? networks : [] }
        var kept: NodeSettings?
        try pair.reload(.relay) { settings in
            settings.local.unencryptedNetworks = relayTrusts ? networks : []
            kept = settings
            settings.peers = [:]
            settings.order = []
        }
        let restored = try #require(kept)
        try pair.reload(.relay) { $0 = restored }
        pair.exchange(quiet: .seconds(30))
        _ = pair.takeDelivered()
    }

    @Test(arguments: [(false, false), (true, false), (false, true)])
    func `one side's trust does not take the encryption away`(client: Bool, relay: Bool) throws {
        try handshake(clientTrusts: client, relayTrusts: relay)
        #expect(pair.status(of: .client)?.encrypted == true)
        #expect(try deliver(from: .client, id: 8) == 1)
    }

    @Test func `where both sides trust, data goes as it is, and status says so`() throws {
        try handshake(clientTrusts: true, relayTrusts: true)
        for side in TunnelPair.Side.allCases {
            #expect(pair.status(of: side)?.encrypted == false)
            #expect(pair.status(of: side)?.aead == "none")
        }
        let packet = TunnelPair.packet(id: 8, from: .client, payloadBytes: 64)
        let datagram = try #require(try pair.send([packet], from: .client).first)
        #expect(Array(datagram.bytes.suffix(packet.count)) == packet)
        #expect(datagram.bytes.count == packet.count + 1 + 2 + 4)
        pair.exchange()
        #expect(pair.takeDelivered().map(\.bytes) == [packet])
    }

    @Test func `trust that is taken back ends the unencrypted session`() throws {
        try handshake(clientTrusts: true, relayTrusts: true)
        try pair.reload(.relay) { $0.local.unencryptedNetworks = [] }
        pair.exchange(quiet: .seconds(30))
        _ = pair.takeDelivered()
        #expect(try deliver(from: .client, id: 8) >= 1)
        #expect(pair.status(of: .relay)?.encrypted == true)
    }

    @Test func `a shutdown is known to the other side at once`() {
        pair.shutDown(.relay)
        #expect(pair.status(of: .client)?.state != "connected")
    }
}
