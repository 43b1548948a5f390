import OxModel

extension BBR {
    /// EnterProbeBW()
    mutating func enterProbeBandwidth(_ sample: PathSample, now: Instant) { startProbeBandwidthDown(sample, now: now) }

    /// UpdateProbeBWCyclePhase()
    mutating func updateProbeBandwidthPhase(_ sample: PathSample, now: Instant) {
        guard isFullBandwidthReached else { return }
        if adaptLongTermModel(sample) { return }
        guard case .probeBandwidth(let phase) = state else { return }
        switch phase {
        case .down:
            if checkTimeToProbe(sample, now: now) { return }
            if isTimeToCruise(sample) { startProbeBandwidthCruise() }
        case .cruise:
            _ = checkTimeToProbe(sample, now: now)
        case .refill:
            if isRoundStart {
                isProbeSample = true
                startProbeBandwidthUp(sample)
            }
        case .up:
            if isTimeToGoDown(sample) {
                wasProbeTooHigh = false
                startProbeBandwidthDown(sample, now: now)
            }
        }
    }

    /// StartProbeBW_DOWN()
    mutating func startProbeBandwidthDown(_ sample: PathSample, now: Instant) {
        resetCongestionSignals()
        probeUpAckedPerIncrement = .infinity
        pickProbeWait()
        cycleStart = now
        ackPhase = .probeStopping
        startRound(sample)
        state = .probeBandwidth(.down)
    }

    /// StartProbeBW_CRUISE()
    mutating func startProbeBandwidthCruise() { state = .probeBandwidth(.cruise) }

    /// StartProbeBW_REFILL(). `upRounds` starts the growth of inflight_longterm further up its slope.
    mutating func startProbeBandwidthRefill(_ sample: PathSample, upRounds: Int = 0) {
        resetShortTermModel()
        probeUpRounds = upRounds
        probeUpAcked = 0
        wasProbePrecautionary = false
        ackPhase = .refilling
        startRound(sample)
        state = .probeBandwidth(.refill)
    }

    /// StartProbeBW_UP()
    private mutating func startProbeBandwidthUp(_ sample: PathSample) {
        ackPhase = .probeStarting
        startRound(sample)
        resetFullBandwidth()
        fullBandwidth = sample.bandwidth ?? 0
        queueDelay.wasFreeBeforeProbe = !queueDelay.isInLastRound
        queueDelay.beforeProbe = smoothedRoundTrip
        state = .probeBandwidth(.up)
        raiseInflightLongTermSlope()
    }

    /// IsTimeToCruise(). Beyond the draft (`endsProbesAtOwnQueue`): its floor of 4 datagrams would be a standing queue where the BDP is
    /// less than that, so there the floor is 2.
    private func isTimeToCruise(_ sample: PathSample) -> Bool {
        let inFlight = Double(sample.inFlight)
        let target =
            extensions.endsProbesAtOwnQueue
            ? max(bandwidthDelayMultiple(1, bandwidth: maxBandwidth), min(quantum, minimumWindow / 2))
            : inflight(1, bandwidth: maxBandwidth)
        return inFlight <= inflightWithHeadroom && inFlight <= target
    }

    /// IsTimeToGoDown()
    private mutating func isTimeToGoDown(_ sample: PathSample) -> Bool {
        if wasProbeTooHigh, Double(sample.inFlight) >= inflightLongTerm {
            wasProbePrecautionary = true
            return true
        }
        if isWindowLimited, window >= inflightLongTerm {
            resetFullBandwidth()
            fullBandwidth = sample.bandwidth ?? 0
            return false
        }
        return isFullBandwidthNow || isOwnQueueSeen
    }

    /// Beyond the draft (`endsProbesAtOwnQueue`): there was no queue when the probe began, now the round-trip time has grown by an
    /// eighth, and the rate did not grow in a round. The answer is known then; waiting for the draft's three rounds would only lengthen
    /// the queue: on long paths for seconds, since DOWN drains a tenth of the BDP a round. It is the smoothed round-trip time against
    /// what it was, so that jitter does not end probes. Where others keep a queue, the draft's rule stands, and with it their share.
    private var isOwnQueueSeen: Bool {
        guard extensions.endsProbesAtOwnQueue, queueDelay.wasFreeBeforeProbe, fullBandwidthCount >= 1,
            let before = queueDelay.beforeProbe, let smoothedRoundTrip, let minRoundTrip
        else { return false }
        return smoothedRoundTrip > before + max(minRoundTrip / 8, .milliseconds(1), min(queueDelay.jitter, QueueDelay.mostJitter))
    }

    /// IsTimeToProbeBW(), with the quick probe of Google's v3 once marks have ceased.
    private mutating func checkTimeToProbe(_ sample: PathSample, now: Instant) -> Bool {
        if isRoundStart, marks.haveCeased {
            let growth = inflightLongTerm * Marks.reprobeGain / datagram
            startProbeBandwidthRefill(sample, upRounds: growth.isFinite && growth >= 1 ? min(30, growth.exponentOfTwo) : 0)
            return true
        }
        guard now > cycleStart + probeWait || isRenoCoexistenceProbeTime || isChangingPathProbeTime(now: now) else { return false }
        startProbeBandwidthRefill(sample)
        return true
    }

    /// Beyond the draft (`boundsQueueDelay`): where the rate falls it also rises, and on radio links long before T_bbr has passed. So a
    /// path that had too long a queue for that lately is probed again soon after it is gone. Not in gaming mode.
    private func isChangingPathProbeTime(now: Instant) -> Bool {
        guard extensions.boundsQueueDelay, !isGaming, isRoundStart, state == .probeBandwidth(.cruise), !queueDelay.isInLastRound,
            let last = queueDelay.lastFall
        else { return false }
        return now - last < QueueDelay.changesFor && roundsSinceProbeUp >= QueueDelay.roundsBetweenProbes
    }

    /// PickProbeWait()
    private mutating func pickProbeWait() {
        roundsSinceProbeUp = dice.next() & 1
        let wait = (Draft.probeWait + dice.unit()) * (isGaming ? Gaming.waitFactor : 1)
        probeWait = .nanoseconds(Int64(wait * 1e9))
    }

    /// IsRenoCoexistenceProbeTime(). The draft's volumes are bytes, but a Reno flow grows by one datagram a round: those are counted.
    /// Beyond the draft (`endsProbesAtOwnQueue`): a BDP of a few datagrams is not probed every few rounds, which would be a standing
    /// queue of datagrams that take long; ``Bound/leastProbeRounds`` lie between two probes.
    private var isRenoCoexistenceProbeTime: Bool {
        let least = extensions.endsProbesAtOwnQueue ? Bound.leastProbeRounds : 0
        let rounds = min(max(targetInflight / datagram, least), Draft.renoRounds)
        return Double(roundsSinceProbeUp) >= rounds * (isGaming ? Gaming.waitFactor : 1)
    }
}

extension Double {
    /// floor(log2(self)), of a finite number of at least 1.
    fileprivate var exponentOfTwo: Int { Int(exponent) }
}
