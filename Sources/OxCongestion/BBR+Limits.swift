import OxModel

extension BBR {
    /// UpdateControlParameters()
    mutating func updateControlParameters(_ sample: PathSample) {
        setPacingRate(gain: pacingGain)
        setSendQuantum()
        setWindow(sample)
    }

    /// SetPacingRateWithGain()
    mutating func setPacingRate(gain: Double) {
        let rate = gain * bandwidth * Draft.pacingShare
        guard isFullBandwidthReached || rate > pacing else { return }
        pacing = min(rate, pacingCapForQueue).clamped(to: Bound.lowestRate...Bound.highestRate)
    }

    /// Beyond the draft (`pacesByFirstRoundTrip`): InitPacingRate() again, once there is a round-trip time.
    mutating func setFirstPacing(_ sample: PathSample) {
        guard isPacingGuessed, let roundTrip = sample.roundTrip, roundTrip > .zero else { return }
        isPacingGuessed = false
        guard extensions.pacesByFirstRoundTrip, unprovenRate == nil else { return }
        pacing = min(pacing, Draft.startupPacingGain * max(window, BBR.initialWindow(datagram)) / roundTrip.inSeconds)
    }

    /// SetSendQuantum(). Beyond the draft (`endsProbesAtOwnQueue`): two datagrams that take the path a good part of its round trip are
    /// no burst but a queue, so there one is enough.
    mutating func setSendQuantum() {
        let isSlow = extensions.endsProbesAtOwnQueue && minRoundTrip.map { pacing * $0.inSeconds < 8 * datagram } ?? false
        let floor = min(isSlow ? datagram : 2 * datagram, Bound.quantum)
        quantum = (pacing * Draft.quantumTime).clamped(to: floor...Bound.quantum)
    }

    /// SetCwnd()
    mutating func setWindow(_ sample: PathSample) {
        let acked = Double(sample.newlyAcked)
        // UpdateMaxInflight()
        maxInflight = quantizationBudget(bandwidthDelayMultiple(windowGain) + extraAcked)
        if isFullBandwidthReached {
            window = min(window + acked, maxInflight)
        } else if window < maxInflight || delivered(sample) < BBR.initialWindow(datagram) {
            window += acked
        }
        window = max(window, minimumWindow)
        // BoundCwndForProbeRTT()
        if state == .probeRoundTrip { window = min(window, probeRoundTripWindow) }
        boundWindowForModel()
        window = min(window, Bound.window)
    }

    /// BoundCwndForModel()
    private mutating func boundWindowForModel() {
        var cap =
            switch state {
            case .probeBandwidth(.cruise), .probeRoundTrip: inflightWithHeadroom
            case .probeBandwidth: inflightLongTerm
            case .startup, .drain: Double.infinity
            }
        cap = min(cap, inflightShortTerm, queueDelay.isChanging ? .infinity : windowCapForQueue)
        window = min(window, max(cap, minimumWindow))
    }

    /// ProbeRTTCwnd()
    var probeRoundTripWindow: Double {
        max(bandwidthDelayMultiple(Draft.probeRoundTripWindowGain), minimumWindow)
    }

    /// C.delivered, since this began.
    private func delivered(_ sample: PathSample) -> Double {
        Double(sample.delivered - min(deliveredBefore ?? 0, sample.delivered))
    }
}
