import OxModel
import Testing

@testable import OxCongestion

// What is not the draft's: gaming mode, scaled pacing, marks, the extensions, and samples of any kind.

@Test func `gaming mode probes less, more rarely, and lets urgent packets go ahead`() {
    var queues: [Double] = []
    var probes: [Int] = []
    for isGaming in [false, true] {
        let point = PathPoint(bits: 20e6, milliseconds: 40)
        let model = point.model()
        model.bbr.isGaming = isGaming
        model.run(for: .seconds(3))
        model.resetCounts()
        var count = 0
        var before = model.state
        model.watch = { model, _ in
            if model.state == .probeBandwidth(.up), before != model.state { count += 1 }
            before = model.state
        }
        model.run(for: .seconds(20))
        queues.append(model.waits.sorted()[model.waits.count * 95 / 100])
        probes.append(count)
        #expect(model.limits.urgentGoAhead == isGaming)
        #expect(Double(model.counts.through) >= 0.93 * 20 * point.rate)
    }
    #expect(queues[1] < 0.7 * queues[0])
    #expect(Double(probes[1]) <= 0.7 * Double(probes[0]))
    #expect(BBR.State.probeBandwidth(.up).pacingGain(isGaming: true) == 1.10)
}

@Test func `pacing is scaled within a tenth`() {
    var script = Script()
    for bits in [10e6, 20e6, 20e6, 20e6, 20e6] { script.round(bits: bits) }
    script.reach(.probeBandwidth(.cruise), bits: 20e6)
    let plain = Double(script.bbr.limits.pacingRate!.bytesPerSecond)
    for (asked, given) in [(1.05, 1.05), (0.95, 0.95), (3, 1.1), (0, 0.9), (.nan, 1)] as [(Double, Double)] {
        script.bbr.pacingScale = asked
        #expect(abs(Double(script.bbr.limits.pacingRate!.bytesPerSecond) - given * plain) <= 2)
    }
}

@Test func `marks shorten the queue of a path that marks`() {
    var waits: [Double] = []
    for marking in [nil, Duration.milliseconds(2)] {
        let point = PathPoint(bits: 50e6, milliseconds: 20)
        let model = point.model { $0.markAbove = marking }
        model.run(for: .seconds(10))
        waits.append(model.waits.sorted()[model.waits.count * 95 / 100])
        #expect(Double(model.counts.through) >= 0.85 * 10 * point.rate)
    }
    #expect(waits[1] < 0.8 * waits[0])
}

@Test func `two rounds of Startup in which half is marked end it`() {
    var script = Script()
    for bits in [1e6, 2e6, 4e6] { script.round(bits: bits) { $0.ecnCapable = 10 } }
    #expect(script.bbr.state == .startup)
    for bits in [8e6, 16e6] {
        script.round(bits: bits) { sample in
            sample.ecnCapable = 10
            sample.congestionMarked = 6
        }
    }
    #expect(script.bbr.isFullBandwidthReached)
    #expect(script.bbr.state != .startup)
}

@Test func `marks in cruise cut the short-term volume by a third of their share`() {
    var script = Script()
    for bits in [10e6, 20e6, 20e6, 20e6, 20e6] { script.round(bits: bits) }
    script.reach(.probeBandwidth(.cruise), bits: 20e6)
    let window = script.bbr.window
    script.round(bits: 20e6) { sample in
        sample.ecnCapable = 100
        sample.congestionMarked = 100
    }
    #expect(abs(script.bbr.inflightShortTerm - window * (1 - 1.0 / 3)) < 1)
    #expect(script.bbr.bandwidthShortTerm == .infinity)
}

@Test(arguments: [
    PathPoint(bits: 1e6, milliseconds: 300),
    PathPoint(bits: 10e6, milliseconds: 10),
    PathPoint(bits: 100e6, milliseconds: 60),
    PathPoint(bits: 1e9, milliseconds: 100),
])
func `the link is used and no queue stands`(_ point: PathPoint) {
    var link = point.link
    link.buffer = max(point.bdp, 8 * Double(point.datagram))
    let model = PathModel(link, datagram: point.datagram, extensions: .init())
    model.run(for: .seconds(6))
    model.resetCounts()
    model.run(for: .seconds(10))
    #expect(Double(model.counts.through) >= 0.95 * 10 * point.rate)
    #expect(model.waits.sorted()[model.waits.count / 2] <= 0.25 * point.roundTrip.inSeconds)
}

@Test func `a rate that falls and rises again is followed within three seconds`() {
    let rate = 50e6 / 8
    let model = PathModel(.init(rate: rate, roundTrip: .milliseconds(40)), extensions: .init())
    model.run(for: .seconds(6))
    for share in [0.1, 1] {
        let dropped = model.counts.dropped
        model.link.rate = rate * share
        model.run(for: .seconds(3))
        #expect(Double((model.counts.dropped - dropped) * model.datagram) <= 2 * rate * 0.04)
        model.resetCounts()
        model.run(for: .seconds(1))
        #expect(Double(model.counts.through) >= 0.9 * model.link.rate)
        #expect(model.waits.sorted()[model.waits.count / 2] < 0.09)
        model.run(for: .seconds(4))
    }
}

@Test(arguments: 0..<40 as Range<UInt64>)
func `no sample whatever breaks the limits`(_ seed: UInt64) {
    var dice = TestDice(seed: seed)
    func any() -> UInt64 {
        switch dice.next() % 8 {
        case 0: 0
        case 1: .max
        case 2: dice.next()
        case 3: dice.next() % 4
        default: dice.next() % 10_000_000
        }
    }
    var now = Instant(nanoseconds: any())
    var bbr = BBR(
        largestDatagram: any(), roundTrip: seed % 2 == 0 ? nil : .nanoseconds(Int64(bitPattern: any())),
        remembered: seed % 3 == 0 ? PathMemory(maxBandwidth: Rate(bytesPerSecond: any()), minRoundTrip: .seconds(1), at: now) : nil,
        seed: seed, now: now, extensions: seed % 5 == 0 ? .none : .init())
    for _ in 0..<1_500 {
        var sample = PathSample()
        func flag() -> Bool { any() % 3 == 0 }
        func time() -> Duration { .nanoseconds(Int64(bitPattern: any())) }
        sample.roundTrip = flag() ? nil : time()
        sample.smoothedRoundTrip = flag() ? nil : time()
        sample.roundTripVariance = time()
        sample.delivered = any()
        sample.lost = any()
        sample.inFlight = any()
        sample.priorInFlight = any()
        sample.newlyAcked = any()
        sample.newlyLost = any()
        sample.newlyLate = flag() ? any() : 0
        sample.rate = flag() ? nil : Rate(bytesPerSecond: any())
        sample.rateDelivered = any()
        sample.interval = time()
        sample.priorDelivered = any()
        sample.sent = flag() ? nil : Instant(nanoseconds: any())
        sample.inFlightAtSending = any()
        sample.lostSince = any()
        sample.isAppLimited = flag()
        sample.excess = flag() ? .init(inFlightAtSending: any(), lostSince: any(), bytes: any()) : nil
        sample.lossRuns = any()
        sample.lostSent = flag() ? nil : Instant(nanoseconds: any())
        sample.ecnCapable = any()
        sample.congestionMarked = any()
        sample.isWindowLimited = flag()
        sample.isRestart = flag()
        sample.isTimeout = any() % 16 == 0
        sample.largestDatagram = flag() ? any() : 1_200
        now = dice.next() % 32 == 0 ? Instant(nanoseconds: any()) : now + .nanoseconds(Int64(dice.next() % 100_000_000))
        bbr.isGaming = flag()
        let limits = bbr.onSample(sample, now: now)
        let datagram = min(max(sample.largestDatagram, 1), 1 << 20)
        #expect(limits.window! >= 4 * datagram)
        #expect(limits.pacingRate! > .zero)
        #expect(limits.restartRate.map { $0 > .zero } ?? true)
        #expect(limits.quantum > 0 && limits.quantum <= 65_000)
        #expect(limits.lossThreshold >= 0.02 && limits.lossThreshold <= 0.5)
        _ = bbr.status
        _ = bbr.memory(now: now)
    }
}
