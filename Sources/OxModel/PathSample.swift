/// What one feedback, or a timer, says of a path: the rate sample of draft-ietf-ccwg-bbr (RS) and, as of now, its connection (C).
/// Bytes are those of the UDP payload of datagrams that want feedback.
public struct PathSample: Equatable, Sendable {
    /// When the feedback was read, or the timer looked at. Nil in what is no worker's.
    public var at: Instant?
    /// Of the newest datagram that is acknowledged now (RS.rtt).
    public var roundTrip: Duration?
    /// RFC 6298 SRTT and RTTVAR after it; nil before the first sample.
    public var smoothedRoundTrip: Duration?
    public var roundTripVariance: Duration?
    /// C.delivered and C.lost: in all.
    public var delivered: UInt64 = 0
    public var lost: UInt64 = 0
    /// C.inflight, after and before.
    public var inFlight: UInt64 = 0
    public var priorInFlight: UInt64 = 0
    public var newlyAcked: UInt64 = 0
    public var newlyLost: UInt64 = 0
    /// Of `newlyAcked`: what had been taken for lost, spuriously.
    public var newlyLate: UInt64 = 0
    /// RS.delivery_rate; nil when there is no reliable one.
    public var rate: Rate?
    /// RS.delivered and RS.interval.
    public var rateDelivered: UInt64 = 0
    public var interval: Duration = .zero
    /// RS.prior_delivered: C.delivered when the newest acknowledged datagram was sent, and when that was. Nil: nothing was acknowledged.
    public var priorDelivered: UInt64 = 0
    public var sent: Instant?
    /// RS.tx_in_flight and RS.lost, of the same datagram.
    public var inFlightAtSending: UInt64 = 0
    public var lostSince: UInt64 = 0
    /// RS.is_app_limited.
    public var isAppLimited = false
    /// The first datagram at whose loss more of its flight was lost than the limits allow.
    public var excess: ExcessLoss?
    /// Datagrams that arrived and that were lost since the last sample; and of the former, those that had been taken for lost.
    public var datagramsArrived: UInt64 = 0
    public var datagramsLost: UInt64 = 0
    public var datagramsLate: UInt64 = 0
    /// Runs of consecutive lost datagrams among those newly lost.
    public var lossRuns: UInt64 = 0
    /// When the newest of those was sent.
    public var lostSent: Instant?
    /// Datagrams that arrived with ECT(0), ECT(1) or CE, and with CE, since the last sample.
    public var ecnCapable: UInt64 = 0
    public var congestionMarked: UInt64 = 0
    /// The window was full at some time since the last sample (C.is_cwnd_limited).
    public var isWindowLimited = false
    /// Something was sent with nothing in flight, out of an app-limited phase, since the last sample.
    public var isRestart = false
    /// No feedback for so long that everything in flight is given up (RTO).
    public var isTimeout = false
    /// Bytes that wait in the path's queue, and bytes of gaming and realtime packets sent since the last sample.
    public var backlog: UInt64 = 0
    public var urgent: UInt64 = 0
    /// C.SMSS.
    public var largestDatagram: UInt64 = 1200

    public struct ExcessLoss: Equatable, Sendable {
        /// C.inflight when it was sent.
        public var inFlightAtSending: UInt64
        /// Lost since then, itself included.
        public var lostSince: UInt64
        public var bytes: UInt64

        public init(inFlightAtSending: UInt64, lostSince: UInt64, bytes: UInt64) {
            self.inFlightAtSending = inFlightAtSending
            self.lostSince = lostSince
            self.bytes = bytes
        }
    }

    public init() {}
}

/// What a path may send. Nil is no limit.
public struct PathLimits: Equatable, Sendable {
    /// C.pacing_rate.
    public var pacingRate: Rate?
    /// Pacing from a restart out of idleness up to the next limits: BBR's with a gain of 1. Nil: `pacingRate`.
    public var restartRate: Rate?
    /// C.cwnd, in bytes.
    public var window: UInt64?
    /// C.send_quantum, in bytes.
    public var quantum: UInt64
    /// The share of a flight whose loss is too much (BBR.LossThresh).
    public var lossThreshold: Double
    /// Gaming and realtime packets may go ahead of the pacing, up to a tenth of the rate.
    public var urgentGoAhead: Bool
    /// How long packets of a class wait for company in their datagram. None: not at all.
    public var holds: [TrafficClass: Duration]
    /// When the sample was taken that they answer.
    public var answering: Instant?

    public init(
        pacingRate: Rate? = nil, restartRate: Rate? = nil, window: UInt64? = nil, quantum: UInt64 = 65_000,
        lossThreshold: Double = 0.02, urgentGoAhead: Bool = false, holds: [TrafficClass: Duration] = [:]
    ) {
        self.pacingRate = pacingRate
        self.restartRate = restartRate
        self.window = window
        self.quantum = quantum
        self.lossThreshold = lossThreshold
        self.urgentGoAhead = urgentGoAhead
        self.holds = holds
        answering = nil
    }

    public static let none = PathLimits()
}
