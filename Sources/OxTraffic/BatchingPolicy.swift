public import OxModel

/// How long packets wait for company that shares their datagram. Gaming and realtime packets never do; the others wait only
/// when that was measured to pay: now and then a hold is tried for a second, and kept for as long as it saves enough bytes on
/// the wire and the load is such that company comes. What did not pay is tried again later and later.
///
/// Of one path. Knows no clock: `observe` is called several times a second while there is traffic, and the holds are in force
/// until the next call.
public struct BatchingPolicy: Sendable {
    public enum Mode: String, CaseIterable, Sendable {
        case off
        /// Always as long as the load allows.
        case on
        /// When it was measured to pay.
        case auto
    }

    /// So many packets of one datagram wait no more.
    public static let packetsMost = 64

    public let mode: Mode
    private var pace = Pace()
    private var phase: Phase
    /// The last whole second without a hold.
    private var without: Load?
    /// From one trial to the next.
    private var pause = BatchingPolicy.pauseLeast

    public init(_ mode: Mode, now: Instant) {
        self.mode = mode
        phase = .resting(Load(), trialAfter: now + BatchingPolicy.pauseLeast)
    }

    /// Takes what passed since the last call.
    ///
    /// - Returns: whether `holds` has changed.
    @discardableResult
    public mutating func observe(_ load: Load, now: Instant) -> Bool {
        let before = hold
        pace.observe(load)
        if mode == .auto { advance(load, now) }
        return hold != before
    }

    /// For each class, how long its packets wait at most.
    public var holds: [TrafficClass: Duration] {
        let hold = hold
        return Dictionary(uniqueKeysWithValues: TrafficClass.allCases.map { ($0, $0.isUrgent ? .zero : hold) })
    }

    /// Of classes that are not urgent.
    public var hold: Duration {
        switch mode {
        case .off: .zero
        case .on: pace.limit
        case .auto: phase.holds ? pace.limit : .zero
        }
    }
}

extension BatchingPolicy {
    /// What measuring and deciding take. A first trial comes ten seconds after the start, others at most this rarely.
    static let pauseLeast = Duration.seconds(10)
    static let pauseMost = Duration.seconds(640)
    /// Of each measurement.
    static let trial = Duration.seconds(1)
    /// A hold that is kept is left out for a second this often, so that it is compared with what is true today.
    static let controlEvery = Duration.seconds(60)
    /// The share of wire bytes that makes a hold worth its wait: to begin with, and to go on.
    static let payingShare = 0.10
    static let keepingShare = 0.08
    /// A hold that slows down what it waits for, below this share of the packets, does not pay.
    static let slowedShare = 0.8
    /// Packets that come within a hold on average, below which nobody waits for them.
    static let companyLeast = 0.5
    /// Packets without which a second says nothing.
    static let packetsLeast: UInt64 = 100

    private enum Phase: Sendable {
        /// No hold. What has passed since the last whole second.
        case resting(Load, trialAfter: Instant)
        case trying(Load)
        /// What has passed since the last whole second, and when the hold is left out again.
        case holding(Load, controlAfter: Instant)
        /// Without the hold that is kept, for comparison.
        case comparing(Load)

        var holds: Bool {
            switch self {
            case .resting, .comparing: false
            case .trying, .holding: true
            }
        }
    }

    private mutating func advance(_ load: Load, _ now: Instant) {
        switch phase {
        case .resting(let sum, let trialAfter):
            let second = sum + load
            guard second.interval >= Self.trial else { return phase = .resting(second, trialAfter: trialAfter) }
            without = second
            phase = now >= trialAfter && mayPay(second) ? .trying(Load()) : .resting(Load(), trialAfter: trialAfter)
        case .trying(let sum):
            let second = sum + load
            guard second.interval >= Self.trial else { return phase = .trying(second) }
            judgeTrial(second, now)
        case .holding(let sum, let controlAfter):
            let second = sum + load
            guard second.interval >= Self.trial else { return phase = .holding(second, controlAfter: controlAfter) }
            if !paysStill(second) {
                rest(for: pause, now)
            } else if now >= controlAfter {
                phase = .comparing(Load())
            } else {
                phase = .holding(Load(), controlAfter: controlAfter)
            }
        case .comparing(let sum):
            let second = sum + load
            guard second.interval >= Self.trial else { return phase = .comparing(second) }
            without = second
            if mayPay(second) {
                phase = .holding(Load(), controlAfter: now + Self.controlEvery)
            } else {
                rest(for: pause, now)
            }
        }
    }

    private mutating func judgeTrial(_ second: Load, _ now: Instant) {
        // Of a trial that fell into a silence nothing is learned, neither for the hold nor against it.
        guard let without, second.packets >= Self.packetsLeast, second.interval < Self.trial * 2 else {
            return rest(for: Self.pauseLeast, now)
        }
        let saved = second.savedShare(against: without) ?? 0
        let isSlowed = second.packetsPerSecond < without.packetsPerSecond * Self.slowedShare
        if saved >= Self.payingShare, !isSlowed {
            pause = Self.pauseLeast
            phase = .holding(Load(), controlAfter: now + Self.controlEvery)
        } else {
            pause = min(pause * 2, Self.pauseMost)
            rest(for: pause, now)
        }
    }

    private mutating func rest(for pause: Duration, _ now: Instant) {
        phase = .resting(Load(), trialAfter: now + pause)
    }

    /// Whether company would come, and whether even packets that all share datagrams would save enough.
    private func mayPay(_ second: Load) -> Bool {
        guard second.packets >= Self.packetsLeast, bringsCompany(second), second.wireBytes > 0 else { return false }
        return second.overhead * Double(second.packets) / Double(second.wireBytes) >= Self.payingShare
    }

    private func paysStill(_ second: Load) -> Bool {
        guard let without, bringsCompany(second), let saved = second.savedShare(against: without) else { return false }
        return saved >= Self.keepingShare
    }

    private func bringsCompany(_ second: Load) -> Bool {
        second.packetsPerSecond * pace.limit.inSeconds >= Self.companyLeast
    }
}

/// The owner's limits of a hold by the packets in a second.
private struct Pace: Sendable {
    private static let bands: [(above: Double, limit: Duration)] = [
        (10_000, .microseconds(500)), (1_000, .milliseconds(1)), (0, .milliseconds(2)),
    ]
    /// A pace that falls leaves its band this far below it, so that one at the edge does not change the limit each time.
    private static let leaving = 0.8

    private var band = Pace.bands.count - 1

    var limit: Duration { Pace.bands[band].limit }

    mutating func observe(_ load: Load) {
        guard load.interval > .zero else { return }
        let pace = load.packetsPerSecond
        let entered = Pace.bands.firstIndex { pace > $0.above } ?? Pace.bands.count - 1
        if entered < band || pace < Pace.bands[band].above * Pace.leaving { band = entered }
    }
}
