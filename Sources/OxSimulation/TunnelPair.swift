import OxConfiguration
import OxController
import OxCore
import OxModel
import Oxidize

/// A client and a relay with one tunnel between them, over ports in memory and a network that loses nothing: for
/// looking at every datagram. Handshakes, controllers and the C tunnel are the real ones; only time is invented.
public final class TunnelPair {
    public enum Side: Int, Sendable, CaseIterable {
        case relay = 0
        case client = 1

        public var other: Side { self == .relay ? .client : .relay }
    }

    /// An outer datagram: what is inside UDP.
    public struct Datagram: Sendable {
        public var from: Side
        public var bytes: [UInt8]
        /// Type, session id and packet number (Wire.md section 5). Nil for a handshake datagram.
        public var headerBytes: Int?
    }

    public struct Delivery: Sendable, Equatable {
        public var to: Side
        public var bytes: [UInt8]

        public init(to: Side, bytes: [UInt8]) {
            self.to = to
            self.bytes = bytes
        }
    }

    /// Thrown when the tunnel does not do what the caller wants to look at.
    public struct Failure: Error, CustomStringConvertible {
        public let description: String
    }

    /// All that connecting took, in order: the initiation first.
    public private(set) var connecting: [Datagram] = []
    /// Inner packets that came out since the last `takeDelivered`.
    private var delivered: [Delivery] = []
    private var flying: [Datagram] = []
    let hosts: [Host]
    var settings: [NodeSettings]
    private let sessionIDBytes: [Int]
    private(set) var now = Instant(nanoseconds: 1_000_000_000)

    /// One way.
    private static let delay = Duration.milliseconds(10)
    /// The UDP payload that Ethernet leaves over IPv6: larger datagrams vanish, as in a network.
    private static let largestDatagram = 1452
    private static let wallBase = WallTime(nanoseconds: 1_767_225_600_000_000_000)

    /// Connects at once, and lets both sides come to rest.
    /// - Parameters:
    ///   - relaySessionIDBytes: bytes of the session ids that the relay issues, and so reads: 1 to 3. The client's have one.
    ///   - compressesHeaders: whether packets cross with compressed headers where that pays.
    public init(relaySessionIDBytes: Int, compressesHeaders: Bool = false, seed: UInt64 = 1) throws {
        precondition((1...3).contains(relaySessionIDBytes))
        try Core.start()
        var random = SeededGenerator(seed: seed)
        let scenario = Scenario(seed: seed, clients: 1)
        var settings = try SimulatedKeys.settings(scenario, random: &random)
        settings[Side.relay.rawValue].local.sessionIDBytes = relaySessionIDBytes
        // What is looked at here are datagrams, not when they leave: each packet leaves at once.
        for side in settings.indices { settings[side].local.congestion.isOn = false }
        if !compressesHeaders { for side in settings.indices { settings[side].local.features.remove(.headerCompression) } }
        sessionIDBytes = [relaySessionIDBytes, 1]
        var made: [Host] = []
        for side in settings.indices {
            made.append(
                try Host(
                    index: side, settings: settings[side], address: Simulation.address(of: side),
                    random: SeededGenerator(seed: random.next()), now: now))
        }
        hosts = made
        self.settings = settings
        connecting = exchange()
        guard hosts.allSatisfy({ $0.node.sessionsInstalled == 1 }) else {
            throw Failure(description: "the two sides did not agree on a session")
        }
    }

    /// A UDP packet over IPv4 (even ids) or IPv6 (odd ids) that the other side's tunnel will deliver.
    public static func packet(id: UInt64, from side: Side, payloadBytes: Int) -> [UInt8] {
        let headers = id % 2 == 0 ? 28 : 48
        return SimulatedPacket.make(
            id: id, from: side.rawValue, to: side.other.rawValue, length: headers + payloadBytes)
    }

    /// Whether two packets are the same but for the identification of one that is never fragmented, which means nothing (RFC
    /// 6864 section 4.1): what was coalesced and cut again has another.
    public static func same(_ a: [UInt8], _ b: [UInt8]) -> Bool { SimulatedPacket.same(a, b) }

    /// Hands these packets to the device of `side` at one moment. The datagrams that carry them are returned, and are
    /// on their way until the next `exchange`.
    public func send(_ packets: [[UInt8]], from side: Side) throws -> [Datagram] {
        let host = hosts[side.rawValue]
        for packet in packets {
            guard host.device(of: 0).push(packet) else { throw Failure(description: "too many packets at once") }
        }
        let sent = run(side)
        flying += sent
        return sent
    }

    /// Delivers what is on its way, and lets time pass until both sides have been silent for a while. Returns all that was
    /// sent meanwhile.
    @discardableResult
    public func exchange(quiet: Duration = .seconds(3)) -> [Datagram] {
        var sent: [Datagram] = []
        var lastSent = now
        while !flying.isEmpty || now - lastSent < quiet {
            let arriving = flying
            flying = []
            if arriving.isEmpty {
                let due = hosts.compactMap(\.due).min() ?? lastSent + quiet
                now = max(now + .nanoseconds(1), min(due, lastSent + quiet))
            } else {
                now += Self.delay
                for datagram in arriving where datagram.bytes.count <= Self.largestDatagram { deliver(datagram) }
            }
            for side in Side.allCases { flying += run(side) }
            if !flying.isEmpty { lastSent = now }
            sent += flying
        }
        return sent
    }

    /// Carries out what this side was just told, and all that follows from it.
    func settle(_ side: Side) {
        flying += run(side)
        exchange()
    }

    /// What came out since the last call.
    public func takeDelivered() -> [Delivery] {
        defer { delivered = [] }
        return delivered
    }

    /// What the relay answers when strangers send so many initiations in a second that it asks for proof of their addresses.
    public func cookieReply(after initiations: Int = 1000) throws -> Datagram {
        guard let initiation = connecting.first?.bytes else { throw Failure(description: "there was no initiation") }
        let relay = hosts[Side.relay.rawValue]
        for index in 0..<initiations {
            let stranger = SocketAddress(IPAddress(v4: 0xcb00_7100 + UInt32(index % 250)), port: 1024)
            guard relay.network(of: initiation).push(initiation, from: stranger) else { throw Failure(description: "the port is full") }
            for datagram in run(.relay) where HandshakeMessageKind(datagram.bytes) == .cookieReply { return datagram }
        }
        throw Failure(description: "no cookie reply after \(initiations) initiations in a second")
    }

    private func deliver(_ datagram: Datagram) {
        let accepted = hosts[datagram.from.other.rawValue].network(of: datagram.bytes).push(
            datagram.bytes, from: hosts[datagram.from.rawValue].address)
        precondition(accepted, "a port in memory holds more than one delay's datagrams")
        // One by one, so that no port fills up.
        flying += run(datagram.from.other)
    }

    private func run(_ side: Side) -> [Datagram] {
        let sent = hosts[side.rawValue].run(now: now, wallBase: Self.wallBase) { packet in
            delivered.append(Delivery(to: side, bytes: packet.bytes))
        }
        return sent.flatMap(\.1).map { Datagram(from: side, bytes: $0.bytes, headerBytes: headerBytes($0.bytes, side)) }
    }

    //= Wire.md section 5
    //# bits 7 and 6 of a data datagram are 01, bits 1 and 0 the bytes of packet number less one
    private func headerBytes(_ bytes: [UInt8], _ from: Side) -> Int? {
        guard let first = bytes.first, first & 0xc0 == 0x40 else { return nil }
        return 1 + sessionIDBytes[from.other.rawValue] + Int(first & 3) + 1
    }
}
