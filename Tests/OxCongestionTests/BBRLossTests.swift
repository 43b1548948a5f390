import OxModel
import Testing

@testable import OxCongestion

/// In PROBE_UP everything of a window is overtaken, and declared lost, but comes later.
private func spurious(isTimeout: Bool) {
    var script = Script()
    for bits in [10e6, 20e6, 20e6, 20e6, 20e6] { script.round(bits: bits) }
    script.reach(.probeBandwidth(.up), bits: 20e6)
    script.bbr.inflightLongTerm = 150_000
    script.bbr.window = 150_000
    script.round(bits: 20e6)
    let before = script.bbr
    #expect(before.state == .probeBandwidth(.up))
    script.round(bits: 20e6, inFlight: 60_000) { sample in
        sample.newlyLost = 24_000
        sample.lostSent = sample.sent
        sample.lossRuns = 2
        sample.isTimeout = isTimeout
        sample.excess = .init(inFlightAtSending: 60_000, lostSince: 24_000, bytes: 1_200)
        if isTimeout {
            sample.sent = nil
            sample.newlyAcked = 0
            sample.rate = nil
            sample.inFlight = 0
        }
    }
    // SaveStateUponLoss()
    #expect(script.bbr.undo.bandwidthShortTerm == before.bandwidthShortTerm)
    #expect(script.bbr.undo.inflightShortTerm == before.inflightShortTerm)
    #expect(script.bbr.undo.inflightLongTerm == before.inflightLongTerm)
    #expect(script.bbr.undo.state == .probeBandwidth(.up))
    #expect(script.bbr.state == .probeBandwidth(.down))
    #expect(script.bbr.inflightLongTerm < before.inflightLongTerm)
    if isTimeout { #expect(script.bbr.limits.window == 4 * script.datagram) }
    // Half of it is not yet enough.
    script.now += .milliseconds(1)
    script.round(bits: 20e6) { $0.newlyLate = 12_000 }
    #expect(script.bbr.undo.state == .probeBandwidth(.up))
    script.round(bits: 20e6) { $0.newlyLate = 12_000 }
    // HandleSpuriousLossDetection()
    #expect(script.bbr.undo.state == nil)
    #expect(script.bbr.inflightLongTerm >= before.inflightLongTerm)
    #expect(script.bbr.inflightShortTerm == .infinity)
    #expect(script.bbr.bandwidthShortTerm == .infinity)
    #expect(script.bbr.window >= before.window * 0.6)
    #expect(script.bbr.state == .probeBandwidth(.refill))
    script.reach(.probeBandwidth(.up), bits: 20e6)
}

@Test func `handling spurious fast recovery`() { spurious(isTimeout: false) }

@Test func `handling spurious RTO recovery`() { spurious(isTimeout: true) }

@Test(arguments: PathPoint.some)
func `reordering on a path undoes what it did`(_ point: PathPoint) {
    let model = point.model()
    #expect(model.reach(.probeBandwidth(.up), within: .seconds(20)))
    let known = model.bbr.maxBandwidth
    let first = model.flight.nextNumber
    // Eight datagrams in a row stay behind for half a round trip.
    model.link.extraDelay = { [roundTrip = point.roundTrip] number in
        number >= first + 4 && number < first + 12 ? roundTrip / 2 : .zero
    }
    var late: UInt64 = 0
    var lost: UInt64 = 0
    model.watch = { _, sample in
        late += sample.newlyLate
        lost += sample.newlyLost
    }
    model.run(for: point.rounds(4))
    #expect(lost > 0)
    #expect(late == lost)
    #expect(model.bbr.undo.state == nil)
    #expect(model.bbr.inflightShortTerm == .infinity)
    #expect(model.bbr.maxBandwidth >= 0.98 * known)
}

@Test func `a spurious loss in STARTUP goes back to STARTUP`() {
    var script = Script()
    for bits in [1e6, 2e6, 4e6] { script.round(bits: bits) }
    script.round(bits: 8e6) { sample in
        sample.newlyLost = 7_200
        sample.lossRuns = 6
        sample.lostSent = sample.sent
        sample.lostSince = 7_200
    }
    script.round(bits: 8e6) { $0.lostSince = 7_200 }
    #expect(script.bbr.isFullBandwidthReached)
    #expect(script.bbr.undo.state == .startup)
    script.round(bits: 8e6) { $0.newlyLate = 7_200 }
    #expect(script.bbr.state == .startup)
    #expect(!script.bbr.isFullBandwidthReached)
    #expect(script.bbr.inflightLongTerm == .infinity)
}

@Test(arguments: [0.01, 0.05])
func `random loss takes little of the rate`(_ loss: Double) {
    let point = PathPoint(bits: 100e6, milliseconds: 60)
    for seed in 1...2 {
        var link = point.link
        link.loss = loss
        let model = PathModel(link, datagram: 3_000, seed: UInt64(seed), extensions: .init())
        model.run(for: .seconds(3))
        model.resetCounts()
        model.run(for: .seconds(8))
        let used = Double(model.counts.through) / (8 * point.rate)
        #expect(used >= (loss < 0.02 ? 0.9 : 0.8), "\(used)")
        if loss > 0.02 { #expect(abs(model.bbr.status.randomLoss - loss) < loss) }
    }
}

@Test func `loss that the sender causes is not taken for the path's own`() {
    let token = 10e6 / 8
    let model = PathModel(.init(rate: token * 10, roundTrip: .milliseconds(40)), extensions: .init())
    model.link.policer = .init(rate: token, bucket: 60_000)
    model.run(for: .seconds(5))
    model.resetCounts()
    model.run(for: .seconds(15))
    #expect(Double(model.counts.dropped * model.datagram) <= 0.03 * Double(model.counts.sent))
    #expect(model.bbr.status.randomLoss < 0.02)
}
