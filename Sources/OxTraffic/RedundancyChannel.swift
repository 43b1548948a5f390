/// Losses of a path as a chain of two states (Gilbert 1960): how many, and how long they last. Distances are in packets of the path.
struct RedundancyChannel: Hashable, Sendable {
    /// The share of packets that is lost.
    var loss: Double
    /// How much a loss says of the next packet: 0 for nothing, towards 1 the longer losses last.
    var persistence: Double

    init(loss: Double, persistence: Double) {
        self.loss = min(max(loss, 0), 0.95)
        self.persistence = min(max(persistence, 0), 0.99)
    }

    /// - Parameter burst: lost packets in a row, on average.
    init(loss: Double, burst: Double) {
        let loss = min(max(loss, 0), 0.95)
        let stay = 1 - 1 / max(burst, 1)
        self.init(loss: loss, persistence: (stay - loss) / (1 - loss))
    }

    /// A packet is lost, given that one `distance` packets before it was.
    func lossAfterLoss(_ distance: Double) -> Double { loss + (1 - loss) * power(persistence, distance) }

    /// A packet and all of its copies are lost.
    ///
    /// - Parameters:
    ///   - offsets: ascending, in datagrams of its flow.
    ///   - spacing: datagrams of the path from one of the flow to the next.
    func residual(copies offsets: [Int], spacing: Double) -> Double {
        var share = loss
        var last = 0
        for offset in offsets {
            share *= lossAfterLoss(Double(offset - last) * spacing)
            last = offset
        }
        return share
    }

    /// Packets that stay lost although any repair packet makes up for any lost one before it: those for which, up to their deadline,
    /// repair packets that arrive never catch up with losses.
    ///
    /// - Parameters:
    ///   - share: repair packets for each packet, at most 1.
    ///   - deadline: packets up to which a repair is in time.
    ///   - spacing: datagrams of the path from one of these packets to the next.
    func residual(windowShare share: Double, deadline: Int, spacing: Double) -> Double {
        guard loss > 0, deadline > 0, share > 0 else { return loss }
        let chain = DeficitChain(self, share: min(share, 1), spacing: spacing)
        // Where in its turn a packet is lost makes a difference; a few places stand for all.
        let places = [0.0, 0.25, 0.5, 0.75]
        return loss * places.map { chain.lateShare(place: $0, deadline: deadline) }.reduce(0, +) / Double(places.count)
    }
}

/// By how many lost packets the repair packets that have arrived are behind: zero means that all is repaired.
private struct DeficitChain {
    /// More are not told apart: they are not caught up with in time.
    private static let most = 31
    private static let width = 2 * (most + 1)
    /// After so many packets the start is forgotten.
    private static let settling = 120

    private let badFromGood: Double
    private let badFromBad: Double
    private let loss: Double
    private let share: Double

    init(_ channel: RedundancyChannel, share: Double, spacing: Double) {
        badFromBad = channel.lossAfterLoss(max(1, spacing))
        loss = channel.loss
        badFromGood = loss * (1 - badFromBad) / (1 - loss)
        self.share = share
    }

    /// Of lost packets, the share that is not repaired in time.
    ///
    /// - Parameter place: of the lost one in its turn: 0 right after a repair packet, 1 right before the next.
    func lateShare(place: Double, deadline: Int) -> Double {
        var now = [Double](repeating: 0, count: Self.width)
        now[0] = 1 - loss
        now[1] = loss
        // So that the turn is where it shall be when this one is lost.
        var turn = place - Double(Self.settling) * share
        turn -= turn.rounded(.down)
        for _ in 0..<Self.settling { advance(&now, &turn) }
        var late = [Double](repeating: 0, count: Self.width)
        var sum = 0.0
        for deficit in 0...Self.most {
            let lost = now[2 * deficit] * badFromGood + now[2 * deficit + 1] * badFromBad
            late[2 * min(Self.most, deficit + 1) + 1] += lost
            sum += lost
        }
        guard sum > 0 else { return 0 }
        repairIfDue(&late, &turn, forgetsRepaired: true)
        for _ in 0..<deadline { advance(&late, &turn, forgetsRepaired: true) }
        return late.reduce(0, +) / sum
    }

    /// A packet more, and the repair packet that is due after it.
    private func advance(_ now: inout [Double], _ turn: inout Double, forgetsRepaired: Bool = false) {
        now = step(now, isRepair: false)
        repairIfDue(&now, &turn, forgetsRepaired: forgetsRepaired)
    }

    /// - Parameter forgetsRepaired: what has caught up is in time, and of no interest any more.
    private func repairIfDue(_ now: inout [Double], _ turn: inout Double, forgetsRepaired: Bool) {
        turn += share
        guard turn >= 1 else { return }
        turn -= 1
        now = step(now, isRepair: true)
        if forgetsRepaired {
            now[0] = 0
            now[1] = 0
        }
    }

    /// One datagram more. Even places are of a good channel, odd ones of a bad.
    private func step(_ now: [Double], isRepair: Bool) -> [Double] {
        var next = [Double](repeating: 0, count: Self.width)
        for deficit in 0...Self.most {
            let sum = now[2 * deficit] + now[2 * deficit + 1]
            guard sum > 0 else { continue }
            let turnsBad = now[2 * deficit] * badFromGood + now[2 * deficit + 1] * badFromBad
            let good = isRepair ? max(0, deficit - 1) : deficit
            let bad = isRepair ? deficit : min(Self.most, deficit + 1)
            next[2 * good] += sum - turnsBad
            next[2 * bad + 1] += turnsBad
        }
        return next
    }
}

/// base to the exponent, for a base from 0 to 1: by squaring, and linear in between.
private func power(_ base: Double, _ exponent: Double) -> Double {
    guard exponent > 0 else { return 1 }
    guard exponent < 4096 else { return 0 }
    var whole = Int(exponent)
    let rest = exponent - Double(whole)
    var result = 1.0
    var square = base
    while whole > 0 {
        if whole & 1 == 1 { result *= square }
        square *= square
        whole >>= 1
    }
    return result * (1 - rest * (1 - base))
}
