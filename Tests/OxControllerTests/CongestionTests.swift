import OxController
import OxModel
import Testing

/// How a path comes to its limits, and loses them.
@Suite struct CongestionTests {
    static func limits(_ commands: [Command]) -> [PathLimits] {
        commands.compactMap { if case .setLimits(alice, .first, let limits) = $0 { limits } else { nil } }
    }

    /// What feedback says of a path that carries 1.25 MB/s in 40 ms, which the sender fills.
    static func sample(delivered: UInt64, urgent: UInt64 = 0, times scale: UInt64 = 1, at now: Instant) -> PathSample {
        var sample = PathSample()
        sample.roundTrip = .milliseconds(40)
        sample.smoothedRoundTrip = .milliseconds(40)
        sample.roundTripVariance = .milliseconds(1)
        sample.delivered = delivered * scale
        sample.newlyAcked = 50_000 * scale
        sample.inFlight = 50_000 * scale
        sample.priorInFlight = 100_000 * scale
        sample.rate = Rate(bytesPerSecond: 1_250_000 * scale)
        sample.rateDelivered = 50_000 * scale
        sample.interval = .milliseconds(40)
        sample.priorDelivered = (delivered - 50_000) * scale
        sample.sent = now - .milliseconds(40)
        sample.inFlightAtSending = 50_000 * scale
        sample.isWindowLimited = true
        sample.backlog = 100_000
        sample.urgent = urgent
        return sample
    }

    /// Rounds of 40 ms in which the path is full. Returns the limits that were last said.
    static func fill(_ story: inout Story, rounds: Int, urgent: UInt64 = 0, times scale: UInt64 = 1) -> PathLimits? {
        var last: PathLimits?
        for round in 1...rounds {
            story.now += .milliseconds(40)
            let sample = sample(delivered: UInt64(round) * 50_000, urgent: urgent, times: scale, at: story.now)
            story.handle(.pathSampled(alice, .first, sample))
            last = limits(story.take()).last ?? last
        }
        return last
    }

    @Test func `a session has limits from its first moment, and finds its rate`() throws {
        var story = Story(congestion: CongestionSettings())
        _ = story.connect()
        let first = try #require(Self.limits(story.take()).last)
        #expect(first.pacingRate != nil)
        #expect(first.window.map { $0 > 0 } ?? false)
        let last = try #require(Self.fill(&story, rounds: 40))
        let rate = try #require(last.pacingRate)
        #expect(rate.bytesPerSecond > 900_000 && rate.bytesPerSecond < 2_000_000)
        let status = try #require(story.status.congestion)
        #expect(status.maxBandwidth.bytesPerSecond == 1_250_000)
    }

    @Test func `limits that hardly differ are not said again`() {
        var story = Story(congestion: CongestionSettings())
        _ = story.connect()
        _ = Self.fill(&story, rounds: 60)
        _ = story.take()
        // Feedback of a keepalive, again and again.
        for _ in 1...20 {
            story.now += .milliseconds(1)
            var sample = Self.sample(delivered: 60 * 50_000, at: story.now)
            sample.newlyAcked = 1
            sample.rate = nil
            sample.isAppLimited = true
            sample.isWindowLimited = false
            story.handle(.pathSampled(alice, .first, sample))
        }
        #expect(Self.limits(story.take()).count < 5)
    }

    @Test func `without congestion control there are no limits, and a reload switches it`() throws {
        var local = LocalSettings(congestion: CongestionSettings(isOn: false))
        var story = Story()
        _ = story.connect()
        #expect(Self.limits(story.take()).isEmpty)
        #expect(story.status.congestion == nil)
        local.congestion.isOn = true
        story.controller.updateLocal(local)
        #expect(Self.limits(story.take()).last?.pacingRate != nil)
        local.congestion.isOn = false
        story.controller.updateLocal(local)
        #expect(Self.limits(story.take()) == [.none])
    }

    @Test func `a path to another place begins anew, and one back home remembers`() throws {
        var story = Story(congestion: CongestionSettings())
        let session = story.connect()
        let filled = try #require(Self.fill(&story, rounds: 40, times: 10)?.window)
        story.handle(.addressChanged(session, cafe))
        let challenge = try #require(challenges(story.take()).last)
        story.handle(.challengeAnswered(session, token: challenge.token, from: cafe))
        let elsewhere = try #require(Self.limits(story.take()).last?.window)
        #expect(elsewhere < filled)
        story.pass(.seconds(1))
        _ = story.take()
        story.handle(.addressChanged(session, home))
        let back = try #require(challenges(story.take()).last)
        story.handle(.challengeAnswered(session, token: back.token, from: home))
        let remembered = try #require(Self.limits(story.take()).last?.window)
        #expect(remembered > elsewhere)
    }

    @Test func `another port of the same address is the same path`() throws {
        var story = Story(congestion: CongestionSettings())
        let session = story.connect()
        _ = Self.fill(&story, rounds: 40)
        var rebound = home
        rebound.port &+= 1
        story.handle(.addressChanged(session, rebound))
        let challenge = try #require(challenges(story.take()).last)
        story.handle(.challengeAnswered(session, token: challenge.token, from: rebound))
        #expect(Self.limits(story.take()).isEmpty)
        #expect(story.status.congestion?.maxBandwidth.bytesPerSecond == 1_250_000)
    }

    @Test func `the same limits are said again after a restart out of idleness`() throws {
        var story = Story(congestion: CongestionSettings())
        _ = story.connect()
        _ = Self.fill(&story, rounds: 40)
        _ = story.take()
        story.now += .milliseconds(1)
        var sample = Self.sample(delivered: 40 * 50_000, at: story.now)
        sample.newlyAcked = 1
        sample.rate = nil
        sample.isRestart = true
        story.handle(.pathSampled(alice, .first, sample))
        #expect(Self.limits(story.take()).count == 1)
    }

    @Test func `samples of what was sent before the path began say nothing of it`() throws {
        var story = Story(congestion: CongestionSettings())
        _ = story.connect()
        var sample = Self.sample(delivered: 50_000, at: story.now)
        sample.sent = story.now - .milliseconds(1)
        _ = story.take()
        story.handle(.pathSampled(alice, .first, sample))
        #expect(Self.limits(story.take()).isEmpty)
        #expect(story.status.congestion?.minRoundTrip != .milliseconds(40))
    }

    @Test func `gaming mode is on while there are urgent packets, and for a moment after`() throws {
        var story = Story(congestion: CongestionSettings())
        _ = story.connect()
        #expect(Self.fill(&story, rounds: 10)?.urgentGoAhead == false)
        #expect(Self.fill(&story, rounds: 10, urgent: 500)?.urgentGoAhead == true)
        story.now += .seconds(6)
        #expect(Self.fill(&story, rounds: 10)?.urgentGoAhead == false)
    }

    @Test func `forecasts count where they are asked for`() throws {
        for heeds in [false, true] {
            var story = Story(congestion: CongestionSettings(heedsForecasts: heeds))
            _ = story.connect()
            let before = try #require(Self.fill(&story, rounds: 40)?.pacingRate)
            story.handle(.pacingForecast(alice, .first, scale: 0.5)) // 0.9 is the least
            let after = Self.limits(story.take()).last?.pacingRate
            if heeds {
                let scaled = try #require(after)
                #expect(scaled < before && scaled > before * 0.85)
            } else {
                #expect(after == nil)
            }
        }
    }

    @Test func `holds are said when they are always on, and never for urgent classes`() throws {
        var story = Story(congestion: CongestionSettings(hold: .on))
        _ = story.connect()
        let limits = try #require(Self.limits(story.take()).last)
        #expect(limits.holds[.general].map { $0 > .zero } ?? false)
        #expect(limits.holds[.realtime, default: .zero] == .zero)
        #expect(limits.holds[.gaming, default: .zero] == .zero)
    }
}
