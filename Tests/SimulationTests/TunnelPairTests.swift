import OxSimulation
import Testing

/// What the tunnel costs on the wire: the figures that the wire format promises.
@Suite struct TunnelPairTests {
    @Test(arguments: 1...3, TunnelPair.Side.allCases)
    func `a lone packet costs its header and its tag and nothing else`(
        relaySessionIDBytes: Int, side: TunnelPair.Side
    ) throws {
        let pair = try TunnelPair(relaySessionIDBytes: relaySessionIDBytes)
        for id in UInt64(2)...3 {
            let packet = TunnelPair.packet(id: id, from: side, payloadBytes: 64)
            let datagrams = try pair.send([packet], from: side)
            pair.exchange()
            let header = try #require(datagrams.first?.headerBytes)
            #expect(datagrams.count == 1)
            #expect(header == 2 + (side == .client ? relaySessionIDBytes : 1))
            #expect(datagrams.map(\.bytes.count) == [packet.count + header + 16])
            #expect(pair.takeDelivered() == [TunnelPair.Delivery(to: side.other, bytes: packet)])
        }
    }

    @Test func `packet numbers take a second byte while many are unacknowledged`() throws {
        let pair = try TunnelPair(relaySessionIDBytes: 2)
        var headers: [Int] = []
        for id in UInt64(2)..<102 {
            let packet = TunnelPair.packet(id: id, from: .client, payloadBytes: 64)
            headers += try pair.send([packet], from: .client).compactMap(\.headerBytes)
        }
        #expect(headers.first == 4)
        #expect(headers.last == 5)
        pair.exchange()
        #expect(pair.takeDelivered().count == 100)
        let after = try pair.send([TunnelPair.packet(id: 200, from: .client, payloadBytes: 64)], from: .client)
        #expect(after.compactMap(\.headerBytes) == [4])
    }

    @Test func `a packet larger than the path crosses in two datagrams`() throws {
        let pair = try TunnelPair(relaySessionIDBytes: 2)
        let packet = TunnelPair.packet(id: 2, from: .relay, payloadBytes: 1472)
        let datagrams = try pair.send([packet], from: .relay)
        #expect(datagrams.count == 2)
        pair.exchange()
        #expect(pair.takeDelivered() == [TunnelPair.Delivery(to: .client, bytes: packet)])
    }

    @Test func `a cookie reply is smaller than what it answers`() throws {
        let pair = try TunnelPair(relaySessionIDBytes: 2)
        let initiation = try #require(pair.connecting.first)
        let reply = try pair.cookieReply()
        #expect(reply.bytes.count < initiation.bytes.count / 4)
    }
}
