import OxModel

/// The tool and its strength for one class: the least that brings the loss below the goal in time, or, where nothing does, the most that
/// is worth its bytes.
struct RedundancyPlan: Equatable, Sendable {
    /// What may decide it.
    struct Situation: Hashable, Sendable {
        var channel: RedundancyChannel
        /// Datagrams of the path in a second.
        var pace: Double
        var roundTrip: Duration?
        var goal: RedundancyGoal
        /// The sparse flows of the class: from one datagram to the next, and bytes of the UDP payload of one.
        var gap: Duration?
        var sparseBytes: Double
        /// Its other datagrams in a second, and bytes likewise.
        var densePace: Double
        var denseBytes: Double
    }

    private(set) var order: RepairOrder
    /// The goal cannot be met in time, or not at this cost: of sparse flows, and of the others.
    private(set) var fallsShort: Bool
    /// Of the packets that are not of sparse flows, more are lost than may be, and sending them again does not help.
    private(set) var needsWindow = false

    /// Without a pace of their own, sparse flows are taken for such a one, and the others for at least so fast.
    static let usualGap = Duration.milliseconds(16)
    static let usualPace = 500.0
    /// A class with fewer of the others in a second is taken to have sparse flows alone.
    private static let denseLeast = 20.0
    /// What a copy is shorter than the UDP payload whose packets it carries, what IPv4 and UDP add to a datagram, and what a repair
    /// datagram is longer than those that it covers.
    private static let spared = 34.0
    private static let outerBytes = 28.0
    private static let repairBytes = 25.0
    /// The shares of repair datagrams that there may be.
    static let shares = [0.05, 0.07, 0.1, 0.13, 0.16, 0.2, 0.25, 0.33, 0.4, 0.5]
    /// An additional copy that does not meet the goal must spare this share of what is left.
    private static let worthwhile = 0.1
    /// Models are models.
    private static let margin = 0.7

    init(_ situation: Situation) {
        let deadline = situation.goal.deadline(roundTrip: situation.roundTrip)
        order = RepairOrder(deadline: deadline + (situation.roundTrip ?? .zero) / 2)
        fallsShort = false
        guard situation.channel.loss > 0 else { return }
        let gap = situation.gap ?? Self.usualGap
        let densePace = max(situation.densePace, Self.usualPace)
        let denseGap = Duration.nanoseconds(Int64(1e9 / densePace))
        func isInTime(_ gap: Duration) -> Bool { Self.retransmissionLateness(situation.roundTrip, gap: gap) <= deadline }
        let sparseAgain = situation.goal.sparseCost > 0 && isInTime(gap)
        let denseAgain = situation.goal.denseCost > 0 && isInTime(denseGap)
        order.retransmits = sparseAgain || denseAgain
        // Sent again once, and lost again by chance alone: a round trip later bursts are over.
        planCopies(situation, gap: gap, deadline: deadline, after: sparseAgain ? situation.channel.loss : 1)
        planWindow(situation, pace: densePace, deadline: deadline, after: denseAgain ? situation.channel.loss : 1)
    }

    /// By how much a packet that is sent again is late: the next one shows that it is missing, feedback leaves at once, and it must be an
    /// eighth of a round trip overdue (RFC 9002 section 6.1.2).
    static func retransmissionLateness(_ roundTrip: Duration?, gap: Duration) -> Duration {
        guard let roundTrip else { return .seconds(3600) }
        return roundTrip + max(gap, roundTrip / 8) + answerWait
    }

    private static let answerWait = Duration.milliseconds(3)

    private mutating func planCopies(_ situation: Situation, gap: Duration, deadline: Duration, after left: Double) {
        let target = situation.goal.residual * Self.margin
        guard situation.channel.loss * left > target else { return }
        let farthest = min(RepairOrder.offsetMost, Int((deadline / gap) + 0.03))
        let each = max(8, situation.sparseBytes - Self.spared) / (situation.sparseBytes + Self.outerBytes)
        let most = min(RepairOrder.copiesMost, Int(situation.goal.sparseCost / each + 1e-9), farthest)
        guard most > 0 else { return fallsShort = situation.gap != nil }
        let spacing = max(1, situation.pace * gap.inSeconds)
        // That the losses are what they are taken for is not certain: chance alone counts for half.
        let chance = RedundancyChannel(loss: situation.channel.loss, persistence: 0)
        var chosen: (offsets: [Int], residual: Double)?
        for count in 1...most {
            var best: (offsets: [Int], residual: Double)?
            for offsets in Self.offsets(count, upTo: farthest) {
                let residual =
                    left * (situation.channel.residual(copies: offsets, spacing: spacing)
                        + chance.residual(copies: offsets, spacing: spacing)) / 2
                // Sooner is better where it is as good.
                if best.map({ residual < $0.residual * 0.95 }) ?? true { best = (offsets, residual) }
            }
            guard let best else { break }
            if let chosen, best.residual > chosen.residual * (1 - Self.worthwhile) { break }
            chosen = best
            if best.residual <= target { break }
        }
        guard let chosen else { return }
        order.copies = chosen.offsets
        fallsShort = situation.gap != nil && chosen.residual > situation.goal.residual
    }

    /// Repair packets take at least this share of the bytes of the others.
    mutating func raiseWindow(toBytes share: Double, _ situation: Situation) {
        guard needsWindow, order.window >= 2, let most = Self.shares(upTo: situation).last else { return }
        order.windowShare = max(order.windowShare, min(Self.windowShare(ofBytes: share, of: situation.denseBytes), most))
    }

    /// Repair datagrams are a little longer than those of so many bytes that they repair.
    static func windowShare(ofBytes share: Double, of bytes: Double) -> Double {
        share * (bytes + outerBytes) / (bytes + outerBytes + repairBytes)
    }

    /// All ways to put so many copies, by the sum of their offsets.
    private static func offsets(_ count: Int, upTo farthest: Int) -> [[Int]] {
        var all: [[Int]] = [[]]
        for _ in 0..<count {
            all = all.flatMap { begun in (1...farthest).filter { $0 > begun.last ?? 0 }.map { begun + [$0] } }
        }
        return all.sorted { ($0.reduce(0, +), $0[0]) < ($1.reduce(0, +), $1[0]) }
    }

    private mutating func planWindow(_ situation: Situation, pace: Double, deadline: Duration, after left: Double) {
        let within = Int(min(deadline.inSeconds * pace, 4096) + 0.01)
        let reach = min(within, RepairOrder.windowMost)
        let allowed = Self.shares(upTo: situation)
        let target = situation.goal.residual * Self.margin
        needsWindow = situation.densePace >= Self.denseLeast && situation.channel.loss * left > target
        guard needsWindow, reach >= 2, !allowed.isEmpty else { return }
        // The weakest that suffices: the more there is, the less it leaves.
        var low = 0
        var high = allowed.count - 1
        var found: Double?
        while low <= high {
            let middle = (low + high) / 2
            let share = allowed[middle]
            let spacing = max(1, situation.pace / (pace * (1 + share)))
            if situation.channel.residual(windowShare: share, deadline: reach, spacing: spacing) * left <= target {
                found = share
                high = middle - 1
            } else {
                low = middle + 1
            }
        }
        order.windowShare = found ?? allowed[allowed.count - 1]
        order.window = reach
        if found == nil { fallsShort = true }
    }

    /// As many repair datagrams as the goal pays for at most.
    private static func shares(upTo situation: Situation) -> [Double] {
        let most = windowShare(ofBytes: situation.goal.denseCost, of: situation.denseBytes)
        let below = shares.filter { $0 < most - 0.005 }
        return most >= shares[0] * 0.9 ? below + [most] : []
    }
}
