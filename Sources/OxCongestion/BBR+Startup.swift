import OxModel

extension BBR {
    /// EnterStartup()
    mutating func enterStartup() { state = .startup }

    /// ResetFullBW()
    mutating func resetFullBandwidth() {
        fullBandwidth = 0
        fullBandwidthCount = 0
        isFullBandwidthNow = false
    }

    /// CheckFullBWReached(). A round that ends in a sample without a rate says nothing either way; the draft's pseudocode would take
    /// its zero for a round without growth.
    mutating func checkFullBandwidthReached(_ sample: PathSample) {
        guard !isFullBandwidthNow, isRoundStart, !sample.isAppLimited, let rate = sample.bandwidth else { return }
        if rate >= fullBandwidth * Draft.fullBandwidthGrowth {
            resetFullBandwidth()
            fullBandwidth = rate
            return
        }
        fullBandwidthCount += 1
        isFullBandwidthNow = fullBandwidthCount >= Draft.fullBandwidthRounds
        if isFullBandwidthNow { isFullBandwidthReached = true }
    }

    /// CheckStartupDone()
    mutating func checkStartupDone(_ sample: PathSample) {
        checkStartupHighLoss(sample)
        if state == .startup {
            proveStart(sample)
            if isFullBandwidthReached { enterDrain() }
        }
    }

    /// CheckStartupHighLoss(), of which the draft has the text only. A loss round begins with the first loss and ends when what was
    /// sent after it is acknowledged, so at its end the path has been in recovery for one packet-timed round trip.
    private mutating func checkStartupHighLoss(_ sample: PathSample) {
        guard isLossRoundStart else { return }
        defer { lossRunsInRound = 0 }
        guard state == .startup, !isFullBandwidthReached, lossRunsInRound >= Draft.startupFullLossCount,
            isInflightTooHigh(sample)
        else { return }
        // Loss while the rate still grows is not (yet) a full pipe, if random loss is thinkable: a full one cannot grow.
        // And neither is loss while the application sends less than the path takes.
        if extensions.toleratesRandomLoss, fullBandwidthCount == 0 || sample.isAppLimited, !queueDelay.isInLastRound { return }
        handleQueueTooHighInStartup(sample)
    }

    /// Leaves Startup for loss or for marks.
    mutating func handleQueueTooHighInStartup(_ sample: PathSample) {
        undo.state = .startup
        isFullBandwidthNow = true
        isFullBandwidthReached = true
        inflightLongTerm = max(bandwidthDelayProduct, inflightLatest)
    }

    /// Begins where an earlier session ended, but carefully: at most half the bandwidth it knew, and the window for just that.
    mutating func startFromMemory(_ remembered: PathMemory) {
        let rate = Double(remembered.maxBandwidth.bytesPerSecond) / 2
        guard rate > pacing else { return }
        pacing = rate
        window = max(window, rate * (minRoundTrip ?? remembered.minRoundTrip).inSeconds)
        unprovenRate = rate
    }

    /// A start from memory is proven by a round that delivers most of what was asked for. Losing a fifth of a flight stops it at once;
    /// and if the round then delivers less, the pipe was full: that is Startup's answer. A round that delivers less without such loss
    /// ends it too, but there Startup goes on from what was measured, as if nothing had been known.
    private mutating func proveStart(_ sample: PathSample) {
        guard let asked = unprovenRate else { return }
        let lost = Double(sample.lostSince)
        if !isStartLossy, lost > 0.2 * Double(sample.inFlightAtSending), lost > 2 * datagram {
            isStartLossy = true
            slowStart()
        }
        guard isRoundStart, roundCount > 1, !sample.isAppLimited, let rate = sample.bandwidth else { return }
        unprovenRate = nil
        guard rate < 0.8 * asked, maxBandwidth * Draft.startupPacingGain <= asked else { return }
        slowStart()
        if isStartLossy {
            isFullBandwidthNow = true
            isFullBandwidthReached = true
        }
    }

    /// Pacing and window of a Startup that knows what was measured.
    private mutating func slowStart() {
        boundBandwidthForModel()
        let initial = BBR.initialWindow(datagram)
        let roundTrip = minRoundTrip?.inSeconds ?? 0.001
        pacing = max(maxBandwidth, initial / roundTrip) * Draft.startupPacingGain
        window = max(initial, bandwidthDelayProduct * Draft.windowGain)
    }
}
