import OxModel

/// Follows every inner packet: where it went in, which datagrams may have carried it, whether it came out.
struct PacketLedger {
    private struct Entry {
        var host: Int
        var bytes: [UInt8]
        /// The first and the last turn of its host in which it can have left; nil while it waits for a session.
        var turns: ClosedRange<UInt64>?
        var delivered = 0
    }

    private var entries: [UInt64: Entry] = [:]
    private var waiting: [Int: [UInt64]] = [:]
    /// Turns of which a datagram did not arrive, by host.
    private var damaged: [Int: Set<UInt64>] = [:]
    private(set) var sent: UInt64 = 0
    private(set) var delivered: UInt64 = 0
    private(set) var violations: [String] = []

    mutating func entered(_ id: UInt64, host: Int, bytes: [UInt8]) {
        entries[id] = Entry(host: host, bytes: bytes)
        waiting[host, default: []].append(id)
        sent += 1
    }

    /// The host sent datagrams in this turn: whatever waited may be in them, and when its queues are empty now, not in later ones.
    mutating func left(_ turn: TurnID, queuesAreEmpty: Bool) {
        for id in waiting[turn.host] ?? [] {
            let first = entries[id]?.turns?.lowerBound ?? turn.number
            entries[id]?.turns = first...turn.number
        }
        if queuesAreEmpty { waiting[turn.host] = nil }
    }

    mutating func damage(_ turn: TurnID) { damaged[turn.host, default: []].insert(turn.number) }

    mutating func arrived(_ id: UInt64, bytes: [UInt8], at host: Int) {
        guard let entry = entries[id] else { return violations.append("host \(host) delivered packet \(id) that nobody sent") }
        if !SimulatedPacket.same(entry.bytes, bytes) { violations.append("packet \(id) arrived with other bytes") }
        if entry.delivered > 0 { violations.append("packet \(id) arrived \(entry.delivered + 1) times") }
        entries[id]?.delivered += 1
        delivered += 1
    }

    /// Packets that did not arrive although every datagram of their turns did: each must have a named drop in a node.
    func unexplained() -> [UInt64] {
        entries.filter { _, entry in
            guard entry.delivered == 0 else { return false }
            guard let turns = entry.turns, let damaged = damaged[entry.host] else { return true }
            return !turns.contains(where: damaged.contains)
        }.keys.sorted()
    }
}
