import OxCongestion
import OxModel

/// A path of one bottleneck in virtual time, with a sender in front of it that obeys ``PathLimits`` and samples the delivery rate as
/// section 4.1 of the draft says: written apart from the production sampler, which is C. Deterministic from its seed.
final class PathModel {
    struct Link {
        /// Bytes per second, and the round trip without a queue.
        var rate: Double
        var roundTrip: Duration
        /// Bytes that may wait.
        var buffer: Double
        /// Share lost at random, behind the queue.
        var loss = 0.0
        var policer: Policer?
        /// Datagrams that leave the bottleneck come in slots of this length, as on radio links.
        var slot: Duration = .zero
        /// CE instead of waiting longer than this; nil never marks.
        var markAbove: Duration?
        /// Extra delay by the datagram's number, for reordering.
        var extraDelay: (@Sendable (UInt64) -> Duration)?
        /// Times of delivery of `opportunity` bytes each instead of a rate (as a mahimahi trace), repeated for ever.
        var trace: [UInt64] = []
        var opportunity = 1_504.0

        init(rate: Double, roundTrip: Duration, buffer: Double? = nil) {
            self.rate = rate
            self.roundTrip = roundTrip
            self.buffer = buffer ?? max(rate * roundTrip.inSeconds, 8 * 1_500)
        }
    }

    struct Policer {
        var rate: Double
        var bucket: Double
        var tokens: Double
        var last: UInt64 = 0

        init(rate: Double, bucket: Double) {
            self.rate = rate
            self.bucket = bucket
            tokens = bucket
        }

        mutating func admits(_ bytes: Double, at time: UInt64) -> Bool {
            tokens = min(bucket, tokens + rate * Double(time - last) / 1e9)
            last = time
            guard tokens >= bytes else { return false }
            tokens -= bytes
            return true
        }
    }

    struct Packet {
        var number: UInt64
        var size: UInt64
        var sent: UInt64
        var firstSent: UInt64
        var deliveredTime: UInt64
        var delivered: UInt64
        var lostBefore: UInt64
        var inFlightAtSending: UInt64
        var isAppLimited: Bool
        var fate = Fate.inFlight
        var isMarked = false
        enum Fate { case inFlight, acknowledged, lost }
    }

    var link: Link
    var bbr: BBR
    var now: UInt64 = 1_000_000_000
    let datagram: UInt64
    /// What the application offers, bytes per second; nil for all that may be sent.
    var offered: Double? { didSet { offeredSince = now; offeredLeft = 0 } }
    var reorderThreshold: UInt64 = 3
    var feedbackEvery = 2
    var feedbackDelay: UInt64
    var dice: TestDice

    // Sender.
    var limits: PathLimits
    var nextSend: UInt64 = 0
    var offeredSince: UInt64 = 0
    var offeredLeft = 0.0
    var isRestarted = false
    var isWaitingForApplication = false
    var isWindowLimited = false
    var flight = Flight()
    // Bottleneck: numbers that wait, and when the first of them is through.
    var queue: [(number: UInt64, size: UInt64, arrived: UInt64)] = []
    var queueHead = 0
    var queued = 0.0
    var serviceEnd: UInt64 = .max
    var traceLap: UInt64 = 0
    var traceIndex = 0
    var credit = 0.0
    // Receiver: arrivals in order of time, then the feedback under way.
    var arrivals: [(time: UInt64, number: UInt64)] = []
    var arrivalHead = 0
    var group: [UInt64] = []
    var groupDue: UInt64 = .max
    // Counts.
    var counts = Counts()
    /// Of each datagram that left the queue: how long it waited, in seconds.
    var waits: [Double] = []
    /// Called after each sample.
    var watch: ((PathModel, PathSample) -> Void)?

    struct Counts {
        var sent: UInt64 = 0
        var through: UInt64 = 0
        var dropped: UInt64 = 0
    }

    init(_ link: Link, datagram: UInt64 = 1_200, seed: UInt64 = 1, extensions: BBR.Extensions = .none, remembered: PathMemory? = nil,
        knowsRoundTrip: Bool = true
    ) {
        self.link = link
        self.datagram = datagram
        dice = TestDice(seed: seed)
        feedbackDelay = UInt64(min(max(link.roundTrip.wholeNanoseconds / 16, 50_000), 5_000_000))
        bbr = BBR(
            largestDatagram: datagram, roundTrip: knowsRoundTrip ? link.roundTrip : nil, remembered: remembered, seed: seed,
            now: Instant(nanoseconds: 1_000_000_000), extensions: extensions)
        limits = bbr.limits
        if link.trace.count > 0 { serviceEnd = now }
    }

    var instant: Instant { Instant(nanoseconds: now) }
    var state: BBR.State { bbr.state }
    var seconds: Double { Double(now - 1_000_000_000) / 1e9 }
    var queueSeconds: Double { queued / link.rate }

    func resetCounts() {
        counts = Counts()
        waits = []
    }

    /// Runs for so long, or until something is true; false when the time ran out first.
    @discardableResult
    func run(for duration: Duration, until done: ((PathModel) -> Bool)? = nil) -> Bool {
        let end = now + UInt64(duration.wholeNanoseconds)
        while true {
            if let done, done(self) { return true }
            send()
            let arrival = arrivalHead < arrivals.count ? arrivals[arrivalHead].time : UInt64.max
            let next = min(nextChance(), serviceEnd, arrival, groupDue, flight.timeoutDue)
            if next > end {
                now = end
                return false
            }
            now = max(now, next)
            if next == serviceEnd {
                serve()
            } else if next == arrival {
                receive()
            } else if next == groupDue {
                feedback()
            } else if next == flight.timeoutDue {
                timeOut()
            }
        }
    }
}

/// SplitMix64, as in every reference.
struct TestDice {
    var state: UInt64
    init(seed: UInt64) { state = seed &* 0x2545_F491_4F6C_DD1D &+ 1 }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
    mutating func unit() -> Double { Double(next() >> 11) / 9_007_199_254_740_992 }
}
