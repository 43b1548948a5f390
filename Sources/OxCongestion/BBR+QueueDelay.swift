import OxModel

/// The queue as the round-trip times of a round show it, and the bound on one that the model does not explain.
///
/// Beyond the draft (`boundsQueueDelay`). Where a path's rate falls at once, as on radio links, BBR.max_bw remembers the old one for
/// up to two cycles, and the window that it allows is a queue of seconds at the new rate. So while samples show more delay than
/// ``bound``, the window is what arrives now times the delay that is aimed at, and the pacing what arrives now. Afterwards the rate
/// grows as in a probe, or is let go when the queue is nearly gone. A queue that stays although the window was cut is not ours:
/// the bound is suspended then, or a loss-based flow beside this one would push it aside.
struct QueueDelay: Sendable {
    /// The quickest datagram of this round, and how many tell.
    private var minimum: Duration?
    private var count = 0
    private var last: Duration?
    /// How far a round-trip time lies from the one before it, smoothed. A queue grows and falls little from one to the next, so this is
    /// what the path does by itself.
    private(set) var jitter = Duration.zero
    /// The lesser of the last two round-trip times.
    private(set) var recent = Duration.zero
    /// In the round that ended last even the quickest datagram met a queue.
    private(set) var isInLastRound = false
    /// A round-trip time above this met one. Jitter, as far as RTTVAR tells it from a queue, is below.
    private(set) var threshold = Duration.seconds(3600)
    /// Whether there was none when ProbeBW_UP began, and the smoothed round-trip time then.
    var wasFreeBeforeProbe = false
    var beforeProbe: Duration?

    /// Bytes per second that the pacing is bound to; nil while it is not.
    var rate: Double?
    /// The queueing delay above which there is too much.
    var bound = Duration.zero
    var isExceeded = false
    /// Rounds in a row in which the delay stayed although the flight was small.
    var vainRounds = 0
    var isSuspended = false
    /// When there was too much last because the rate had fallen: to less than half.
    var lastFall: Instant?
    /// That was lately: the path's own rate changes, as on radio links.
    var isChanging = false

    /// The bound: three quarters of the round trip, but at least 30 ms, and 6 datagrams at the path's rate where that is more.
    static let shareOfRoundTrip = 0.75
    static let least = Duration.milliseconds(30)
    static let datagrams = 6.0
    /// The datagrams' time counts up to the round trip and this.
    static let mostForDatagrams = Duration.milliseconds(100)
    /// What is aimed at, of the bound.
    static let aim = 0.8
    /// Growth of the rate a round once the delay is below the bound; below a quarter of it the rate is let go, or below half where the
    /// path's rate changes.
    static let growth = 1.25
    static let vainRoundsBeforeSuspension = 4
    /// A path whose rate fell so lately changes its rate: once its queue is gone it is probed again after so many rounds.
    static let changesFor = Duration.seconds(10)
    static let roundsBetweenProbes: UInt64 = 8

    /// The quickest of fewer says little where there is jitter: then the next round counts too.
    static let leastCount = 3
    /// Jitter counts up to this.
    static let mostJitter = Duration.milliseconds(20)

    mutating func note(_ roundTrip: Duration) {
        minimum = min(minimum ?? roundTrip, roundTrip)
        count += 1
        recent = min(last ?? roundTrip, roundTrip)
        if let last { jitter += ((roundTrip > last ? roundTrip - last : last - roundTrip) - jitter) / 16 }
        last = roundTrip
    }

    mutating func endRound(minRoundTrip: Duration?, variance: Duration?) {
        guard let minimum, let minRoundTrip, count >= QueueDelay.leastCount else { return }
        threshold =
            minRoundTrip
            + max(
                minRoundTrip / 8, .milliseconds(2), min(variance ?? .zero, .milliseconds(10)),
                min(jitter * 2, QueueDelay.mostJitter))
        isInLastRound = minimum > threshold
        self.minimum = nil
        count = 0
    }
}

extension BBR {
    /// Gathers what a round says of the queue, and closes it at the round's end.
    mutating func gatherRound(_ sample: PathSample) {
        randomLoss.ackedInRound += Double(sample.newlyAcked)
        if let roundTrip = sample.roundTrip, roundTrip > .zero { queueDelay.note(roundTrip) }
        if isRoundStart { queueDelay.endRound(minRoundTrip: minRoundTrip, variance: roundTripVariance) }
    }

    /// There was a queue all the time since the last round began.
    func isQueueSeen(_ sample: PathSample) -> Bool {
        guard let roundTrip = sample.roundTrip else { return queueDelay.isInLastRound }
        return queueDelay.isInLastRound && roundTrip > queueDelay.threshold
    }

    /// And it is of what we sent: a flight that is small beside the window finds others' queues, or jitter.
    func isQueueOurs(_ sample: PathSample) -> Bool {
        isQueueSeen(sample) && Double(sample.inFlightAtSending) >= window / 2
    }

    mutating func updateQueueDelay(_ sample: PathSample, now: Instant) {
        guard extensions.boundsQueueDelay, let minRoundTrip, sample.roundTrip != nil else { return }
        queueDelay.bound = queueDelayBound(minRoundTrip)
        let delay = queueDelay.recent - minRoundTrip
        guard isFullBandwidthReached else {
            // Startup's window of twice the BDP explains a queue of one round trip, and one of any length where the BDP is a few datagrams.
            // Whatever is longer shows a full pipe. In gaming mode any queue does: what is missing later is found by small probes.
            if delay > minRoundTrip + queueDelay.bound || isGaming && isQueueSeen(sample) {
                isFullBandwidthNow = true
                isFullBandwidthReached = true
            }
            return
        }
        queueDelay.isExceeded = delay > queueDelay.bound
        if queueDelay.isExceeded {
            if isRoundStart {
                let isInVain = queueDelay.rate != nil && Double(sample.inFlight) <= 1.2 * windowCapForQueue
                queueDelay.vainRounds = isInVain ? queueDelay.vainRounds + 1 : 0
                if queueDelay.vainRounds >= QueueDelay.vainRoundsBeforeSuspension { queueDelay.isSuspended = true }
            }
            // A flow that comes and shares the path takes its part little by little.
            if let rate = sample.bandwidth, rate < maxBandwidth / 2 { queueDelay.lastFall = now }
            queueDelay.isChanging = queueDelay.lastFall.map { now - $0 < QueueDelay.changesFor } ?? false
            queueDelay.rate = sample.bandwidth ?? queueDelay.rate
            return
        }
        queueDelay.vainRounds = 0
        if delay < queueDelay.bound / 2 { queueDelay.isSuspended = false }
        guard isRoundStart, let rate = queueDelay.rate else { return }
        let grown = max(rate, sample.bandwidth ?? 0) * QueueDelay.growth
        queueDelay.rate = grown >= maxBandwidth || delay < queueDelay.bound / (queueDelay.isChanging ? 2 : 4) ? nil : grown
    }

    private func queueDelayBound(_ minRoundTrip: Duration) -> Duration {
        let usual = max(minRoundTrip.inSeconds * QueueDelay.shareOfRoundTrip, QueueDelay.least.inSeconds)
        let base = max(queueDelay.rate ?? bandwidth, Bound.lowestRate)
        let most = (minRoundTrip + QueueDelay.mostForDatagrams).inSeconds
        return .nanoseconds(Int64(min(max(usual, QueueDelay.datagrams * datagram / base), most, 1e9) * 1e9))
    }

    /// Bytes in flight while a queue is too long, or has just been.
    var windowCapForQueue: Double {
        guard let rate = queueDelay.rate, !queueDelay.isSuspended, let minRoundTrip, state != .probeRoundTrip else { return .infinity }
        let allowed = queueDelay.bound.inSeconds * (queueDelay.isExceeded ? QueueDelay.aim : 1)
        return rate * (minRoundTrip.inSeconds + allowed)
    }

    /// Never less than what lets the smallest window leave within the delay that is allowed: that window bounds the queue then.
    var pacingCapForQueue: Double {
        guard let rate = queueDelay.rate, !queueDelay.isSuspended, let minRoundTrip else { return .infinity }
        return max(rate, minimumWindow / (minRoundTrip + queueDelay.bound).inSeconds)
    }
}
