import OxModel
import Testing

@testable import OxTraffic

/// A path with a load and losses, in invented time: what feedback would say of it.
private struct Road {
    var now = Instant(nanoseconds: 1_000_000_000)
    var controller: RedundancyController
    var roundTrip = Duration.milliseconds(40)
    var loss = 0.0
    /// In a row, on average.
    var burst = 1.0
    /// What the path's own queue adds, and whether this side waits for it.
    var queueing = Duration.zero
    var isFull = false
    /// Flows: packets in a second, and bytes.
    var game = 0
    var bulk = 0
    private var sentGame: UInt64 = 0
    private var sentBulk: UInt64 = 0
    private var owed = 0.0
    private var random = UInt64(11)
    private var isBad = false
    private(set) var changes = 0

    init(goals: [TrafficClass: RedundancyGoal] = [:]) { controller = RedundancyController(goals: goals) }

    private mutating func chance() -> Double {
        random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Double((random ^ random >> 33) >> 11) / Double(1 << 53)
    }

    /// Feedback comes every quarter of a round trip when there is a lot to say, or else ten times a second.
    var feedbackEvery: Duration { bulk > 0 ? roundTrip / 4 : .milliseconds(100) }

    mutating func feedback() {
        now += feedbackEvery
        owed += Double(game + bulk) * feedbackEvery.inSeconds
        var sample = PathSample()
        let stay = max(1 - 1 / burst, loss)
        let begin = loss < 1 ? loss * (1 - stay) / (1 - loss) : 1
        while owed >= 1 {
            owed -= 1
            let wasBad = isBad
            isBad = chance() < (isBad ? stay : begin)
            if isBad { sample.datagramsLost += 1 } else { sample.datagramsArrived += 1 }
            if isBad, !wasBad { sample.lossRuns += 1 }
        }
        sample.roundTrip = roundTrip + queueing
        sample.smoothedRoundTrip = roundTrip + queueing
        sample.isWindowLimited = isFull
        if controller.onSample(sample, now: now) { changes += 1 }
        sentGame += UInt64(Double(game) * feedbackEvery.inSeconds + 0.5)
        sentBulk += UInt64(Double(bulk) * feedbackEvery.inSeconds + 0.5)
        var loads: [TrafficClass: RepairLoad] = [:]
        if game > 0 {
            loads[.gaming] = RepairLoad(
                sparseDatagrams: sentGame, sparseBytes: sentGame * 111, sparseGap: .nanoseconds(1_000_000_000 / Int64(game)))
        }
        if bulk > 0 { loads[.bulk] = RepairLoad(denseDatagrams: sentBulk, denseBytes: sentBulk * 1219) }
        if controller.onLoads(loads, now: now) { changes += 1 }
    }

    mutating func pass(_ time: Duration) {
        let end = now + time
        while now < end { feedback() }
    }

    func order(_ trafficClass: TrafficClass) -> RepairOrder { controller.repair.orders[trafficClass] ?? .none }
}

struct RedundancyControllerTests {
    @Test func `without loss there is no redundancy`() {
        var road = Road()
        road.game = 60
        road.bulk = 2000
        road.pass(.seconds(60))
        #expect(road.controller.repair.orders.isEmpty)
        #expect(road.controller.repair.watches)
        #expect(road.controller.status(now: road.now).reason == .start)
    }

    @Test func `one loss in twenty makes two copies of a game's packets, which are in time`() {
        var road = Road()
        road.game = 60
        road.loss = 0.05
        road.pass(.seconds(5))
        var copies: [Int: Int] = [:]
        for _ in 0..<1200 {
            road.feedback()
            copies[road.order(.gaming).copies.count, default: 0] += 1
            #expect(road.order(.gaming).copies.allSatisfy { $0 <= 3 })
        }
        #expect(copies[2, default: 0] > 1150, "\(copies)")
        #expect(road.order(.gaming).windowShare == 0 || road.order(.gaming).copies.count > 0)
        #expect(road.controller.status(now: road.now).reason == .loss)
    }

    @Test func `the budget decides how far copies lie apart`() {
        for (lateness, farthest) in [(33, 1), (34, 2), (50, 3), (100, 6)] {
            var road = Road(goals: [.gaming: RedundancyGoal(residual: 0.001, lateness: .milliseconds(lateness))])
            road.roundTrip = .milliseconds(120)
            road.game = 60
            road.loss = 0.05
            road.burst = 3
            road.pass(.seconds(20))
            let copies = road.order(.gaming).copies
            #expect(copies.max() == farthest || lateness == 33 && copies.max().map { $0 <= 2 } ?? false, "\(lateness): \(copies)")
            #expect(copies == copies.sorted())
        }
    }

    @Test func `where it is in time what is lost is sent again, and little else is spent`() {
        for (roundTrip, isInTime) in [(40, true), (150, false)] {
            var road = Road(goals: [.bulk: RedundancyGoal(residual: 0.005, lateness: .milliseconds(100))])
            road.roundTrip = .milliseconds(roundTrip)
            road.bulk = 2000
            road.loss = 0.03
            road.pass(.seconds(5))
            #expect(road.order(.bulk).retransmits == isInTime)
            #expect((road.order(.bulk).windowShare == 0) == isInTime)
        }
    }

    @Test func `bulk gets a window as strong as the losses are long, up to the cap`() {
        var strengths: [Double] = []
        for burst in [1.0, 2, 3] {
            var road = Road(goals: [.bulk: RedundancyGoal(residual: 0.001, lateness: .milliseconds(20))])
            road.bulk = 2000
            road.loss = 0.05
            road.burst = burst
            road.pass(.seconds(10))
            strengths.append(road.order(.bulk).windowShare)
            #expect((30...64).contains(road.order(.bulk).window))
        }
        #expect(strengths == strengths.sorted() && strengths[0] < strengths[2])
        #expect(strengths.allSatisfy { $0 > 0.1 && $0 <= 0.5 })
    }

    @Test func `the user's price is not exceeded`() {
        for (cost, copies, share) in [(0.0, 0, 0.0), (0.6, 1, 0.5), (0.1, 0, 0.1)] {
            let goal = RedundancyGoal(residual: 0.0001, lateness: .milliseconds(50), cost: cost)
            var road = Road(goals: [.gaming: goal, .bulk: goal])
            road.roundTrip = .milliseconds(100)
            road.game = 60
            road.bulk = 1000
            road.loss = 0.1
            road.burst = 2
            road.pass(.seconds(10))
            #expect(road.order(.gaming).copies.count == copies)
            #expect(road.order(.bulk).windowShare <= share)
            #expect(!road.order(.bulk).retransmits)
            #expect(cost == 0 || road.controller.status(now: road.now).reason == .lossOutOfReach)
        }
    }

    @Test func `a change shows within two round trips`() {
        var road = Road()
        road.bulk = 2000
        road.pass(.seconds(20))
        road.loss = 0.1
        let began = road.now
        while road.order(.bulk).windowShare < 0.1, road.now - began < .seconds(5) { road.feedback() }
        #expect(road.now - began <= road.roundTrip * 2)
    }

    @Test func `a clean link has the least redundancy within five seconds, and none thirty seconds later`() {
        var road = Road()
        road.game = 60
        road.bulk = 2000
        road.loss = 0.05
        road.pass(.seconds(20))
        #expect(!road.order(.gaming).copies.isEmpty && road.order(.bulk).windowShare > 0.05)
        road.loss = 0
        road.pass(.seconds(5))
        #expect(road.order(.gaming) == .none)
        #expect((0.045...0.05).contains(road.order(.bulk).windowShare))
        #expect(road.controller.status(now: road.now).reason == .cleanLink)
        road.pass(.seconds(26))
        #expect(road.controller.repair.orders.isEmpty)
        #expect(road.controller.status(now: road.now).reason == .noLoss)
    }

    @Test func `a link that loses now and then is not taken for clean again and again`() {
        var road = Road()
        road.game = 60
        var bare = 0
        for round in 0..<20 {
            road.loss = 1
            road.feedback()
            road.loss = 0
            for _ in 0..<60 {
                road.feedback()
                if round > 2, road.order(.gaming).copies.isEmpty { bare += 1 }
            }
        }
        #expect(bare == 0)
        road.pass(.seconds(40))
        #expect(road.controller.repair.orders.isEmpty)
        road.loss = 0.05
        road.pass(.seconds(10))
        road.loss = 0
        road.pass(.seconds(5))
        #expect(road.order(.gaming) == .none)
    }

    @Test func `silence does not make a link clean`() {
        var road = Road()
        road.game = 60
        road.loss = 0.05
        road.pass(.seconds(10))
        let order = road.order(.gaming)
        #expect(!order.copies.isEmpty)
        road.now += .seconds(9)
        road.feedback()
        #expect(!road.order(.gaming).copies.isEmpty)
    }

    @Test func `loss in a full buffer gets nothing, and the same loss on an empty path does`() {
        var road = Road()
        road.game = 60
        road.bulk = 2000
        road.isFull = true
        road.pass(.seconds(5))
        road.loss = 0.03
        road.queueing = .milliseconds(60)
        road.pass(.seconds(5))
        #expect(road.controller.repair.orders.isEmpty)
        #expect(road.controller.status(now: road.now).isCongested)
        road.queueing = .zero
        road.isFull = false
        road.pass(.seconds(5))
        #expect(road.order(.bulk).windowShare > 0)
        road.queueing = .milliseconds(60)
        road.isFull = true
        road.feedback()
        #expect(road.controller.repair.orders.isEmpty)
        #expect(road.controller.status(now: road.now).reason == .congestion)
    }

    @Test func `what fills the path in spite of losses is left to it, and the game beside it is not`() {
        var road = Road(goals: [.streaming: RedundancyGoal(residual: 0.005, lateness: .milliseconds(150))])
        road.game = 60
        road.bulk = 2000
        road.loss = 0.03
        road.pass(.seconds(10))
        #expect(road.order(.bulk).windowShare > 0)
        road.isFull = true
        road.pass(.seconds(5))
        #expect(road.order(.bulk) == .none)
        #expect(!road.order(.gaming).copies.isEmpty)
        road.isFull = false
        road.pass(.seconds(5))
        #expect(road.order(.bulk).windowShare > 0)
    }

    @Test func `a game alone does not fill a path whose delay rises`() {
        var road = Road()
        road.game = 60
        road.pass(.seconds(5))
        road.loss = 0.05
        road.queueing = .milliseconds(60)
        road.pass(.seconds(5))
        #expect(!road.order(.gaming).copies.isEmpty)
    }

    @Test func `a forecast goes before what is measured`() {
        var road = Road()
        road.bulk = 2000
        road.pass(.seconds(10))
        for (forecast, share) in [(0.06, 0.12), (0.2, 0.4), (0.4, 0.5)] {
            _ = road.controller.onForecast(forecast, now: road.now)
            let spent = road.order(.bulk).windowShare
            #expect(spent >= share - 0.02 && spent <= 0.5, "\(forecast): \(spent)")
            #expect(road.controller.status(now: road.now).reason == .forecast)
        }
        road.loss = 0.05
        road.pass(.seconds(5))
        _ = road.controller.onForecast(0.008, now: road.now)
        road.pass(.seconds(3))
        #expect((0.045...0.05).contains(road.order(.bulk).windowShare))
        _ = road.controller.onForecast(nil, now: road.now)
        #expect(road.order(.bulk).windowShare > 0.06)
    }

    @Test func `orders hold still under loss that does not change`() {
        var road = Road()
        road.game = 60
        road.bulk = 2000
        road.loss = 0.05
        road.burst = 2
        road.pass(.seconds(10))
        let before = road.changes
        road.pass(.seconds(60))
        #expect(road.changes - before < 60)
    }

    @Test func `a class that sends nothing has no order`() {
        var road = Road()
        road.game = 60
        road.bulk = 2000
        road.loss = 0.05
        road.pass(.seconds(10))
        #expect(road.controller.repair.orders.count == 2)
        road.bulk = 0
        road.pass(.seconds(15))
        #expect(road.controller.repair.orders.keys.sorted() == [.gaming])
    }
}
