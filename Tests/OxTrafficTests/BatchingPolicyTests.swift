import OxModel
import Testing

@testable import OxTraffic

/// A tunnel with a load, in invented time: what the policy decides has the effect that a hold would have.
private struct Road {
    var now = Instant(nanoseconds: 1_000_000_000)
    var policy: BatchingPolicy
    /// Packets in a second, and their size.
    var pace: Double
    var size: UInt64 = 100
    /// Packets that come at the same time, and share datagrams without any hold.
    var burst = 1.0
    /// Whether they come evenly, so that a hold finds company as their pace promises.
    var isSteady = true
    /// What is left of the pace while packets wait.
    var paceUnderHold = 1.0
    private(set) var secondsHeld = 0

    init(_ mode: BatchingPolicy.Mode, pace: Double) {
        policy = BatchingPolicy(mode, now: now)
        self.pace = pace
    }

    mutating func second(steps: Int = 4) {
        var held = false
        for _ in 0..<steps {
            let hold = policy.hold
            held = held || hold > .zero
            let pace = hold > .zero ? pace * paceUnderHold : pace
            let company = isSteady ? max(burst, 1 + pace * hold.inSeconds) : burst
            let shared = min(company, 1_400 / Double(size), Double(BatchingPolicy.packetsMost))
            let packets = pace / Double(steps)
            let datagrams = packets / max(1, shared)
            now += .seconds(1) / steps
            policy.observe(
                Load(
                    packets: UInt64(packets), packetBytes: UInt64(packets) * size, datagrams: UInt64(datagrams.rounded(.up)),
                    bytes: UInt64(packets) * (size + 2) + UInt64(datagrams) * 20, interval: .seconds(1) / steps),
                now: now)
        }
        secondsHeld += held ? 1 : 0
    }

    mutating func seconds(_ count: Int) { for _ in 0..<count { second() } }

    /// Seconds with a hold among the next so many.
    mutating func held(in count: Int) -> Int {
        let before = secondsHeld
        seconds(count)
        return secondsHeld - before
    }
}

struct BatchingPolicyTests {
    @Test(arguments: BatchingPolicy.Mode.allCases)
    func `gaming and realtime packets never wait`(_ mode: BatchingPolicy.Mode) {
        var road = Road(mode, pace: 5_000)
        for _ in 0..<120 {
            road.second()
            #expect(road.policy.holds[.gaming] == .zero && road.policy.holds[.realtime] == .zero)
            #expect(Set(road.policy.holds.keys) == Set(TrafficClass.allCases))
        }
    }

    @Test(arguments: [
        (100.0, Duration.milliseconds(2)), (1_000, .milliseconds(2)), (1_200, .milliseconds(1)), (10_000, .milliseconds(1)),
        (10_400, .microseconds(500)), (200_000, .microseconds(500)),
    ])
    func `the more packets come, the shorter they wait`(pace: Double, limit: Duration) {
        var road = Road(.on, pace: pace)
        road.seconds(2)
        for urgency in [TrafficClass.streaming, .web, .general, .bulk] { #expect(road.policy.holds[urgency] == limit) }
    }

    @Test func `a pace at the edge of two limits does not change them all the time`() {
        var road = Road(.on, pace: 10_400)
        road.second()
        var changes = 0
        for index in 0..<20 {
            let before = road.policy.hold
            road.pace = index.isMultiple(of: 2) ? 9_000 : 11_000
            road.second()
            changes += road.policy.hold == before ? 0 : 1
        }
        #expect(changes == 0)
        road.pace = 7_000
        road.second()
        #expect(road.policy.hold == .milliseconds(1))
    }

    @Test func `nothing waits when holding is off`() {
        var road = Road(.off, pace: 5_000)
        let held = road.held(in: 60)
        #expect(held == 0)
    }

    @Test func `a hold that saves wire bytes is tried once and then kept`() {
        var road = Road(.auto, pace: 5_000)
        let before = road.held(in: 10)
        let after = road.held(in: 300)
        #expect(before == 0 && after >= 290)
        #expect(road.policy.hold == .milliseconds(1))
    }

    @Test func `a hold that is kept is left out for a second every minute, to compare`() {
        var road = Road(.auto, pace: 5_000)
        road.seconds(20)
        let held = road.held(in: 180)
        #expect((175...178).contains(held))
    }

    @Test func `a hold that finds no company is tried more and more rarely`() {
        var road = Road(.auto, pace: 5_000)
        road.isSteady = false
        let perTenMinutes = (0..<6).map { _ in road.held(in: 600) }
        #expect((4...6).contains(perTenMinutes[0]))
        #expect(perTenMinutes[1...].allSatisfy { $0 <= 2 })
        #expect(road.secondsHeld >= 8)
    }

    @Test func `packets that fill their datagrams are not held, not even for a trial`() {
        var road = Road(.auto, pace: 5_000)
        road.size = 1_350
        let held = road.held(in: 600)
        #expect(held == 0)
    }

    @Test func `packets that come in bursts share datagrams already, and are not held`() {
        var road = Road(.auto, pace: 5_000)
        road.burst = 14
        let held = road.held(in: 600)
        #expect(held == 0)
    }

    @Test func `few packets bring no company, and do not wait for any`() {
        var road = Road(.auto, pace: 200)
        let held = road.held(in: 600)
        #expect(held == 0)
    }

    @Test func `a hold that slows down what it waits for does not pay`() {
        var road = Road(.auto, pace: 5_000)
        road.paceUnderHold = 0.6
        let held = road.held(in: 600)
        #expect((4...6).contains(held))
        #expect(road.policy.hold == .zero)
    }

    @Test func `a hold ends when the load that it paid for is gone, and comes back with it`() {
        var road = Road(.auto, pace: 5_000)
        road.seconds(30)
        #expect(road.policy.hold > .zero)
        road.pace = 50
        road.seconds(2)
        #expect(road.policy.hold == .zero)
        let held = road.held(in: 60)
        #expect(held == 0)
        road.pace = 5_000
        road.seconds(5)
        #expect(road.policy.hold > .zero)
    }

    @Test func `a hold ends when it no longer saves anything`() {
        var road = Road(.auto, pace: 5_000)
        road.seconds(30)
        road.isSteady = false
        road.seconds(2)
        #expect(road.policy.hold == .zero)
    }

    @Test func `larger packets in the trial's second are not taken for a loss, nor smaller ones for a saving`() {
        for (before, after, pays) in [(100, 200, true), (500, 100, false)] as [(UInt64, UInt64, Bool)] {
            var road = Road(.auto, pace: 5_000)
            road.size = before
            road.isSteady = pays
            road.seconds(10)
            road.size = after
            road.seconds(3)
            #expect((road.policy.hold > .zero) == pays, "\(before) to \(after)")
        }
    }

    @Test func `a trial that falls into a silence says nothing against the hold`() {
        var road = Road(.auto, pace: 5_000)
        while road.policy.hold == .zero { road.second() }
        road.now += .seconds(30)
        road.policy.observe(Load(packets: 500, packetBytes: 50_000, datagrams: 500, bytes: 60_000, interval: .seconds(30)), now: road.now)
        #expect(road.policy.hold == .zero)
        road.seconds(12)
        #expect(road.policy.hold > .zero)
    }

    @Test func `silence decides nothing`() {
        var policy = BatchingPolicy(.auto, now: Instant(nanoseconds: 0))
        for second in 1...100 {
            let now = Instant(nanoseconds: UInt64(second) * 1_000_000_000)
            let changes = [policy.observe(Load(interval: .seconds(1)), now: now), policy.observe(Load(), now: now)]
            #expect(changes == [false, false])
        }
        #expect(policy.hold == .zero)
    }

    @Test func `a change of holds is said`() {
        var policy = BatchingPolicy(.on, now: Instant(nanoseconds: 0))
        let busy = Load(packets: 20_000, packetBytes: 2_000_000, datagrams: 20_000, bytes: 2_400_000, interval: .seconds(1))
        let first = policy.observe(busy, now: Instant(nanoseconds: 1_000_000_000))
        let second = policy.observe(busy, now: Instant(nanoseconds: 2_000_000_000))
        #expect(first && !second)
    }
}
