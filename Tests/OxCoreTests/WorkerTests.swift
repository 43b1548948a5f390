import OxCore
import OxModel
import Testing

/// The wrapper: orders go in, events come out, objects that come back are freed. What packets do is tested in C.
@Suite struct WorkerTests {
    let identity: Identity
    let worker: Worker
    let device: MemoryLink
    let network: MemoryLink

    init() throws {
        try Core.start()
        identity = try Identity(privateKey: KeyTool.random(clamped: true).span)
        let inner = try Port.memory(capacity: 64)
        let outer = try Port.memory(capacity: 64)
        device = inner.link
        network = outer.link
        worker = try Worker(identity: identity, sessionIDBytes: 1, device: inner.port, network: outer.port)
    }

    private func events(at nanoseconds: UInt64 = 1_000_000_000) -> [WorkerEvent] {
        worker.wake()
        _ = worker.turn(now: Instant(nanoseconds: nanoseconds))
        var events: [WorkerEvent] = []
        while let event = worker.nextEvent() { events.append(event) }
        return events
    }

    private let packet: [UInt8] = {
        var bytes: [UInt8] = [0x45, 0, 0, 28, 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]
        bytes += [0, 1, 0, 2, 0, 8, 0, 0]
        return bytes
    }()

    @Test func `a packet without a route is dropped by name`() {
        #expect(device.push(packet))
        #expect(events().isEmpty)
        #expect(worker.status().drops == ["no_route": 1])
    }

    @Test func `a packet for a peer without a session asks for one, and is dropped when there will be none`() throws {
        try worker.add(PeerID(3))
        try worker.publish(
            Policy(
                routes: [(IPPrefix("10.0.0.0/8")!, PeerID(3))], innerMTU: 1500, batch: true,
                rejectAfter: .seconds(180)))
        #expect(device.push(packet))
        let asked = events().contains { if case .packetsWaiting(PeerID(3)) = $0 { true } else { false } }
        #expect(asked)
        worker.order(.dropStaged(PeerID(3)))
        _ = events()
        #expect(worker.status().drops == ["no_session": 1])
        #expect(worker.traffic(of: PeerID(3))?.packetsSent == 0)
    }

    @Test func `a removed peer comes back`() throws {
        try worker.add(PeerID(5))
        worker.order(.removePeer(PeerID(5)))
        let returned = events().contains { if case .peerRetired(PeerID(5)) = $0 { true } else { false } }
        #expect(returned)
        #expect(worker.traffic(of: PeerID(5)) == nil)
    }

    @Test func `more orders than the queue holds all arrive, in order`() throws {
        for id in UInt32(0)..<3000 { try worker.add(PeerID(id)) }
        #expect(worker.hasBacklog)
        for id in UInt32(0)..<3000 { worker.order(.removePeer(PeerID(id))) }
        var returned: [UInt32] = []
        for _ in 0..<100 {
            for case .peerRetired(let peer) in events() { returned.append(peer.rawValue) }
        }
        #expect(returned == Array(0..<3000))
        #expect(!worker.hasBacklog)
    }

    @Test func `a handshake datagram goes out as it is`() {
        let to = SocketAddress("192.0.2.1:51820")!
        worker.order(.handshake([1, 2, 3], to: to))
        _ = events()
        let sent = network.pop()
        #expect(sent?.bytes == [1, 2, 3])
        #expect(sent?.to == to)
    }

    @Test func `every drop has a name`() {
        #expect(Set(WorkerStatus.dropNames).count == WorkerStatus.dropNames.count)
        #expect(WorkerStatus.dropNames.allSatisfy { !$0.isEmpty && $0.allSatisfy { $0.isLowercase || $0.isNumber || $0 == "_" } })
    }
}
