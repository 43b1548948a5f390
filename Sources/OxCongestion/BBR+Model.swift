import OxModel

extension BBR {
    /// UpdateLatestDeliverySignals()
    mutating func updateLatestDeliverySignals(_ sample: PathSample) {
        bandwidthLatest = max(bandwidthLatest, sample.bandwidth ?? 0)
        inflightLatest = max(inflightLatest, Double(sample.rateDelivered))
        if sample.priorDelivered >= lossRoundDelivered {
            lossRoundDelivered = sample.delivered
            isLossRoundStart = true
        }
    }

    /// AdvanceLatestDeliverySignals()
    mutating func advanceLatestDeliverySignals(_ sample: PathSample) {
        guard isLossRoundStart else { return }
        bandwidthLatest = sample.bandwidth ?? 0
        inflightLatest = Double(sample.rateDelivered)
    }

    /// ResetCongestionSignals()
    mutating func resetCongestionSignals() {
        isLossInRound = false
        bandwidthLatest = 0
        inflightLatest = 0
        marks.endCycle()
    }

    /// UpdateCongestionSignals()
    mutating func updateCongestionSignals(_ sample: PathSample, now: Instant) {
        updateMaxBandwidth(sample, now: now)
        updateMarks(sample, now: now)
        gatherRound(sample)
        updateQueueDelay(sample, now: now)
        updateRandomLoss(sample)
        guard isLossRoundStart else { return }
        adaptLowerBoundsFromCongestion()
        isLossInRound = false
        marks.isInRound = false
        randomLoss.endLossRound()
    }

    /// UpdateMaxBw()
    private mutating func updateMaxBandwidth(_ sample: PathSample, now: Instant) {
        updateRound(sample)
        guard let rate = sample.bandwidth, rate >= maxBandwidth || !sample.isAppLimited else { return }
        bandwidthFilter.update(rate)
        lastRate = now
    }

    /// UpdateRound()
    private mutating func updateRound(_ sample: PathSample) {
        guard sample.priorDelivered >= nextRoundDelivered else { return }
        startRound(sample)
        roundCount += 1
        roundsSinceProbeUp += 1
        isRoundStart = true
    }

    /// StartRound()
    mutating func startRound(_ sample: PathSample) { nextRoundDelivered = sample.delivered }

    /// UpdateACKAggregation()
    mutating func updateAckAggregation(_ sample: PathSample, now: Instant) {
        let acked = Double(sample.newlyAcked)
        var expected = bandwidth * max(0, (now - extraAckedStart).inSeconds)
        if extraAckedDelivered <= expected {
            extraAckedDelivered = 0
            extraAckedStart = now
            expected = 0
        }
        extraAckedDelivered += acked
        let extra = min(extraAckedDelivered - expected, window)
        let rounds = isFullBandwidthReached ? Draft.extraAckedRounds : 1
        extraAcked = extraAckedFilter.update(extra, time: roundCount, window: rounds)
    }

    /// BoundBWForModel()
    mutating func boundBandwidthForModel() { bandwidth = min(maxBandwidth, bandwidthShortTerm) }

    /// BBR.bdp; C.InitialCwnd before there is a round-trip time.
    var bandwidthDelayProduct: Double { bandwidthDelayMultiple(1) }

    /// BDPMultiple(). The draft calls it with and without a bandwidth: BBR.bw unless one is given.
    func bandwidthDelayMultiple(_ gain: Double, bandwidth given: Double? = nil) -> Double {
        guard let minRoundTrip else { return BBR.initialWindow(datagram) }
        return gain * (given ?? bandwidth) * minRoundTrip.inSeconds
    }

    /// QuantizationBudget(), with the offload budget of QUIC: one quantum.
    func quantizationBudget(_ inflight: Double) -> Double {
        let cap = max(inflight, quantum, minimumWindow)
        return state == .probeBandwidth(.up) ? cap + 2 * datagram : cap
    }

    /// Inflight()
    func inflight(_ gain: Double, bandwidth given: Double? = nil) -> Double {
        quantizationBudget(bandwidthDelayMultiple(gain, bandwidth: given))
    }

    /// InflightWithHeadroom()
    var inflightWithHeadroom: Double {
        guard inflightLongTerm.isFinite else { return .infinity }
        let headroom = max(datagram, Draft.headroom * inflightLongTerm)
        return max(inflightLongTerm - headroom, minimumWindow)
    }

    /// TargetInflight()
    var targetInflight: Double { min(bandwidthDelayProduct, window) }

    /// C.is_cwnd_limited: the window was full in this round or the one before.
    var isWindowLimited: Bool { windowLimitedRound.map { roundCount - $0 <= 1 } ?? false }

    /// BBR.MinPipeCwnd
    var minimumWindow: Double { Draft.minimumWindow * datagram }

    /// HandleRestartFromIdle(). The core paces by ``OxModel/PathLimits/restartRate`` from the first datagram on; that it did is learned
    /// with the first feedback, so what the draft does at the time of sending is dated back to it here.
    mutating func handleRestartFromIdle(_ sample: PathSample, now: Instant) {
        isIdleRestart = true
        extraAckedStart = min(sample.sent ?? now, now)
        if state.isProbeBandwidth {
            setPacingRate(gain: 1)
        } else if state == .probeRoundTrip {
            checkProbeRoundTripDone(sample, now: now)
        }
    }
}

extension PathSample {
    /// RS.delivery_rate; nil when there is none.
    var bandwidth: Double? {
        guard let rate, rate > .zero else { return nil }
        return min(Double(rate.bytesPerSecond), Bound.highestRate)
    }
}
