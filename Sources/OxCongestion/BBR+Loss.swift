import OxModel

extension BBR {
    /// The losses of one recovery, and how much of them came late after all.
    struct LossEpisode: Sendable {
        var start: Instant?
        var lost: UInt64 = 0
        var late: UInt64 = 0

        /// All of it came, but for one part in sixteen: among reordered datagrams one may be truly lost.
        var isSpurious: Bool { lost > 0 && late >= lost - lost / 16 }
    }

    /// What SaveStateUponLoss() saves.
    struct UndoState: Sendable {
        var state: State?
        var bandwidthShortTerm = 0.0
        var inflightShortTerm = 0.0
        var inflightLongTerm = 0.0
    }

    /// The per-loss steps, and OnEnterRTO(), OnEnterFastRecovery().
    mutating func noteLosses(_ sample: PathSample, now: Instant) {
        if sample.isTimeout {
            saveWindow()
            beginEpisode(now: now)
            window = Double(sample.inFlight) + datagram
        }
        guard sample.newlyLost > 0 else { return }
        if isNewEpisode(sample) {
            saveWindow()
            beginEpisode(now: now)
        }
        episode.lost &+= sample.newlyLost
        lossRunsInRound &+= max(1, sample.lossRuns)
        randomLoss.lost += Double(sample.newlyLost)
        randomLoss.lostInRound += Double(sample.newlyLost)
        noteLoss(sample)
        handleLostPacket(sample, now: now)
    }

    /// A loss begins a recovery unless the datagram left before the last one began (RFC 9002 section 7.3.2).
    private func isNewEpisode(_ sample: PathSample) -> Bool {
        guard recoveryStart == nil else { return false }
        guard let start = episode.start else { return true }
        return (sample.lostSent ?? start) > start
    }

    private mutating func beginEpisode(now: Instant) {
        recoveryStart = now
        episode = LossEpisode(start: now)
        // SaveStateUponLoss(): once an episode. The draft's NoteLoss() would do it again in each of its rounds, and so overwrite what
        // the undo is for with what the loss has already cut.
        undo = UndoState(
            state: nil, bandwidthShortTerm: bandwidthShortTerm, inflightShortTerm: inflightShortTerm,
            inflightLongTerm: inflightLongTerm)
    }

    /// NoteLoss()
    private mutating func noteLoss(_ sample: PathSample) {
        if !isLossInRound { lossRoundDelivered = sample.delivered }
        isLossInRound = true
        marks.isLossInCycle = true
    }

    /// HandleLostPacket(). The sample does not say whether the lost datagram was sent in an app-limited phase: what was acknowledged
    /// with it was sent next to it, and stands for it.
    private mutating func handleLostPacket(_ sample: PathSample, now: Instant) {
        guard isProbeSample, let excess = sample.excess else { return }
        var judged = sample
        judged.inFlightAtSending = excess.inFlightAtSending
        judged.lostSince = excess.lostSince
        guard isInflightTooHigh(judged) else { return }
        handleInflightTooHigh(judged, inflight: inflightAtLoss(excess), now: now)
    }

    /// IsInflightTooHigh()
    func isInflightTooHigh(_ sample: PathSample) -> Bool {
        Double(sample.lostSince) > Double(sample.inFlightAtSending) * lossThreshold
    }

    /// InflightAtLoss()
    private func inflightAtLoss(_ excess: PathSample.ExcessLoss) -> Double {
        let size = Double(excess.bytes)
        let inflightBefore = max(0, Double(excess.inFlightAtSending) - size)
        let lostBefore = max(0, Double(excess.lostSince) - size)
        let lostPrefix = (lossThreshold * inflightBefore - lostBefore) / (1 - lossThreshold)
        return inflightBefore + lostPrefix.clamped(to: 0...size)
    }

    /// HandleInflightTooHigh()
    mutating func handleInflightTooHigh(_ sample: PathSample, inflight: Double, now: Instant) {
        wasProbeTooHigh = true
        isProbeSample = false
        if !sample.isAppLimited { inflightLongTerm = max(inflight, targetInflight * Draft.beta) }
        if state == .probeBandwidth(.up) {
            undo.state = state
            startProbeBandwidthDown(sample, now: now)
        }
    }

    /// AdaptLowerBoundsFromCongestion(), with the marks of Google's v3.
    mutating func adaptLowerBoundsFromCongestion() {
        guard !state.isProbing else { return }
        let isLoss = isLossInRound && !isLossTolerable
        guard isLoss || marks.isInRound else { return }
        // InitLowerBounds()
        if !inflightShortTerm.isFinite { inflightShortTerm = window }
        let marked = marks.isInRound ? inflightShortTerm * (1 - marks.alpha * Marks.factor) : .infinity
        if isLoss {
            if !bandwidthShortTerm.isFinite { bandwidthShortTerm = maxBandwidth }
            // LossLowerBounds()
            bandwidthShortTerm = max(bandwidthLatest, Draft.beta * bandwidthShortTerm)
            inflightShortTerm = max(inflightLatest, Draft.beta * inflightShortTerm)
            randomLoss.noteCut()
            forgetBandwidthIfPoliced()
        }
        inflightShortTerm = max(minimumWindow, min(inflightShortTerm, marked))
    }

    /// ResetShortTermModel()
    mutating func resetShortTermModel() {
        bandwidthShortTerm = .infinity
        inflightShortTerm = .infinity
    }

    /// Recovery is over once something is acknowledged that was sent after it began.
    mutating func endRecovery(_ sample: PathSample) {
        guard let start = recoveryStart, let sent = sample.sent, sent > start else { return }
        recoveryStart = nil
        restoreWindow()
    }

    /// Takes back a recovery whose losses came late after all.
    mutating func noteLate(_ sample: PathSample, now: Instant) {
        guard sample.newlyLate > 0 else { return }
        episode.late &+= sample.newlyLate
        guard episode.isSpurious else { return }
        handleSpuriousLoss(sample, now: now)
    }

    /// HandleSpuriousLossDetection()
    private mutating func handleSpuriousLoss(_ sample: PathSample, now: Instant) {
        recoveryStart = nil
        episode.lost = 0
        episode.late = 0
        restoreWindow()
        isLossInRound = false
        resetFullBandwidth()
        bandwidthShortTerm = max(bandwidthShortTerm, undo.bandwidthShortTerm)
        inflightShortTerm = max(inflightShortTerm, undo.inflightShortTerm)
        inflightLongTerm = max(inflightLongTerm, undo.inflightLongTerm)
        if undo.state == .startup, state != .startup {
            isFullBandwidthReached = false
            if state != .probeRoundTrip { enterStartup() }
        } else if undo.state == .probeBandwidth(.up), state != .probeBandwidth(.up), state != .probeRoundTrip {
            startProbeBandwidthRefill(sample)
        }
        undo.state = nil
    }

    /// SaveCwnd()
    mutating func saveWindow() {
        if recoveryStart == nil, state != .probeRoundTrip {
            priorWindow = window
        } else {
            priorWindow = max(priorWindow, window)
        }
    }

    /// RestoreCwnd()
    mutating func restoreWindow() { window = max(window, priorWindow) }
}
