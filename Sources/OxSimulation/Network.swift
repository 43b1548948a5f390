import OxModel

/// Datagrams on their way between the relay and its clients: a direction each way, which all of them share.
struct Network {
    struct Flight {
        var from: SocketAddress
        var to: SocketAddress
        var bytes: [UInt8]
        var ecn: UInt8
        /// The turn that sent it.
        var turn: TurnID
    }

    private var toRelay: Link<Flight>
    private var toClients: Link<Flight>
    private let relay: SocketAddress
    private var forgotten: [String: UInt64] = [:]

    init(_ model: LinkModel, relay: SocketAddress, random: SeededGenerator, start: Instant) {
        var random = random
        self.relay = relay
        toRelay = Link(model, random: SeededGenerator(seed: random.next()), start: start)
        toClients = Link(model, random: SeededGenerator(seed: random.next()), start: start)
    }

    var next: Instant? { [toRelay.next, toClients.next].compactMap { $0 }.min() }

    /// How datagrams ended that never arrived.
    var lost: [String: UInt64] {
        var sum = forgotten
        for (why, count) in toRelay.lost { sum[why.rawValue, default: 0] += count }
        for (why, count) in toClients.lost { sum[why.rawValue, default: 0] += count }
        return sum
    }

    mutating func drop(_ name: String) { forgotten[name, default: 0] += 1 }

    /// Returns whether it will arrive.
    mutating func send(
        _ bytes: [UInt8], from: SocketAddress, to: SocketAddress, ecn: UInt8, turn: TurnID, now: Instant
    ) -> Bool {
        let flight = Flight(from: from, to: to, bytes: bytes, ecn: ecn, turn: turn)
        let size = bytes.count + Link<Flight>.headerBytes
        return to == relay
            ? toRelay.send(flight, bytes: size, ecn: ecn, now: now) > 0
            : toClients.send(flight, bytes: size, ecn: ecn, now: now) > 0
    }

    mutating func pop(upTo now: Instant) -> Flight? {
        let isFirst = toRelay.next.map { first in toClients.next.map { first <= $0 } ?? true } ?? false
        guard let found = isFirst ? toRelay.pop(upTo: now) : toClients.pop(upTo: now) else { return nil }
        var flight = found.element
        flight.ecn = found.ecn
        return flight
    }
}

/// One turn of one host, for tracing which datagrams carried which packets.
struct TurnID: Hashable {
    var host: Int
    var number: UInt64
}
