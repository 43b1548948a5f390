import OxModel

/// Follows every inner packet: where it went in, which datagrams may have carried it, whether it came out.
struct PacketLedger {
    private struct Entry {
        var host: Int
        var bytes: [UInt8]
        /// The turn in which it must have left; nil while it waits for a session.
        var turn: TurnID?
        var delivered = 0
    }

    private var entries: [UInt64: Entry] = [:]
    private var waiting: [Int: [UInt64]] = [:]
    /// Turns of which a datagram did not arrive.
    private var damaged: Set<TurnID> = []
    private(set) var sent: UInt64 = 0
    private(set) var delivered: UInt64 = 0
    private(set) var violations: [String] = []

    mutating func entered(_ id: UInt64, host: Int, bytes: [UInt8]) {
        entries[id] = Entry(host: host, bytes: bytes)
        waiting[host, default: []].append(id)
        sent += 1
    }

    /// The host sent datagrams in this turn: whatever waited may be in them.
    mutating func left(_ turn: TurnID) {
        for id in waiting.removeValue(forKey: turn.host) ?? [] { entries[id]?.turn = turn }
    }

    mutating func damage(_ turn: TurnID) { damaged.insert(turn) }

    mutating func arrived(_ id: UInt64, bytes: [UInt8], at host: Int) {
        guard let entry = entries[id] else { return violations.append("host \(host) delivered packet \(id) that nobody sent") }
        if !SimulatedPacket.same(entry.bytes, bytes) { violations.append("packet \(id) arrived with other bytes") }
        if entry.delivered > 0 { violations.append("packet \(id) arrived \(entry.delivered + 1) times") }
        entries[id]?.delivered += 1
        delivered += 1
    }

    /// Packets that did not arrive although every datagram of their turn did: each must have a named drop in a node.
    func unexplained() -> [UInt64] {
        entries.filter { _, entry in
            entry.delivered == 0 && !(entry.turn.map(damaged.contains) ?? false)
        }.keys.sorted()
    }
}
