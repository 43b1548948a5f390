import OxModel

/// Looks for the largest UDP payload that a path carries, after RFC 8899. Knows nothing of sessions: it says what to probe,
/// and is told what was acknowledged.
struct PathMTU: Equatable, Sendable {
    enum Effect: Equatable {
        case probe(Int)
        case set(Int)
        /// A search ended at this size.
        case found(Int)
    }

    /// RFC 8899 section 5.1.2, BASE_PLPMTU: what any path is taken to carry.
    static let base = 1200
    /// A search ends when what passed and what failed are this close.
    static let granularity = 8
    /// RFC 8899 section 5.1.2, MAX_PROBES: so many losses of one size are not chance.
    static let probesMost = 3

    private struct Probe: Equatable {
        var size: Int
        var sent: Int
        var deadline: Instant
    }

    /// The largest size that has passed.
    private(set) var size = PathMTU.base
    private var top: Int
    /// The smallest size that has not: beyond `top` while none has failed.
    private var smallestFailed: Int
    private var probe: Probe?
    private var searchAt: Instant?
    /// A search waits for a session, or for the path to carry anything at all.
    private var isSuspended = true

    /// A path that is new, or leads elsewhere: nothing learned before holds. The search begins by `onResumed`.
    init(to address: SocketAddress) {
        top = PathMTU.top(for: address)
        smallestFailed = top + 1
    }

    /// UDP payload of a full Ethernet frame: 1500 bytes less the IP and UDP headers.
    static func top(for address: SocketAddress) -> Int { address.ip.isV4 ? 1472 : 1452 }

    var isSearching: Bool { probe != nil }
    var deadline: Instant? { probe?.deadline ?? searchAt }

    mutating func onAcknowledged(_ acknowledged: Int, now: Instant, _ timers: Timers) -> [Effect] {
        guard let probe, probe.size == acknowledged else { return [] }
        size = acknowledged
        return [.set(size)] + next(now: now, timers)
    }

    mutating func onDeadline(now: Instant, _ timers: Timers) -> [Effect] {
        guard let deadline, deadline <= now else { return [] }
        guard var probe else { return search(now: now, timers) }
        guard probe.sent < PathMTU.probesMost else {
            smallestFailed = probe.size
            return next(now: now, timers)
        }
        probe.sent += 1
        probe.deadline = now + timers.mtuProbeWait
        self.probe = probe
        return [.probe(probe.size)]
    }

    /// The search waits a little: what swallowed the large datagrams may be a path in the middle of a change.
    mutating func onBlackHole(now: Instant, _ timers: Timers) -> [Effect] {
        guard size > PathMTU.base else { return [] }
        size = PathMTU.base
        probe = nil
        searchAt = now + timers.mtuProbeWait
        return [.set(size)]
    }

    /// Nothing passes at all: should something pass again, only the base size can be relied upon.
    mutating func onSilence() -> [Effect] {
        let wasLarger = size > PathMTU.base
        size = PathMTU.base
        suspend()
        return wasLarger ? [.set(size)] : []
    }

    /// There is no session to probe with. What was found stays.
    mutating func onSessionLost() {
        if probe != nil { suspend() }
    }

    mutating func onResumed(now: Instant, _ timers: Timers) -> [Effect] {
        isSuspended ? search(now: now, timers) : []
    }

    private mutating func suspend() {
        probe = nil
        searchAt = nil
        isSuspended = true
    }

    private mutating func search(now: Instant, _ timers: Timers) -> [Effect] {
        isSuspended = false
        guard timers.searchesMTU else { return [] }
        smallestFailed = top + 1
        return next(now: now, timers)
    }

    /// The largest size first, as most paths carry it; then halves.
    private mutating func next(now: Instant, _ timers: Timers) -> [Effect] {
        probe = nil
        searchAt = nil
        if size >= top { return [.found(size)] }
        if smallestFailed <= top, smallestFailed - size <= PathMTU.granularity {
            searchAt = now + timers.mtuSearchAgain
            return [.found(size)]
        }
        let candidate = smallestFailed > top ? top : (size + smallestFailed) / 2
        probe = Probe(size: candidate, sent: 1, deadline: now + timers.mtuProbeWait)
        return [.probe(candidate)]
    }
}
