import OxModel

/// What feedback said of a path's losses since it was last asked. Datagrams.
public struct LossReport: Equatable, Sendable {
    public var arrived: UInt64
    public var lost: UInt64
    /// Runs of consecutive ones among those lost.
    public var runs: UInt64
    /// Of those that arrived: what had been taken for lost.
    public var late: UInt64

    public init(arrived: UInt64 = 0, lost: UInt64 = 0, runs: UInt64 = 0, late: UInt64 = 0) {
        self.arrived = arrived
        self.lost = lost
        self.runs = runs
        self.late = late
    }
}

/// How many datagrams a path loses, and how many in a row. Remembers some seconds, but for a sudden change it forgets what was before,
/// and after a while without any loss it knows nothing but that.
struct RedundancyEstimate: Sendable {
    /// The memory of what goes on as it was.
    static let memory = Duration.seconds(15)
    /// Traffic without loss makes a clean link: of one that then lost again all the same, twice as much, and at most so much.
    static let cleanAfter = Duration.milliseconds(4500)
    private static let cleanAfterMost = Duration.seconds(10)
    /// Without loss for so long, what it did before does not count.
    private static let trustAfter = Duration.seconds(30)
    /// The reports among which a sudden change is looked for.
    static let recentMost = 8
    /// A gap between reports counts as so much traffic at most: silence says nothing of a link.
    private static let silence = Duration.milliseconds(500)
    /// Sudden is what is beyond chance by so many standard deviations, and by so much more than before.
    private static let deviations = 2.0
    private static let sudden = 1.2

    private struct Counts {
        var datagrams = 0.0
        var lost = 0.0
        var runs = 0.0

        static func + (a: Counts, b: Counts) -> Counts {
            Counts(datagrams: a.datagrams + b.datagrams, lost: a.lost + b.lost, runs: a.runs + b.runs)
        }
    }

    private var known = Counts()
    private var recent: [Counts] = []
    private var lastReport: Instant?
    /// Datagrams in a second.
    private(set) var pace = 0.0
    /// Traffic since the last loss. Nil before the first.
    private(set) var cleanFor: Duration?

    private var patience = RedundancyEstimate.cleanAfter

    /// Nothing was lost for a while, or ever.
    var isClean: Bool { cleanFor.map { $0 >= patience } ?? true }

    mutating func observe(_ report: LossReport, now: Instant) {
        let counts = Counts(
            datagrams: Double(report.arrived + report.lost), lost: Double(report.lost), runs: Double(min(report.runs, report.lost)))
        let elapsed = lastReport.map { max(.zero, now - $0) } ?? .zero
        lastReport = now
        age(counts, by: elapsed)
        takeBack(late: Double(report.late))
        if report.lost > 0 {
            if let cleanFor, (patience..<Self.trustAfter).contains(cleanFor) { patience = min(patience * 2, Self.cleanAfterMost) }
            cleanFor = .zero
        } else if let clean = cleanFor {
            cleanFor = clean + min(elapsed, Self.silence)
            if cleanFor.map({ $0 >= Self.trustAfter }) ?? false { patience = Self.cleanAfter }
        }
        recent.append(counts)
        if recent.count > Self.recentMost { recent.removeFirst() }
        if isClean { forgetLosses() } else { lookForChange() }
    }

    /// The share that is lost. A little more than what was counted, the less is known the more: too much redundancy costs bytes, too
    /// little packets.
    var loss: Double {
        guard known.lost > 0, known.datagrams > 0 else { return 0 }
        return min(1, (known.lost + 0.5 * known.lost.squareRoot()) / known.datagrams)
    }

    /// Lost in a row on average; a few short ones are taken for granted beforehand.
    var burst: Double { (known.lost + 2.6) / (known.runs + 2) }

    private mutating func age(_ counts: Counts, by elapsed: Duration) {
        guard elapsed > .zero else { return known = known + counts }
        let keep = max(0, 1 - elapsed / Self.memory)
        known = Counts(datagrams: known.datagrams * keep, lost: known.lost * keep, runs: known.runs * keep) + counts
        let share = min(1, elapsed.inSeconds / 1.0)
        let present = counts.datagrams / max(elapsed.inSeconds, 1e-4)
        pace = pace == 0 ? present : pace + (present - pace) * share
    }

    /// What came after all was late, and not lost.
    private mutating func takeBack(late: Double) {
        guard late > 0, known.lost > 0 else { return }
        let left = max(0, known.lost - late)
        known.runs *= left / known.lost
        known.lost = left
    }

    /// So that the first loss of a link that was clean counts for what it may be the beginning of.
    private mutating func forgetLosses() {
        known = Counts(datagrams: min(known.datagrams, max(30, pace / 2)))
    }

    /// Whether the last reports, as many of them as say most, are worse than what was known.
    private mutating func lookForChange() {
        let before = known.datagrams > 0 ? known.lost / known.datagrams : 0
        var sum = Counts()
        var best: (bound: Double, counts: Counts)?
        for counts in recent.reversed() {
            sum = sum + counts
            guard sum.lost >= 3 else { continue }
            let burst = max(1, sum.lost / max(1, sum.runs))
            let bound = (sum.lost - Self.deviations * (sum.lost * burst).squareRoot()) / sum.datagrams
            if bound > best?.bound ?? 0 { best = (bound, sum) }
        }
        guard let best, best.bound > before * Self.sudden else { return }
        known = best.counts
        recent.removeAll(keepingCapacity: true)
    }
}
