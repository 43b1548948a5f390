import OxModel
import Testing

@testable import OxCongestion

// The draft's example test cases on STARTUP and DRAIN, by their headings.

@Test(arguments: PathPoint.all)
func `exiting STARTUP on bandwidth plateau`(_ point: PathPoint) {
    let model = point.model()
    var countBefore = 0
    var countAtExit: Int?
    model.watch = { model, _ in
        if countAtExit == nil, model.bbr.isFullBandwidthReached { countAtExit = model.bbr.fullBandwidthCount }
        countBefore = model.bbr.fullBandwidthCount
    }
    #expect(model.state == .startup)
    #expect(model.reach(.drain, within: point.rounds(40)))
    #expect(model.isNear(model.bbr.maxBandwidth, to: point.rate, 0.02))
    #expect(countAtExit == 3)
    #expect(countBefore <= 3)
    #expect(model.bbr.isFullBandwidthNow)
    #expect(model.bbr.isFullBandwidthReached)
}

@Test(arguments: PathPoint.some)
func `exiting STARTUP on loss when application-limited`(_ point: PathPoint) {
    let model = point.model()
    model.offered = point.rate * 0.5
    model.run(for: point.rounds(6))
    #expect(model.state == .startup)
    #expect(!model.bbr.isFullBandwidthReached)
    model.link.loss = 0.25
    var isLimited = false
    model.watch = { _, sample in isLimited = sample.isAppLimited }
    #expect(model.run(for: point.rounds(20)) { $0.state != .startup })
    // With so little in flight DRAIN is over in the sample that begins it.
    #expect(model.bbr.drainStartRound == model.bbr.roundCount)
    #expect(isLimited)
    #expect(model.bbr.isFullBandwidthNow)
    #expect(model.bbr.isFullBandwidthReached)
    #expect(model.bbr.inflightLongTerm.isFinite)
}

@Test func `six runs of lost datagrams end STARTUP and five do not`() {
    for (runs, isEnded) in [(UInt64(5), false), (6, true)] {
        var script = Script()
        for bits in [1e6, 2e6, 4e6] { script.round(bits: bits) }
        script.round(bits: 8e6) { sample in
            sample.newlyLost = 6_000
            sample.lossRuns = runs
            sample.lostSent = sample.sent
            sample.lostSince = 6_000
        }
        #expect(script.bbr.state == .startup)
        script.round(bits: 16e6) { $0.lostSince = 6_000 }
        #expect((script.bbr.state != .startup) == isEnded)
    }
}

// At round trips of a second ProbeRTT, due after 5 s, comes first.
@Test(arguments: PathPoint.all.filter { $0.milliseconds < 1_000 })
func `exiting DRAIN based on inflight`(_ point: PathPoint) {
    let model = point.model()
    #expect(model.reach(.drain, within: point.rounds(40)))
    #expect(model.bbr.pacingGain == 0.5)
    #expect(model.bbr.windowGain == 2)
    let begin = model.bbr.roundCount
    #expect(model.run(for: point.rounds(10)) { $0.state != .drain })
    #expect(model.state.isProbeBandwidth)
    #expect(Double(model.flight.inFlight) <= model.bbr.inflight(1) + Double(model.datagram))
    #expect(model.bbr.roundCount <= begin + 3)
}

@Test func `exiting DRAIN based on time`() {
    var script = Script()
    for bits in [10e6, 20e6, 40e6, 80e6, 100e6, 100e6] { script.round(bits: bits) }
    // A tenth less, and what is in flight does not shrink.
    script.reach(.drain, bits: 100e6, inFlight: 900_000)
    let start = script.bbr.drainStartRound
    while script.bbr.state == .drain {
        #expect(script.bbr.roundCount <= start + 3)
        script.round(bits: 90e6, inFlight: 900_000)
        #expect(900_000 > script.bbr.inflight(1))
    }
    #expect(script.bbr.roundCount == start + 4)
    #expect(script.bbr.state == .probeBandwidth(.down))
}

@Test(arguments: [true, false])
func `never exiting PROBE_UP (or STARTUP) when application-limited with no loss`(_ isStartup: Bool) {
    for point in PathPoint.some {
        let model = point.model()
        let state: BBR.State = isStartup ? .startup : .probeBandwidth(.up)
        if !isStartup { #expect(model.reach(state, within: .seconds(20))) }
        let limited = isStartup ? point.rate * 0.3 : point.rate * 0.8
        model.offered = limited
        if !isStartup {
            // What was sent before the limit may still complete the estimate: a probe that began limited is meant.
            model.run(for: point.rounds(6))
            #expect(model.reach(state, within: .seconds(20)))
        }
        // No ProbeRTT, which would end a probe.
        model.bbr.probeMinStamp = model.instant + .seconds(100)
        var left = false
        model.watch = { model, sample in
            if sample.isAppLimited, model.state != state { left = true }
        }
        model.run(for: .seconds(4))
        #expect(!left, "\(point.testDescription)")
        #expect(model.bbr.maxBandwidth <= point.rate * 1.02)
    }
}

@Test(arguments: [PathPoint(bits: 10e6, milliseconds: 40), PathPoint(bits: 1e6, milliseconds: 300)])
func `entering and exiting PROBE_RTT during STARTUP`(_ point: PathPoint) {
    let model = point.model()
    model.offered = point.rate * 0.4
    #expect(model.reach(.probeRoundTrip, within: .seconds(8)))
    #expect(!model.bbr.isFullBandwidthReached)
    #expect(model.seconds > 5)
    #expect(model.run(for: .seconds(3)) { $0.state != .probeRoundTrip })
    #expect(model.state == .startup)
    model.offered = nil
    #expect(model.reach(.drain, within: point.rounds(40)))
    #expect(model.isNear(model.bbr.maxBandwidth, to: point.rate, 0.02))
}

@Test(arguments: PathPoint.some)
func `achieving expected STARTUP bandwidth on a link with aggregation`(_ point: PathPoint) {
    let model = point.model { $0.slot = point.roundTrip / 4 }
    var isRaised = false
    var rates: [Double] = []
    model.watch = { model, sample in
        let bbr = model.bbr
        if bbr.isRoundStart { rates.append(bbr.maxBandwidth) }
        isRaised = isRaised || (bbr.extraAcked > 0 && bbr.maxInflight > 2 * bbr.bandwidthDelayProduct)
        #expect((sample.bandwidth ?? 0) <= point.rate * 1.3)
    }
    #expect(model.reach(.drain, within: point.rounds(40)))
    #expect(isRaised)
    #expect(model.bbr.maxBandwidth >= point.rate * 0.95)
    #expect(model.bbr.maxBandwidth <= point.rate * 1.3)
    // Doubled, as long as the link was not full: in every two rounds at least.
    for (earlier, later) in zip(rates, rates.dropFirst(2)) where later < point.rate * 0.5 && earlier > 0 {
        #expect(later >= earlier * 1.5)
    }
}
