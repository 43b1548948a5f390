public import OxModel

/// Congestion control of one path: BBRv3 after draft-ietf-ccwg-bbr, whose names stand beside ours.
///
/// A value that knows no socket, thread or clock: samples go in, limits come out. Volumes are bytes and rates bytes per second, as
/// `Double`: the draft's Infinity is `.infinity`, and nothing overflows. The gains of a state are looked up in it
/// (``State/pacingGain(isGaming:)``) where the draft assigns them on each transition; its ExitProbeRTT() forgets to.
///
/// The draft's per-loss steps (HandleLostPacket()) are run once a sample: the core's ledger walks over the lost datagrams and says of
/// which first the flight lost too much, ``OxModel/PathSample/excess``. Recovery is an epoch as in RFC 9002: from a loss until a
/// datagram is acknowledged that was sent after it.
public struct BBR: Sendable {
    /// BBR.state
    public internal(set) var state: State = .startup
    /// Realtime play comes first: probes are smaller and rarer, the queue that they may build is shorter.
    public var isGaming = false
    /// Scales the pacing, when something can foresee the path: 0.9 to 1.1.
    public var pacingScale = 1.0 {
        didSet { pacingScale = pacingScale.isFinite ? pacingScale.clamped(to: Bound.pacingScale) : 1 }
    }
    /// Where this goes beyond the draft.
    public var extensions: Extensions

    // C: the connection.
    var datagram: Double  // C.SMSS
    var window: Double  // C.cwnd
    var pacing: Double  // C.pacing_rate
    var quantum: Double  // C.send_quantum
    var deliveredBefore: UInt64?  // C.delivered when this began
    var dice: ProbeDice

    // Core state and the model of the path.
    var roundCount: UInt64 = 0
    var isRoundStart = false
    var nextRoundDelivered: UInt64 = 0
    /// C.is_cwnd_limited holds for a round: the round in which the window was last full.
    var windowLimitedRound: UInt64?
    var isIdleRestart = false
    var drainStartRound: UInt64 = 0
    var bandwidthFilter = BandwidthFilter()
    var maxBandwidth: Double { bandwidthFilter.maximum }  // BBR.max_bw
    var bandwidth = 0.0  // BBR.bw
    var bandwidthShortTerm = Double.infinity
    var inflightShortTerm = Double.infinity
    var inflightLongTerm = Double.infinity
    var maxInflight = 0.0
    var extraAcked = 0.0
    var extraAckedFilter = WindowedMaximum()
    var extraAckedStart: Instant
    var extraAckedDelivered = 0.0

    // Congestion signals.
    var bandwidthLatest = 0.0
    var inflightLatest = 0.0
    var isLossInRound = false
    var lossRoundDelivered: UInt64 = 0
    var isLossRoundStart = false
    var lossRunsInRound: UInt64 = 0
    var marks = MarkedTraffic()
    var randomLoss = RandomLoss()
    var queueDelay = QueueDelay()

    // Startup: the search for a full pipe.
    var isFullBandwidthReached = false
    var isFullBandwidthNow = false
    var fullBandwidth = 0.0
    var fullBandwidthCount = 0
    /// What a start from memory asks for, until a round has shown whether it gets it; and whether it lost much.
    var unprovenRate: Double?
    /// The pacing was never reckoned with a round-trip time.
    var isPacingGuessed = false
    var isStartLossy = false

    // ProbeBW.
    var ackPhase = AckPhase.initial
    var isProbeSample = false  // BBR.is_bw_probe_sample
    var probeUpAcked = 0.0
    var probeUpAckedPerIncrement = Double.infinity
    var probeUpRounds = 0
    var roundsSinceProbeUp: UInt64 = 0
    var probeWait = Duration.zero
    var cycleStart: Instant
    var wasProbeTooHigh = false  // BBR.prev_probe_too_high
    var wasProbePrecautionary = false

    // ProbeRTT.
    var minRoundTrip: Duration?
    var minRoundTripStamp: Instant
    var probeMinDelay: Duration?
    var probeMinStamp: Instant
    var isProbeRoundTripExpired = false
    var probeRoundTripDone: Instant?  // BBR.probe_rtt_done_stamp
    var isProbeRoundTripRoundDone = false
    /// MarkConnectionAppLimited() in ProbeRTT: datagrams sent while C.delivered was in here carry limited samples.
    var markedLimited: ClosedRange<UInt64>?

    // Recovery and its undoing.
    var priorWindow = 0.0
    var recoveryStart: Instant?
    var episode = LossEpisode()
    var undo = UndoState()

    // For status and memory.
    var smoothedRoundTrip: Duration?
    var roundTripVariance: Duration?
    var lastRate: Instant?

    /// OnInit(). `roundTrip` is the handshake's; `remembered` what an earlier session learned of the same path or destination.
    public init(
        largestDatagram: UInt64, roundTrip: Duration? = nil, remembered: PathMemory? = nil, seed: UInt64, now: Instant,
        extensions: Extensions = Extensions()
    ) {
        self.extensions = extensions
        datagram = Double(largestDatagram.clamped(to: 1...1 << 20))
        dice = ProbeDice(seed: seed)
        extraAckedStart = now
        cycleStart = now
        minRoundTripStamp = now
        probeMinStamp = now
        minRoundTrip = roundTrip.flatMap { $0 > .zero ? $0 : nil }
        smoothedRoundTrip = minRoundTrip
        window = BBR.initialWindow(datagram)
        // InitPacingRate()
        pacing = Draft.startupPacingGain * window / (minRoundTrip?.inSeconds ?? 0.001)
        isPacingGuessed = minRoundTrip == nil
        quantum = 2 * datagram
        if let remembered = remembered?.aged(at: now) { startFromMemory(remembered) }
        setSendQuantum()
    }

    /// UpdateOnACK() and the per-loss steps: of every feedback, and of a timer that gave datagrams up.
    public mutating func onSample(_ given: PathSample, now: Instant) -> PathLimits {
        var sample = given
        datagram = Double(sample.largestDatagram.clamped(to: 1...1 << 20))
        if deliveredBefore == nil { deliveredBefore = sample.delivered - min(sample.newlyAcked, sample.delivered) }
        smoothedRoundTrip = sample.smoothedRoundTrip ?? smoothedRoundTrip
        roundTripVariance = sample.roundTripVariance ?? roundTripVariance
        if let limited = markedLimited, sample.sent != nil, limited.contains(sample.priorDelivered) {
            sample.isAppLimited = true
        }
        if sample.isWindowLimited { windowLimitedRound = roundCount }
        if extensions.measuresThroughQueue, isQueueOurs(sample) { sample.isAppLimited = false }
        setFirstPacing(sample)
        if sample.isRestart { handleRestartFromIdle(sample, now: now) }
        noteLate(sample, now: now)
        noteLosses(sample, now: now)
        isRoundStart = false
        isLossRoundStart = false
        if sample.sent != nil {
            updateModelAndState(sample, now: now)
            endRecovery(sample)
        }
        updateControlParameters(sample)
        return limits
    }

    /// UpdateModelAndState()
    private mutating func updateModelAndState(_ sample: PathSample, now: Instant) {
        updateLatestDeliverySignals(sample)
        updateCongestionSignals(sample, now: now)
        updateAckAggregation(sample, now: now)
        checkFullBandwidthReached(sample)
        checkStartupDone(sample)
        checkDrainDone(sample, now: now)
        updateProbeBandwidthPhase(sample, now: now)
        updateMinRoundTrip(sample, now: now)
        checkProbeRoundTrip(sample, now: now)
        advanceLatestDeliverySignals(sample)
        boundBandwidthForModel()
    }

    /// What the path may send now.
    ///
    /// Where the path's rate changes, what a queue forbids is taken off here and not from C.cwnd: that would have to grow again,
    /// acknowledgement by acknowledgement, when the rate has long come back.
    public var limits: PathLimits {
        let scaled = (pacing * pacingScale).clamped(to: Bound.lowestRate...Bound.highestRate)
        var limits = PathLimits(
            pacingRate: Rate(bytesPerSecond: UInt64(scaled)),
            window: UInt64(min(window, windowCapForQueue).clamped(to: Draft.minimumWindow * datagram...Bound.window)),
            quantum: UInt64(quantum), lossThreshold: lossThreshold, urgentGoAhead: isGaming)
        if case .probeBandwidth = state {
            let restart = bandwidth * Draft.pacingShare * pacingScale
            limits.restartRate = Rate(bytesPerSecond: UInt64(restart.clamped(to: Bound.lowestRate...Bound.highestRate)))
        }
        return limits
    }

    static func initialWindow(_ datagram: Double) -> Double {
        max(min(Bound.initialDatagrams * datagram, max(14_720, 2 * datagram)), Draft.minimumWindow * datagram)
    }
}

extension BBR {
    /// Where the design goes beyond the draft. All of it can be taken out, and is where conformance is tested.
    public struct Extensions: Equatable, Sendable {
        /// A path that loses the same share however slowly it is used is lossy by itself, and one that loses without a queue when it
        /// is used faster is policed: see ``RandomLoss``.
        public var toleratesRandomLoss: Bool
        /// No ProbeRTT while samples without a queue keep confirming the minimum: see `updateMinRoundTrip`.
        public var trustsUnloadedRoundTrips: Bool
        /// A queue that the window's gain of 2 does not explain shortens the window: see ``QueueDelay``.
        public var boundsQueueDelay: Bool
        /// A probe that only builds a queue ends after one round instead of three: see `isOwnQueueSeen`.
        public var endsProbesAtOwnQueue: Bool
        /// Where even the quickest datagrams meet a queue the bottleneck is never idle, and the rate that is measured is its own, however
        /// often the sender had nothing to send: such samples are not app-limited. Otherwise a Startup or a probe that an application
        /// interrupts now and then, as TCP inside a tunnel does, goes on for ever, with its gains and its queue.
        public var measuresThroughQueue: Bool
        /// The initial pacing is reckoned anew with the first round-trip time that is measured, as in Linux: that of the draft assumes
        /// 1 ms where none is known.
        public var pacesByFirstRoundTrip: Bool

        public init(
            toleratesRandomLoss: Bool = true, trustsUnloadedRoundTrips: Bool = true, boundsQueueDelay: Bool = true,
            endsProbesAtOwnQueue: Bool = true, measuresThroughQueue: Bool = true, pacesByFirstRoundTrip: Bool = true
        ) {
            self.measuresThroughQueue = measuresThroughQueue
            self.pacesByFirstRoundTrip = pacesByFirstRoundTrip
            self.toleratesRandomLoss = toleratesRandomLoss
            self.trustsUnloadedRoundTrips = trustsUnloadedRoundTrips
            self.boundsQueueDelay = boundsQueueDelay
            self.endsProbesAtOwnQueue = endsProbesAtOwnQueue
        }

        /// The draft and nothing else.
        public static let none = Extensions(
            toleratesRandomLoss: false, trustsUnloadedRoundTrips: false, boundsQueueDelay: false,
            endsProbesAtOwnQueue: false, measuresThroughQueue: false, pacesByFirstRoundTrip: false)
    }
}

extension Comparable {
    func clamped(to range: ClosedRange<Self>) -> Self { min(max(self, range.lowerBound), range.upperBound) }
}
