import OxModel
import Testing

@testable import OxCongestion

@Test(arguments: PathPoint.some)
func `entering and exiting PROBE_RTT`(_ point: PathPoint) {
    let model = point.model()
    #expect(model.run(for: .seconds(20)) { $0.state.isProbeBandwidth })
    #expect(model.reach(.probeRoundTrip, within: .seconds(10)))
    #expect(model.bbr.windowGain == 0.5)
    #expect(model.bbr.pacingGain == 1)
    let entered = model.instant
    var smallest = UInt64.max
    model.watch = { model, sample in if model.state == .probeRoundTrip { smallest = min(smallest, sample.inFlight) } }
    #expect(model.run(for: .seconds(5)) { $0.state != .probeRoundTrip })
    #expect(model.instant - entered >= .milliseconds(200))
    #expect(model.instant - entered <= .milliseconds(400) + point.roundTrip * 6)
    #expect(Double(smallest) <= max(0.55 * point.bdp, 4 * Double(point.datagram)))
    #expect(model.state == .probeBandwidth(.cruise))
    #expect(model.bbr.windowGain == 2)
    model.watch = nil
    model.run(for: point.rounds(4))
    #expect(model.flight.inFlight >= UInt64(0.7 * point.bdp))
    // The limited samples of ProbeRTT left the estimate alone.
    #expect(model.isNear(model.bbr.maxBandwidth, to: point.rate, 0.02))
}

@Test(arguments: PathPoint.some)
func `skipping PROBE_RTT due to application-limited sending`(_ point: PathPoint) {
    let model = point.model()
    #expect(model.reach(.probeBandwidth(.cruise), within: .seconds(20)))
    model.offered = 0
    model.run(for: .seconds(8))
    #expect(model.flight.inFlight == 0)
    var restarts = 0
    var states: Set<String> = []
    model.watch = { model, sample in
        if sample.isRestart { restarts += 1 }
        states.insert(model.state.name)
    }
    let restart = model.limits.restartRate
    #expect(model.isNear(Double(restart?.bytesPerSecond ?? 0), to: 0.99 * model.bbr.bandwidth, 0.001))
    model.offered = nil
    model.run(for: point.rounds(3))
    #expect(restarts == 1)
    #expect(!states.contains("probe-rtt"))
    #expect(model.isNear(model.bbr.maxBandwidth, to: point.rate, 0.02))
}

@Test func `a minimum that samples keep confirming needs no PROBE_RTT, with the extension`() {
    for isOn in [false, true] {
        let point = PathPoint(bits: 10e6, milliseconds: 300)
        let model = point.model(extensions: .init(trustsUnloadedRoundTrips: isOn))
        // The handshake's minimum, of a small packet, is forgotten first.
        model.run(for: .seconds(15))
        var wasProbed = false
        model.watch = { model, _ in wasProbed = wasProbed || model.state == .probeRoundTrip }
        model.run(for: .seconds(15))
        #expect(wasProbed == !isOn)
        #expect(model.isNear(model.bbr.minRoundTrip!.inSeconds, to: 0.3, 0.02))
    }
}

@Test func `a round trip that grew for good is believed within two probes, with the extension too`() {
    let point = PathPoint(bits: 10e6, milliseconds: 40)
    let model = point.model(extensions: .init())
    model.run(for: .seconds(10))
    model.link.roundTrip = .milliseconds(90)
    model.run(for: .seconds(25))
    #expect(model.isNear(model.bbr.minRoundTrip!.inSeconds, to: 0.0915, 0.05))
    model.resetCounts()
    model.run(for: .seconds(10))
    #expect(Double(model.counts.through) >= 0.9 * point.rate * 10)
}
