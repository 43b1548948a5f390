import OxModel
import Testing

@testable import OxSimulation

/// The link models, to the nanosecond and the byte.
@Suite struct LinkTests {
    private static let start = Instant(nanoseconds: 5_000_000_000)

    private func queue(
        _ capacity: Bottleneck.Capacity, queueBytes: Int = 1_000_000, markingBytes: Int? = nil,
        policer: Bottleneck.Policer? = nil
    ) -> BottleneckQueue {
        BottleneckQueue(
            Bottleneck(capacity, queueBytes: queueBytes, markingBytes: markingBytes, policer: policer), start: Self.start)
    }

    private func megabits(_ number: UInt64) -> Rate { Rate(bitsPerSecond: number * 1_000_000) }

    /// When it leaves, since the start; nil when it is dropped.
    private func leaves(_ queue: inout BottleneckQueue, _ bytes: Int, at: Duration = .zero) -> Duration? {
        if case .passes(let leaves, _, _) = queue.admit(bytes: bytes, now: Self.start + at) { leaves - Self.start } else { nil }
    }

    private func passes(_ queue: inout BottleneckQueue, _ bytes: Int, times: Int) -> [Bool] {
        var found: [Bool] = []
        for _ in 0..<times { found.append(leaves(&queue, bytes) != nil) }
        return found
    }

    private func milliseconds(_ queue: inout BottleneckQueue, _ bytes: Int, times: Int) -> [Double] {
        var found: [Double] = []
        for _ in 0..<times { found.append(leaves(&queue, bytes)?.inMilliseconds ?? -1) }
        return found
    }

    // MARK: Rates

    @Test func `packets leave one after the other at the rate`() {
        var queue = queue(.rate(megabits(12)))
        for number in 1...100 { #expect(leaves(&queue, 1500) == .milliseconds(number)) }
        #expect(leaves(&queue, 750, at: .milliseconds(200)) == .microseconds(200_500))
    }

    @Test func `fractions of a nanosecond add up`() {
        var queue = queue(.rate(Rate(bytesPerSecond: 875_000)))
        var last: Duration?
        for _ in 0..<7000 { last = leaves(&queue, 100) }
        #expect(last == .milliseconds(800))
    }

    @Test func `a packet that waits says how long until its turn`() {
        var queue = queue(.rate(megabits(12)))
        _ = queue.admit(bytes: 1500, now: Self.start)
        #expect(
            queue.admit(bytes: 1500, now: Self.start + .microseconds(400))
                == .passes(at: Self.start + .milliseconds(2), waits: 600_000, marked: false))
    }

    @Test func `a step changes the rate in the middle of a packet`() {
        let steps = [
            Bottleneck.Step(at: .zero, rate: megabits(12)), Bottleneck.Step(at: .microseconds(500), rate: megabits(6)),
            Bottleneck.Step(at: .milliseconds(10), rate: .zero), Bottleneck.Step(at: .milliseconds(20), rate: megabits(12)),
        ]
        var queue = queue(.steps(steps))
        #expect(leaves(&queue, 1500) == .microseconds(1500))
        // Half of it before the outage, half of it after.
        #expect(leaves(&queue, 1500, at: .milliseconds(9)) == .microseconds(20_500))
        let model = Bottleneck(.steps(steps), queueBytes: 1)
        #expect(model.capacityBytes(from: .zero, to: .milliseconds(30)) == 22_875)
    }

    // MARK: Queues

    @Test func `the queue takes what fits and not a byte more`() {
        var queue = queue(.rate(megabits(12)), queueBytes: 4500)
        #expect(passes(&queue, 1500, times: 4) == [true, true, true, false])
        #expect(queue.backlog == 4500)
        // The first has just left.
        #expect(leaves(&queue, 1501, at: .milliseconds(1)) == nil)
        #expect(leaves(&queue, 1500, at: .milliseconds(1)) == .milliseconds(4))
        #expect(queue.admit(bytes: 1500, now: Self.start + .milliseconds(1)) == .dropped(.queue))
    }

    @Test func `an idle link takes any packet`() {
        var queue = queue(.rate(megabits(12)), queueBytes: 100)
        #expect(leaves(&queue, 1500) == .milliseconds(1))
        #expect(leaves(&queue, 1500) == nil)
        #expect(leaves(&queue, 1500, at: .milliseconds(1)) == .milliseconds(2))
    }

    @Test func `packets behind the threshold are marked if they can be`() {
        let model = LinkModel(bottleneck: Bottleneck(.rate(megabits(12)), queueBytes: 9000, markingBytes: 3000), delay: .zero)
        var link = Link<Int>(model, random: SeededGenerator(seed: 1), start: Self.start)
        for number in 0..<4 { _ = link.send(number, bytes: 1500, ecn: number == 2 ? 0 : 2, now: Self.start) }
        var codepoints: [UInt8] = []
        while let (_, ecn) = link.pop(upTo: Self.start + .seconds(1)) { codepoints.append(ecn) }
        #expect(codepoints == [2, 2, 0, 3])
        #expect(link.meter.marked == 1)
    }

    @Test func `a policer passes its burst at once and then its rate`() {
        let policer = Bottleneck.Policer(rate: megabits(12), burstBytes: 4500)
        var queue = queue(.rate(megabits(1000)), policer: policer)
        #expect(passes(&queue, 1500, times: 4) == [true, true, true, false])
        // A nanosecond too soon, and in time.
        #expect(leaves(&queue, 1500, at: .nanoseconds(999_999)) == nil)
        #expect(leaves(&queue, 1500, at: .milliseconds(1)) != nil)
        #expect(queue.admit(bytes: 1500, now: Self.start + .milliseconds(1)) == .dropped(.policer))
        var passed = 0
        for tick in 100...100_099 where leaves(&queue, 1500, at: .microseconds(100 * tick)) != nil { passed += 1 }
        #expect(passed == 10_002)
    }

    // MARK: Traces

    @Test func `a packet leaves at the next opportunity, and opportunities that nobody uses are lost`() throws {
        let trace = try #require(RateTrace(milliseconds: [1, 1, 4, 10]))
        var queue = queue(.trace(trace))
        #expect(milliseconds(&queue, 1500, times: 3) == [1, 1, 4])
        // Those of 10 and 11 ms pass by.
        #expect(leaves(&queue, 1500, at: .microseconds(11_001)) == .milliseconds(14))
    }

    @Test func `packets that wait share an opportunity, and large ones take two`() throws {
        let trace = try #require(RateTrace(milliseconds: [2, 4, 6]))
        var queue = queue(.trace(trace))
        #expect(leaves(&queue, 500) == .milliseconds(2))
        #expect(leaves(&queue, 1000) == .milliseconds(2))
        #expect(leaves(&queue, 1501) == .milliseconds(6))
        #expect(leaves(&queue, 1499) == .milliseconds(6))
        #expect(leaves(&queue, 1) == .milliseconds(8))
        // What came in the moment of an opportunity that is half used has the other half.
        #expect(leaves(&queue, 1499, at: .milliseconds(8)) == .milliseconds(8))
        #expect(leaves(&queue, 1, at: .milliseconds(8)) == .milliseconds(10))
    }

    @Test func `a trace begins again after its last line, and a run may begin in it`() throws {
        var trace = try #require(RateTrace(milliseconds: [3, 5]))
        trace.offset = .milliseconds(4)
        var queue = queue(.trace(trace))
        #expect(milliseconds(&queue, 1500, times: 4) == [1, 4, 6, 9])
        let model = Bottleneck(.trace(trace), queueBytes: 1)
        #expect(model.capacityBytes(from: .zero, to: .milliseconds(10)) == 4 * 1500)
        #expect(trace.meanRate == Rate(bytesPerSecond: 600_000))
        #expect(RateTrace(milliseconds: [3, 2]) == nil)
        #expect(RateTrace(milliseconds: []) == nil)
    }

    // MARK: Behind the bottleneck

    private func arrivals(_ model: LinkModel, seed: UInt64, count: Int = 2000) -> [(number: Int, at: Instant)] {
        var link = Link<Int>(model, random: SeededGenerator(seed: seed), start: Self.start)
        for number in 0..<count { _ = link.send(number, bytes: 1200, ecn: 0, now: Self.start + .milliseconds(number)) }
        var found: [(Int, Instant)] = []
        while let next = link.next { while let (number, _) = link.pop(upTo: next) { found.append((number, next)) } }
        return found
    }

    @Test func `the same seed gives the same arrivals, another seed others`() {
        let model = LinkModel(jitter: .milliseconds(5), loss: 0.05, duplication: 0.05, reordering: 0.05)
        #expect(arrivals(model, seed: 3).elementsEqual(arrivals(model, seed: 3), by: ==))
        #expect(!arrivals(model, seed: 3).elementsEqual(arrivals(model, seed: 4), by: ==))
    }

    @Test func `everything arrives in the order of time, copies and what was overtaken too`() {
        let found = arrivals(LinkModel(jitter: .milliseconds(5), duplication: 0.1, reordering: 0.1), seed: 5)
        #expect(zip(found, found.dropFirst()).allSatisfy { $0.at <= $1.at })
        #expect(Set(found.map(\.number)).count == 2000)
        #expect((2100...2300).contains(found.count))
        #expect(zip(found, found.dropFirst()).contains { $0.number > $1.number })
    }

    @Test func `jitter that keeps the order keeps it`() {
        let found = arrivals(LinkModel(jitter: .milliseconds(5), keepsOrder: true), seed: 6)
        #expect(found.map(\.number) == Array(0..<2000))
    }

    @Test func `losses in bursts have the share and the length of the model`() {
        let bursts = GilbertElliott(badFromGood: 0.01, goodFromBad: 0.25)
        let found = Set(arrivals(LinkModel(lossBursts: bursts), seed: 7, count: 100_000).map(\.number))
        let lost = (0..<100_000).map { !found.contains($0) }
        let share = Double(lost.count { $0 }) / 100_000
        let runs = zip([false] + lost, lost).count { !$0 && $1 }
        let length = share * 100_000 / Double(runs)
        #expect(abs(share - bursts.meanLoss) < 0.005)
        #expect(abs(length - 4) < 0.3)
    }

    @Test func `losses have names, and what is too long is one of them`() {
        let model = LinkModel(bottleneck: Bottleneck(.rate(megabits(12)), queueBytes: 1500), loss: 0.5)
        var link = Link<Int>(model, random: SeededGenerator(seed: 8), start: Self.start)
        _ = link.send(0, bytes: 1501, ecn: 0, now: Self.start)
        for number in 0..<1000 { _ = link.send(number, bytes: 1500, ecn: 0, now: Self.start + .milliseconds(number / 2)) }
        #expect(link.lost[.mtu] == 1)
        #expect(link.lost[.queue] == 500)
        let random = Int(link.lost[.random] ?? 0)
        #expect((200...300).contains(random))
        #expect(link.meter.waits.count == 500)
    }

    // MARK: Outages

    @Test func `outages take their share of the time, and are as long as they shall be`() {
        var link = Link<Int>(
            LinkModel(delay: .zero, outages: Outages(length: .milliseconds(20), share: 0.02)), random: SeededGenerator(seed: 3),
            start: Self.start)
        var lost = 0, outages = 0, wasOut = false
        let steps = 1_000_000
        for step in 0..<steps {
            let isOut = link.send(step, bytes: 100, ecn: 0, now: Self.start + .milliseconds(step)) == 0
            lost += isOut ? 1 : 0
            outages += isOut && !wasOut ? 1 : 0
            wasOut = isOut
            while link.pop(upTo: Self.start + .milliseconds(step)) != nil {}
        }
        #expect(abs(Double(lost) / Double(steps) - 0.02) < 0.002)
        #expect(abs(Double(lost) / Double(outages) - 20) < 2)
    }

    @Test func `losses end when they shall`() {
        var link = Link<Int>(
            LinkModel(delay: .zero, loss: 1, lossEnds: .seconds(1)), random: SeededGenerator(seed: 3), start: Self.start)
        #expect(link.send(0, bytes: 100, ecn: 0, now: Self.start + .milliseconds(999)) == 0)
        #expect(link.send(0, bytes: 100, ecn: 0, now: Self.start + .seconds(1)) == 1)
    }
}
