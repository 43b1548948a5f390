import OxModel

/// A transfer under BBR's first version (draft-cardwell-iccrg-bbr-congestion-control-00): what many servers send, and what loss does
/// not slow down.
struct BBR1Sender: TransferSender {
    private enum Phase { case startup, drain, probeBandwidth, probeRoundTrip }

    private struct Transmission {
        var sent: UInt64
        /// The sender's state when it left: packets delivered, when that grew last, and when the first of that flight left.
        var delivered: UInt64
        var deliveredAt: UInt64
        var firstSent: UInt64
        var isOpen = true
    }

    private static let highGain = 2.885
    private static let cycle = [1.25, 0.75, 1, 1, 1, 1, 1, 1]
    private static let bandwidthRounds: UInt64 = 10
    private static let roundTripNanoseconds: UInt64 = 10_000_000_000
    private static let probeNanoseconds: UInt64 = 200_000_000
    private static let reorderThreshold: UInt64 = 3
    private static let timeoutLeast: UInt64 = 200_000_000

    private var phase = Phase.startup
    private var flight = Ring<Transmission>()
    private var first: UInt64 = 0
    private var next: UInt64 = 0
    private var inFlight = 0
    private var largest: UInt64?
    private var delivered: UInt64 = 0
    private var deliveredAt: UInt64 = 0
    private var firstSent: UInt64 = 0

    /// Packets per nanosecond, by round: the newest at the end.
    private var bandwidths: [(round: UInt64, rate: Double)] = []
    private var roundTrip: UInt64?
    private var roundTripAt: UInt64 = 0
    private var smoothed: UInt64 = 0
    private var round: UInt64 = 0
    private var roundEnd: UInt64 = 0
    private var fullBandwidth = 0.0
    private var fullRounds = 0
    private var cycleIndex = 2
    private var cycleBegan: UInt64 = 0
    private var probeUntil: UInt64?
    private var departs: UInt64 = 0
    private var progressAt: UInt64 = 0
    private var backoff: UInt64 = 0

    private var bandwidth: Double { bandwidths.map(\.rate).max() ?? 0 }

    private var gain: Double {
        switch phase {
        case .startup: Self.highGain
        case .drain: 1 / Self.highGain
        case .probeBandwidth: Self.cycle[cycleIndex]
        case .probeRoundTrip: 1
        }
    }

    private func flightAllowed(_ gain: Double) -> Int {
        guard let roundTrip, bandwidth > 0 else { return 10 }
        return max(4, Int((gain * bandwidth * Double(roundTrip)).rounded(.up)) + 3)
    }

    private var window: Int {
        if phase == .probeRoundTrip { return 4 }
        return flightAllowed(phase == .probeBandwidth ? 2 : Self.highGain)
    }

    mutating func send(now: Instant) -> UInt64? {
        let now = now.nanoseconds
        guard inFlight < window, departs <= now else { return nil }
        if inFlight == 0 {
            progressAt = now
            firstSent = now
            deliveredAt = now
        }
        flight.append(Transmission(sent: now, delivered: delivered, deliveredAt: deliveredAt, firstSent: firstSent))
        inFlight += 1
        next += 1
        let pace = gain * bandwidth
        // What comes late may catch up by a millisecond.
        if pace > 0 { departs = max(departs, now - min(now, 1_000_000)) + UInt64(1 / pace) }
        return next - 1
    }

    var departure: Instant? { inFlight < window ? Instant(nanoseconds: departs) : nil }

    mutating func acknowledged(_ number: UInt64, now: Instant) {
        guard number >= first, number < next else { return }
        let index = Int(number - first), packet = flight[index], now = now.nanoseconds
        guard packet.isOpen else { return }
        flight[index].isOpen = false
        inFlight -= 1
        delivered += 1
        deliveredAt = now
        firstSent = packet.sent
        progressAt = now
        backoff = 0
        largest = max(largest ?? 0, number)
        let sample = now - packet.sent
        smoothed = smoothed == 0 ? sample : (7 * smoothed + sample) / 8
        if packet.delivered >= roundEnd {
            roundEnd = delivered
            round += 1
            endRound()
        }
        let interval = max(packet.sent - packet.firstSent, now - packet.deliveredAt)
        if interval > 0, interval >= roundTrip ?? 0 { note(Double(delivered - packet.delivered) / Double(interval)) }
        updateRoundTrip(sample, now)
        advance(now)
    }

    private mutating func note(_ rate: Double) {
        bandwidths.removeAll { $0.round + Self.bandwidthRounds < round }
        if let last = bandwidths.last, last.round == round {
            if rate > last.rate { bandwidths[bandwidths.count - 1].rate = rate }
        } else {
            bandwidths.append((round, rate))
        }
    }

    private mutating func endRound() {
        guard phase == .startup else { return }
        if bandwidth >= fullBandwidth * 1.25 {
            fullBandwidth = bandwidth
            fullRounds = 0
        } else {
            fullRounds += 1
            if fullRounds >= 3 { phase = .drain }
        }
    }

    private mutating func updateRoundTrip(_ sample: UInt64, _ now: UInt64) {
        let isOld = now > roundTripAt + Self.roundTripNanoseconds
        if sample <= roundTrip ?? .max || isOld {
            roundTrip = sample
            roundTripAt = now
        }
        if isOld, phase == .probeBandwidth {
            phase = .probeRoundTrip
            probeUntil = nil
        }
    }

    private mutating func advance(_ now: UInt64) {
        switch phase {
        case .startup: break
        case .drain:
            if inFlight <= flightAllowed(1) { begin(now) }
        case .probeBandwidth:
            let isOver = now - cycleBegan > roundTrip ?? 0
            let isNext = gain > 1 ? isOver && inFlight >= flightAllowed(gain) || now - cycleBegan > 3 * (roundTrip ?? 0)
                : gain < 1 ? isOver || inFlight <= flightAllowed(1) : isOver
            if isNext {
                cycleIndex = (cycleIndex + 1) % Self.cycle.count
                cycleBegan = now
            }
        case .probeRoundTrip:
            if probeUntil == nil, inFlight <= 4 { probeUntil = now + Self.probeNanoseconds }
            if let until = probeUntil, now > until {
                roundTripAt = now
                begin(now)
            }
        }
    }

    private mutating func begin(_ now: UInt64) {
        phase = .probeBandwidth
        cycleIndex = 2
        cycleBegan = now
    }

    mutating func settle(now: Instant) {
        guard let largest else { return }
        while first < next, let oldest = flight.first {
            if oldest.isOpen {
                guard first + Self.reorderThreshold <= largest else { return }
                inFlight -= 1
            }
            flight.removeFirst()
            first += 1
        }
    }

    var deadline: Instant? { inFlight == 0 ? nil : Instant(nanoseconds: progressAt + max(Self.timeoutLeast, 2 * smoothed) << backoff) }

    mutating func expire(now: Instant) {
        guard let deadline, deadline <= now else { return }
        inFlight = 0
        flight = Ring()
        first = next
        backoff = min(backoff + 1, 8)
        progressAt = now.nanoseconds
    }
}
