import OxModel

/// What the path's marks say. After Google's BBRv3 for Linux, without its bound on the round-trip time: the tunnel sends as ECN-capable
/// only where the peer reports what arrived, and the draft wants every mark taken for congestion there.
struct MarkedTraffic: Sendable {
    /// ecn_alpha: the smoothed share of marked datagrams.
    var alpha = Marks.initialAlpha
    /// Since the round began.
    var capable = 0.0
    var marked = 0.0
    /// A mark since the bounds were last adapted.
    var isInRound = false
    /// Rounds of Startup in a row with too many marks.
    var startupRounds = 0
    /// A mark, a loss since the cycle began; a mark in the last whole round.
    var isInCycle = false
    var isLossInCycle = false
    var wasInLastRound = false

    /// Marks, but no loss, held the path back, and they are gone.
    var haveCeased: Bool { isInCycle && !isLossInCycle && !wasInLastRound && !isInRound }

    mutating func endCycle() {
        isInRound = false
        isInCycle = false
        isLossInCycle = false
    }

    /// The share of marked datagrams of the round that ends; nil when none could be marked.
    mutating func endRound() -> Double? {
        defer {
            wasInLastRound = marked > 0
            capable = 0
            marked = 0
        }
        guard capable > 0 else { return nil }
        let share = min(1, marked / capable)
        alpha = (1 - Marks.alphaGain) * alpha + Marks.alphaGain * share
        return share
    }
}

extension BBR {
    /// Once a round: smooths the share of marks, and acts when a probe, or Startup, met too many.
    mutating func updateMarks(_ sample: PathSample, now: Instant) {
        marks.capable += Double(max(sample.ecnCapable, sample.congestionMarked))
        marks.marked += Double(sample.congestionMarked)
        if sample.congestionMarked > 0 {
            marks.isInRound = true
            marks.isInCycle = true
        }
        guard isRoundStart, let share = marks.endRound() else { return }
        let isTooMuch = share >= Marks.threshold
        if state == .startup {
            marks.startupRounds = isTooMuch ? marks.startupRounds + 1 : 0
            if marks.startupRounds >= Marks.startupRounds, !isFullBandwidthReached { handleQueueTooHighInStartup(sample) }
        } else if isTooMuch, isProbeSample {
            handleInflightTooHigh(sample, inflight: Double(sample.inFlightAtSending), now: now)
        }
    }
}
