import OxModel

extension BBR {
    /// EnterDrain()
    mutating func enterDrain() {
        state = .drain
        drainStartRound = roundCount
    }

    /// CheckDrainDone()
    mutating func checkDrainDone(_ sample: PathSample, now: Instant) {
        guard state == .drain else { return }
        if Double(sample.inFlight) <= inflight(1) || roundCount > drainStartRound + 3 { enterProbeBandwidth(sample, now: now) }
    }
}
