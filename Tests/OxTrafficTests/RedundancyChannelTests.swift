import Testing

@testable import OxTraffic

/// Whether a channel's figures are those that come out when its losses are drawn.
struct RedundancyChannelTests {
    struct Case: CustomTestStringConvertible {
        var loss: Double
        var burst: Double
        var testDescription: String { "\(loss) in runs of \(burst)" }
    }

    static let cases = [Case(loss: 0.05, burst: 1), Case(loss: 0.05, burst: 3), Case(loss: 0.02, burst: 1.8), Case(loss: 0.2, burst: 2)]

    /// Which of so many packets are lost.
    static func draw(_ one: Case, packets: Int, seed: UInt64 = 7) -> [Bool] {
        var state = seed
        func random() -> Double {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Double((state ^ state >> 33) >> 11) / Double(1 << 53)
        }
        let stay = max(1 - 1 / one.burst, one.loss)
        let begin = one.loss * (1 - stay) / (1 - one.loss)
        var isLost = false
        return (0..<packets).map { _ in
            isLost = random() < (isLost ? stay : begin)
            return isLost
        }
    }

    @Test(arguments: cases)
    func `a loss says of later packets what the chain does`(_ one: Case) {
        let lost = Self.draw(one, packets: 300_000)
        let channel = RedundancyChannel(loss: one.loss, burst: one.burst)
        for distance in [1, 2, 3, 6] {
            var both = 0
            for index in 0..<lost.count - distance where lost[index] && lost[index + distance] { both += 1 }
            let drawn = Double(both) / Double(lost.count { $0 })
            #expect(abs(channel.lossAfterLoss(Double(distance)) - drawn) < 0.03)
        }
    }

    @Test(arguments: cases)
    func `copies leave what the chain says`(_ one: Case) {
        let lost = Self.draw(one, packets: 500_000)
        let channel = RedundancyChannel(loss: one.loss, burst: one.burst)
        for offsets in [[1], [3], [1, 3], [1, 3, 6]] {
            var gone = 0
            for index in 0..<lost.count - 6 where lost[index] && offsets.allSatisfy({ lost[index + $0] }) { gone += 1 }
            let drawn = Double(gone) / Double(lost.count)
            let said = channel.residual(copies: offsets, spacing: 1)
            #expect(abs(said - drawn) < 0.2 * drawn + 0.0003, "\(offsets): \(said) for \(drawn)")
        }
    }

    /// A repair packet that arrives makes up for one loss before it, as in an ideal code.
    private static func late(_ lost: [Bool], sources: Int, deadline: Int) -> Double {
        var waiting: [Int] = []
        var credit = 0
        var late = 0
        var position = 0
        var at = 0
        while at + 1 < lost.count {
            if lost[at] { waiting.append(position) }
            at += 1
            position += 1
            guard position % sources == 0 else { continue }
            if !lost[at], !waiting.isEmpty {
                credit += 1
                if credit == waiting.count {
                    late += waiting.count { position - 1 - $0 > deadline }
                    waiting = []
                    credit = 0
                }
            }
            at += 1
        }
        // Losses outrun repair for ever.
        return Double(late + waiting.count) / Double(position)
    }

    @Test(arguments: cases, [2, 4])
    func `a window leaves what the chain says`(_ one: Case, _ sources: Int) {
        let lost = Self.draw(one, packets: 400_000)
        let drawn = Self.late(lost, sources: sources, deadline: 40)
        let channel = RedundancyChannel(loss: one.loss, burst: one.burst)
        let said = channel.residual(windowShare: 1 / Double(sources), deadline: 40, spacing: 1)
        // What is overtaken by losses is not counted to the packet.
        if drawn > 0.5 * one.loss { return #expect(said > 0.4 * one.loss) }
        #expect(said < 1.6 * drawn + 0.0004 && said > 0.5 * drawn - 0.0004, "\(said) for \(drawn)")
    }
}
