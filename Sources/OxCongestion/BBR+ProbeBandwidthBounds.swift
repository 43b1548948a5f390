import OxModel

extension BBR {
    /// AdaptLongTermModel(): true when it decided a change of state.
    mutating func adaptLongTermModel(_ sample: PathSample) -> Bool {
        if ackPhase == .probeStarting, isRoundStart { ackPhase = .probeFeedback }
        if ackPhase == .probeStopping, isRoundStart {
            isProbeSample = false
            ackPhase = .initial
            if state.isProbeBandwidth, !sample.isAppLimited { bandwidthFilter.advance() }
            if state.isProbeBandwidth, wasProbePrecautionary, !wasProbeTooHigh {
                startProbeBandwidthRefill(sample)
                return true
            }
        }
        guard !isInflightTooHigh(sample), inflightLongTerm.isFinite else { return false }
        inflightLongTerm = max(inflightLongTerm, Double(sample.inFlightAtSending))
        if state == .probeBandwidth(.up) { probeInflightLongTermUpward(sample) }
        return false
    }

    /// RaiseInflightLongtermSlope()
    mutating func raiseInflightLongTermSlope() {
        let growth = Double(UInt64(1) << UInt64(probeUpRounds))
        probeUpRounds = min(probeUpRounds + 1, 30)
        probeUpAckedPerIncrement = max(window / growth, datagram)
    }

    /// ProbeInflightLongtermUpward()
    private mutating func probeInflightLongTermUpward(_ sample: PathSample) {
        guard isWindowLimited, window >= inflightLongTerm else { return }
        probeUpAcked += Double(sample.newlyAcked)
        if probeUpAcked >= probeUpAckedPerIncrement {
            let steps = (probeUpAcked / probeUpAckedPerIncrement).rounded(.down)
            probeUpAcked -= steps * probeUpAckedPerIncrement
            inflightLongTerm = min(inflightLongTerm + steps * datagram, Bound.window)
        }
        if isRoundStart { raiseInflightLongTermSlope() }
    }
}
