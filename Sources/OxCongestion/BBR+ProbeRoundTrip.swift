import OxModel

extension BBR {
    /// UpdateMinRTT(). A round-trip time of zero cannot be true; the draft's test is for the -1 that stands for none.
    ///
    /// Beyond the draft (`trustsUnloadedRoundTrips`): a sample within 1/64 of BBR.min_rtt, but 50 us at least, shows that there is
    /// no queue and that the minimum still holds, so it renews both stamps and not the values: they cannot drift. A path that is
    /// used at its rate without a queue is then spared ProbeRTT, which costs 300 ms paths twice the 2 % that the draft plans.
    mutating func updateMinRoundTrip(_ sample: PathSample, now: Instant) {
        let roundTrip = sample.roundTrip.flatMap { $0 > .zero ? $0 : nil }
        if extensions.trustsUnloadedRoundTrips, let roundTrip, let known = minRoundTrip, let delay = probeMinDelay,
            roundTrip <= known + max(known / 64, .microseconds(50))
        {
            probeMinStamp = now
            minRoundTripStamp = now
            probeMinDelay = min(delay, roundTrip)
        }
        isProbeRoundTripExpired = now > probeMinStamp + Draft.probeRoundTripInterval
        if let roundTrip, probeMinDelay.map({ roundTrip < $0 }) ?? true || isProbeRoundTripExpired {
            probeMinDelay = roundTrip
            probeMinStamp = now
        }
        let isExpired = now > minRoundTripStamp + Draft.minRoundTripWindow && isMinimumCredible(sample)
        if let delay = probeMinDelay, minRoundTrip.map({ delay < $0 }) ?? true || isExpired {
            minRoundTrip = delay
            minRoundTripStamp = probeMinStamp
        }
    }

    /// Beyond the draft (`trustsUnloadedRoundTrips`): beyond what counts as no queue the minimum rises only by what a flight as small as
    /// that of ProbeRTT has seen. Where a radio link stops for seconds ProbeRTT cannot drain it in time, and its queue would become the
    /// path's round trip.
    private func isMinimumCredible(_ sample: PathSample) -> Bool {
        guard extensions.trustsUnloadedRoundTrips, let delay = probeMinDelay else { return true }
        return delay <= queueDelay.threshold || Double(sample.inFlightAtSending) <= probeRoundTripWindow + datagram
    }

    /// CheckProbeRTT()
    mutating func checkProbeRoundTrip(_ sample: PathSample, now: Instant) {
        if state != .probeRoundTrip, isProbeRoundTripExpired, !isIdleRestart {
            // SaveCwnd() tells ProbeRTT from the states before it, so it comes first; the pseudocode enters before it saves.
            saveWindow()
            state = .probeRoundTrip
            probeRoundTripDone = nil
            ackPhase = .probeStopping
            startRound(sample)
        }
        if state == .probeRoundTrip { handleProbeRoundTrip(sample, now: now) }
        if sample.rateDelivered > 0 { isIdleRestart = false }
    }

    /// HandleProbeRTT()
    private mutating func handleProbeRoundTrip(_ sample: PathSample, now: Instant) {
        markConnectionLimited(sample)
        if probeRoundTripDone == nil {
            guard Double(sample.inFlight) <= probeRoundTripWindow else { return }
            probeRoundTripDone = now + Draft.probeRoundTripDuration
            isProbeRoundTripRoundDone = false
            startRound(sample)
        } else {
            if isRoundStart { isProbeRoundTripRoundDone = true }
            if isProbeRoundTripRoundDone { checkProbeRoundTripDone(sample, now: now) }
        }
    }

    /// CheckProbeRTTDone()
    mutating func checkProbeRoundTripDone(_ sample: PathSample, now: Instant) {
        guard let done = probeRoundTripDone, now > done else { return }
        probeMinStamp = now
        restoreWindow()
        exitProbeRoundTrip(sample, now: now)
    }

    /// ExitProbeRTT()
    private mutating func exitProbeRoundTrip(_ sample: PathSample, now: Instant) {
        resetShortTermModel()
        if isFullBandwidthReached {
            startProbeBandwidthDown(sample, now: now)
            startProbeBandwidthCruise()
        } else {
            enterStartup()
        }
    }

    /// MarkConnectionAppLimited(), which the core does not do for ProbeRTT: the same samples are recognized here. One that was sent
    /// while C.delivered was between the marking and the end of the phase is limited.
    private mutating func markConnectionLimited(_ sample: PathSample) {
        let (sum, overflow) = sample.delivered.addingReportingOverflow(sample.inFlight)
        let end = overflow ? UInt64.max : max(sum, 1)
        if let marked = markedLimited, sample.delivered <= marked.upperBound {
            markedLimited = min(marked.lowerBound, end)...max(end, marked.upperBound)
        } else {
            markedLimited = min(sample.delivered, end)...end
        }
    }
}
