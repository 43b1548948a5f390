import OxModel
import Testing

@testable import OxCongestion

// Beyond the draft: what a tunnel meets, whose packets come from applications in bursts, over radio links and lossy ones.

@Test func `an application that pauses does not keep Startup going once a queue stands`() {
    for isOn in [false, true] {
        var extensions = BBR.Extensions.none
        extensions.measuresThroughQueue = isOn
        var script = Script(extensions: extensions)
        for bits in [1e6, 2e6, 4e6, 8e6] { script.round(bits: bits) }
        script.roundTrip = .milliseconds(80)
        for _ in 0..<24 { script.round(bits: 8e6, inFlight: 160_000, isAppLimited: true) }
        #expect(script.bbr.isFullBandwidthReached == isOn)
    }
}

@Test func `without a queue an application that pauses says nothing of the path`() {
    var script = Script(extensions: .init())
    for bits in [1e6, 2e6, 4e6, 8e6] { script.round(bits: bits) }
    for _ in 0..<20 { script.round(bits: 1e6, isAppLimited: true) }
    #expect(script.bbr.state == .startup)
    #expect(script.bbr.status.maxBandwidth == Rate(bitsPerSecond: 8_000_000))
}

@Test func `the first round-trip time corrects a guessed pacing, with the extension`() {
    for isOn in [false, true] {
        var extensions = BBR.Extensions.none
        extensions.pacesByFirstRoundTrip = isOn
        let now = Instant(nanoseconds: 1_000_000_000)
        var bbr = BBR(largestDatagram: 1_200, seed: 1, now: now, extensions: extensions)
        let guessed = bbr.limits.pacingRate!
        var sample = PathSample()
        sample.roundTrip = .milliseconds(40)
        sample.sent = now
        sample.newlyAcked = 1_200
        sample.delivered = 1_200
        sample.rate = Rate(bytesPerSecond: 30_000)
        let paced = bbr.onSample(sample, now: now + .milliseconds(40)).pacingRate!
        #expect(isOn ? Double(paced.bytesPerSecond) < Double(guessed.bytesPerSecond) / 20 : paced == guessed)
    }
}

@Test func `a lossy path without a bottleneck carries what an application sends`() {
    let point = PathPoint(bits: 100e6, milliseconds: 40)
    let model = point.model({ $0.loss = 0.1 }, extensions: .init())
    model.offered = 3e6 / 8
    model.run(for: .seconds(10))
    model.resetCounts()
    model.run(for: .seconds(20))
    #expect(Double(model.counts.through) >= 0.85 * 20 * 3e6 / 8)
}

@Test func `a path that always loses a twentieth is used all the same`() {
    let point = PathPoint(bits: 100e6, milliseconds: 60)
    let model = point.model({ $0.loss = 0.05 }, extensions: .init())
    model.run(for: .seconds(10))
    model.resetCounts()
    model.run(for: .seconds(20))
    #expect(Double(model.counts.through) >= 0.85 * 20 * point.rate)
}

@Test func `a queue that a full flight has seen does not become the path's round trip`() {
    var script = Script(extensions: .init())
    for bits in [10e6, 20e6, 20e6, 20e6, 20e6] { script.round(bits: bits) }
    script.roundTrip = .seconds(1)
    for _ in 0..<30 { script.round(bits: 1e6, inFlight: 2_000_000) }
    #expect(script.bbr.minRoundTrip == .milliseconds(40))
    for _ in 0..<12 { script.round(bits: 1e6, inFlight: 4 * script.datagram) }
    #expect(script.bbr.minRoundTrip == .seconds(1))
}

@Test func `a queue of more than Startup explains ends it`() {
    for isOn in [false, true] {
        var extensions = BBR.Extensions.none
        extensions.boundsQueueDelay = isOn
        var script = Script(extensions: extensions)
        for bits in [1e6, 2e6, 4e6, 8e6] { script.round(bits: bits) }
        script.roundTrip = .milliseconds(200)
        script.round(bits: 12e6)
        #expect(!script.bbr.isFullBandwidthReached, "one datagram that was late is no queue")
        script.round(bits: 12e6)
        #expect(script.bbr.isFullBandwidthReached == isOn)
    }
}

@Test func `gaming mode ends Startup at the first queue`() {
    var queues: [Double] = []
    for isGaming in [false, true] {
        let point = PathPoint(bits: 20e6, milliseconds: 40)
        let model = point.model({ $0.buffer = 20e6 / 8 * 0.3 }, extensions: .init())
        model.bbr.isGaming = isGaming
        model.run(for: .seconds(3))
        queues.append(model.waits.max() ?? 0)
        model.resetCounts()
        model.run(for: .seconds(20))
        #expect(Double(model.counts.through) >= 0.9 * 20 * point.rate)
    }
    #expect(queues[1] <= queues[0])
}

@Test func `where the rate fell a probe follows soon after the queue has gone`() {
    var probes: [Int] = []
    for isOn in [false, true] {
        let point = PathPoint(bits: 20e6, milliseconds: 40)
        var extensions = BBR.Extensions()
        extensions.boundsQueueDelay = isOn
        let model = point.model({ $0.buffer = 1e6 }, extensions: extensions)
        model.run(for: .seconds(10))
        model.link.rate /= 10
        model.run(for: .seconds(1))
        model.link.rate *= 10
        var count = 0
        var before = model.state
        model.watch = { model, _ in
            if model.state == .probeBandwidth(.up), before != model.state { count += 1 }
            before = model.state
        }
        model.run(for: .seconds(5))
        probes.append(count)
    }
    #expect(probes[1] > probes[0])
}

@Test func `jitter beside a thin flow is no queue, and ends neither Startup nor a probe`() {
    var script = Script(extensions: .init())
    var dice = ProbeDice(seed: 7)
    for _ in 0..<200 {
        script.roundTrip = .milliseconds(40) + .nanoseconds(Int64(dice.unit() * 20e6))
        script.round(bits: 0.3e6, inFlight: script.datagram / 2, isAppLimited: true)
    }
    #expect(script.bbr.state == .startup)
    #expect(!script.bbr.isFullBandwidthReached)
}

@Test func `a queue is told from jitter by what lies between two round-trip times`() {
    var delay = QueueDelay()
    for _ in 0..<20 {
        for _ in 0..<4 { delay.note(.milliseconds(60)) }
        delay.endRound(minRoundTrip: .milliseconds(40), variance: .zero)
    }
    #expect(delay.isInLastRound)
    #expect(delay.threshold == .milliseconds(45))
    for round in 0..<40 {
        for sample in 0..<4 { delay.note(.milliseconds(45 + (round + sample) % 3 * 8)) }
        delay.endRound(minRoundTrip: .milliseconds(40), variance: .zero)
    }
    #expect(!delay.isInLastRound)
}

@Test func `the quickest of two datagrams decides nothing yet`() {
    var delay = QueueDelay()
    for _ in 0..<2 { delay.note(.milliseconds(90)) }
    delay.endRound(minRoundTrip: .milliseconds(40), variance: .zero)
    #expect(!delay.isInLastRound)
    delay.note(.milliseconds(90))
    delay.endRound(minRoundTrip: .milliseconds(40), variance: .zero)
    #expect(delay.isInLastRound)
}
