import OxModel
import Testing

@testable import OxCongestion

// The draft's example test cases on PROBE_BW, by their headings.

@Test(arguments: PathPoint.some)
func `exiting PROBE_UP on bandwidth plateau`(_ point: PathPoint) {
    let model = point.model()
    #expect(model.reach(.probeBandwidth(.up), within: .seconds(20)))
    #expect(model.bbr.pacingGain == 1.25)
    #expect(model.bbr.windowGain == 2.25)
    #expect(model.bbr.fullBandwidthCount == 0)
    let begin = model.bbr.roundCount
    var countAtExit: Int?
    model.watch = { model, _ in
        if countAtExit == nil, model.state == .probeBandwidth(.down) { countAtExit = model.bbr.fullBandwidthCount }
    }
    #expect(model.reach(.probeBandwidth(.down), within: point.rounds(20)))
    #expect(countAtExit == 3)
    #expect(model.bbr.isFullBandwidthNow)
    #expect(model.bbr.roundCount >= begin + 3)
    #expect(model.counts.dropped == 0)
}

@Test(arguments: PathPoint.some)
func `exiting PROBE_UP on loss when application-limited`(_ point: PathPoint) {
    let model = point.model()
    #expect(model.reach(.probeBandwidth(.cruise), within: .seconds(20)))
    model.offered = point.rate * 0.8
    model.run(for: point.rounds(2))
    #expect(model.reach(.probeBandwidth(.up), within: .seconds(20)))
    model.link.loss = 0.2
    let before = model.bbr.inflightLongTerm
    var isLimited = false
    model.watch = { _, sample in isLimited = sample.isAppLimited }
    #expect(model.run(for: point.rounds(20)) { $0.state != .probeBandwidth(.up) })
    // With so little in flight DOWN is over in the sample that begins it.
    #expect(model.bbr.cycleStart == model.instant)
    #expect(isLimited)
    #expect(model.bbr.wasProbeTooHigh)
    // Nothing about the volume was learned from a sender that did not use it.
    #expect(model.bbr.inflightLongTerm == before)
}

@Test(arguments: PathPoint.some)
func `exiting PROBE_DOWN on inflight`(_ point: PathPoint) {
    let model = point.model()
    #expect(model.reach(.probeBandwidth(.up), within: .seconds(20)))
    #expect(model.reach(.probeBandwidth(.down), within: .seconds(20)))
    #expect(model.bbr.pacingGain == 0.9)
    let held = model.run(for: .seconds(20)) { $0.state != .probeBandwidth(.down) }
    #expect(held)
    // At 300 ms and more the wait can end first.
    guard model.state == .probeBandwidth(.cruise) else {
        #expect(model.instant > model.bbr.cycleStart)
        return
    }
    let inFlight = Double(model.flight.inFlight) - Double(model.datagram)
    #expect(inFlight <= model.bbr.inflightWithHeadroom)
    #expect(inFlight <= model.bbr.inflight(1, bandwidth: model.bbr.maxBandwidth))
}

@Test func `exiting PROBE_DOWN after max time`() {
    // A tenth less bandwidth: sending at 0.9 of the old one keeps the queue as long as it is.
    let point = PathPoint(bits: 100e6, milliseconds: 60)
    let model = point.model()
    #expect(model.reach(.probeBandwidth(.up), within: .seconds(20)))
    #expect(model.reach(.probeBandwidth(.down), within: .seconds(20)))
    model.link.rate *= 0.88
    // No ProbeRTT in between.
    model.bbr.probeMinStamp = model.instant
    let start = model.bbr.cycleStart
    let wait = model.bbr.probeWait
    #expect(wait >= .seconds(2) && wait <= .seconds(3))
    var states: Set<String> = []
    model.watch = { model, _ in states.insert(model.state.name) }
    #expect(model.reach(.probeBandwidth(.refill), within: .seconds(4)))
    #expect(!states.contains("probe-bw-cruise"))
    #expect(model.instant > start + wait || model.bbr.roundsSinceProbeUp >= 60)
}

@Test(arguments: PathPoint.some)
func `achieving expected cruise bandwidth on a link with aggregation`(_ point: PathPoint) {
    let model = point.model()
    #expect(model.reach(.probeBandwidth(.cruise), within: .seconds(20)))
    model.link.slot = point.roundTrip / 2
    model.run(for: point.rounds(3))
    #expect(model.bbr.extraAcked >= 0.2 * point.bdp)
    #expect(model.bbr.maxInflight >= 2 * model.bbr.bandwidthDelayProduct + model.bbr.extraAcked - 1)
    model.resetCounts()
    let begin = model.seconds
    model.run(for: .seconds(4))
    #expect(Double(model.counts.through) >= 0.9 * point.rate * (model.seconds - begin))
}

@Test func `aggregation is remembered for ten rounds`() {
    var script = Script()
    for bits in [10e6, 20e6, 20e6, 20e6, 20e6] { script.round(bits: bits) }
    #expect(script.bbr.isFullBandwidthReached)
    for _ in 0..<12 { script.round(bits: 20e6) }
    let calm = script.bbr.extraAcked
    script.round(bits: 20e6) { $0.newlyAcked *= 2 }
    let raised = script.bbr.extraAcked
    #expect(raised >= calm + 50_000)
    for _ in 0..<10 {
        script.round(bits: 20e6) { $0.newlyAcked /= 2 }
        #expect(script.bbr.extraAcked == raised)
    }
    script.round(bits: 20e6) { $0.newlyAcked /= 2 }
    #expect(script.bbr.extraAcked < raised)
}

@Test(arguments: [PathPoint(bits: 64e3, milliseconds: 1), PathPoint(bits: 1e6, milliseconds: 1)])
func `correctly managing sub-packet BDPs`(_ point: PathPoint) {
    let model = point.model { $0.buffer = 30_000 }
    #expect(model.run(for: .seconds(30)) { $0.state.isProbeBandwidth })
    var smallest = UInt64.max
    model.watch = { model, _ in smallest = min(smallest, model.limits.window ?? 0) }
    model.resetCounts()
    let begin = model.seconds
    model.run(for: .seconds(20))
    #expect(smallest >= 4 * model.datagram)
    #expect(model.isNear(model.bbr.maxBandwidth, to: point.rate, 0.03))
    #expect(Double(model.counts.through) >= 0.95 * point.rate * (model.seconds - begin))
    #expect(model.limits.quantum == 2 * model.datagram)
}

@Test(arguments: [
    PathPoint(bits: 10e6, milliseconds: 40),
    PathPoint(bits: 1e9, milliseconds: 20),
    PathPoint(bits: 1e6, milliseconds: 100),
])
func `increasing bandwidth 10x and ensuring full bandwidth is reached`(_ point: PathPoint) {
    let model = point.model()
    #expect(model.run(for: .seconds(20)) { $0.state == .probeBandwidth(.cruise) })
    model.link.rate *= 10
    model.link.buffer *= 10
    #expect(model.reach(.probeBandwidth(.up), within: .seconds(5)))
    let begin = model.bbr.roundCount
    #expect(model.run(for: .seconds(20)) { $0.bbr.maxBandwidth >= 0.95 * $0.link.rate })
    // 1.25 a round at the least, and cycles between.
    #expect(model.bbr.roundCount <= begin + 150)
}

@Test func `inflight_longterm grows by a step that doubles each round`() {
    let point = PathPoint(bits: 10e6, milliseconds: 40)
    let model = point.model()
    #expect(model.reach(.probeBandwidth(.refill), within: .seconds(20)))
    model.link.rate *= 10
    model.link.buffer *= 10
    model.bbr.inflightLongTerm = 1.05 * point.bdp
    model.bbr.window = model.bbr.inflightLongTerm
    #expect(model.reach(.probeBandwidth(.up), within: point.rounds(3)))
    var bounds: [Double] = [model.bbr.inflightLongTerm]
    model.watch = { model, _ in
        if model.bbr.isRoundStart, model.state == .probeBandwidth(.up) { bounds.append(model.bbr.inflightLongTerm) }
    }
    #expect(model.run(for: point.rounds(20)) { $0.bbr.inflightLongTerm > 3 * point.bdp })
    #expect(model.state == .probeBandwidth(.up))
    let steps = zip(bounds, bounds.dropFirst()).map { ($1 - $0) / 1_200 }
    // 1, 2, 4, 8 datagrams a round, and their acknowledgments reach into the next.
    let large = steps.filter { $0 >= 4 }
    #expect(large.count >= 3)
    for (earlier, later) in zip(large, large.dropFirst()).dropLast() { #expect(later >= 1.4 * earlier) }
}

@Test(arguments: [
    PathPoint(bits: 100e6, milliseconds: 40),
    PathPoint(bits: 1e9, milliseconds: 10),
    PathPoint(bits: 10e6, milliseconds: 100),
])
func `decreasing bandwidth 10x and ensuring max bandwidth adapts down`(_ point: PathPoint) {
    let model = point.model { $0.buffer = point.bdp }
    #expect(model.reach(.probeBandwidth(.cruise), within: .seconds(20)))
    model.link.rate /= 10
    model.link.buffer /= 10
    model.queued = min(model.queued, model.link.buffer)
    let slow = model.link.rate
    #expect(model.run(for: .seconds(3)) { $0.bbr.bandwidthShortTerm < 0.75 * point.rate })
    #expect(model.run(for: .seconds(3)) { $0.bbr.bandwidth <= 1.5 * slow })
    let cycle = model.bbr.bandwidthFilter.cycle
    #expect(model.run(for: .seconds(30)) { $0.bbr.bandwidthFilter.cycle >= cycle + 3 })
    #expect(model.bbr.maxBandwidth <= 1.1 * slow)
    #expect(model.bbr.maxBandwidth >= 0.9 * slow)
}

@Test(arguments: [
    PathPoint(bits: 10e6, milliseconds: 40),
    PathPoint(bits: 100e6, milliseconds: 20),
    PathPoint(bits: 2e6, milliseconds: 100),
])
func `handling token bucket policers`(_ point: PathPoint) {
    let token = point.rate
    let model = PathModel(
        .init(rate: token * 10, roundTrip: point.roundTrip), datagram: point.datagram)
    model.link.policer = .init(rate: token, bucket: max(token * 0.05, 20 * Double(point.datagram)))
    var isCut = false
    model.watch = { model, _ in
        isCut = isCut || (model.bbr.bandwidthShortTerm.isFinite && model.bbr.inflightShortTerm.isFinite)
    }
    #expect(model.run(for: .seconds(20)) { $0.state.isProbeBandwidth })
    model.run(for: .seconds(5))
    #expect(isCut)
    model.resetCounts()
    let begin = model.seconds
    model.run(for: .seconds(15))
    #expect(Double(model.counts.dropped * model.datagram) <= 0.05 * Double(model.counts.sent))
    #expect(Double(model.counts.through) >= 0.75 * token * (model.seconds - begin))
}

@Test(arguments: PathPoint.some)
func `handling loss during PROBE_UP after inflight_longterm is set`(_ point: PathPoint) {
    let model = point.model { $0.buffer = max(0.6 * point.bdp, 6 * Double(point.datagram)) }
    // A shallow buffer sets the bound by itself, in Startup or in a probe.
    #expect(model.run(for: .seconds(60)) { $0.bbr.inflightLongTerm.isFinite && $0.state == .probeBandwidth(.cruise) })
    model.bbr.wasProbeTooHigh = false
    #expect(model.reach(.probeBandwidth(.up), within: .seconds(30)))
    let bound = model.bbr.inflightLongTerm
    model.link.loss = 0.3
    var target = 0.0
    model.watch = { model, _ in if model.state == .probeBandwidth(.up) { target = model.bbr.targetInflight } }
    #expect(model.run(for: point.rounds(8)) { $0.state != .probeBandwidth(.up) })
    #expect(model.state == .probeBandwidth(.down))
    #expect(model.bbr.wasProbeTooHigh || model.bbr.wasProbePrecautionary)
    #expect(model.bbr.inflightLongTerm <= bound * 1.3)
    #expect(model.bbr.inflightLongTerm >= 0.7 * target * 0.9)
}

@Test func `excess loss in PROBE_UP cuts inflight_longterm by beta at most`() {
    var script = Script()
    for bits in [10e6, 20e6, 20e6, 20e6, 20e6] { script.round(bits: bits) }
    script.reach(.probeBandwidth(.up), bits: 20e6)
    script.bbr.inflightLongTerm = 150_000
    let target = script.bbr.targetInflight
    script.round(bits: 20e6) { sample in
        sample.newlyLost = 12_000
        sample.lostSent = sample.sent
        sample.lossRuns = 3
        sample.inFlightAtSending = 20_000
        sample.excess = .init(inFlightAtSending: 20_000, lostSince: 12_000, bytes: 1_200)
    }
    #expect(script.bbr.state == .probeBandwidth(.down))
    #expect(script.bbr.wasProbeTooHigh)
    #expect(abs(script.bbr.inflightLongTerm - 0.7 * target) < 1)
}

@Test(arguments: PathPoint.some)
func `handling application-limited sending during PROBE_REFILL`(_ point: PathPoint) {
    let model = point.model()
    #expect(model.reach(.probeBandwidth(.refill), within: .seconds(20)))
    model.offered = point.rate * 0.2
    let known = model.bbr.maxBandwidth
    var lowSeen = false
    model.watch = { model, sample in
        if sample.isAppLimited, let rate = sample.bandwidth, rate < 0.8 * known { lowSeen = true }
        #expect(model.bbr.maxBandwidth >= known)
    }
    #expect(model.reach(.probeBandwidth(.up), within: point.rounds(8)))
    model.run(for: point.rounds(4))
    #expect(lowSeen)
    #expect(model.bbr.maxBandwidth == known)
    model.watch = nil
    model.offered = nil
    #expect(model.reach(.probeBandwidth(.down), within: .seconds(20)))
    #expect(model.isNear(model.bbr.maxBandwidth, to: point.rate, 0.05))
}
