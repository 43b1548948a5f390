import OxController
import OxModel
import OxTraffic
import Testing

/// How a path comes to its orders for repair, and loses them.
@Suite struct RepairTests {
    private static let both: FeatureSet = [.batch, .repair]

    static func repairs(_ commands: [Command]) -> [PathRepair] {
        commands.compactMap { if case .setRepair(alice, .first, let repair) = $0 { repair } else { nil } }
    }

    /// A game of 60 packets a second, for so many seconds, of which every 20th is lost.
    static func play(_ story: inout Story, on session: SessionID, seconds: Int, loses: Bool = true) {
        for step in 0..<seconds * 10 {
            story.now += .milliseconds(100)
            var sample = PathSample()
            sample.roundTrip = .milliseconds(60)
            sample.smoothedRoundTrip = .milliseconds(60)
            sample.sent = story.now - .milliseconds(60)
            sample.datagramsArrived = 6
            if loses, step % 3 == 0 {
                sample.datagramsArrived = 5
                sample.datagramsLost = 1
                sample.lossRuns = 1
            }
            story.handle(.pathSampled(alice, .first, sample))
            guard step % 2 == 0 else { continue }
            let sent = story.now.nanoseconds * 60 / 1_000_000_000
            let load = RepairLoad(sparseDatagrams: sent, sparseBytes: sent * 111, sparseGap: .microseconds(16_667))
            story.handle(.activity(session, Activity(lastSent: story.now, repairLoads: [.gaming: load])))
        }
    }

    private static func story(_ local: FeatureSet = both) -> Story { Story(local: LocalSettings(features: local)) }

    @Test func `a session that agreed to it is watched, and repaired when it loses`() throws {
        var story = Self.story()
        let session = story.connect(offer(features: Self.both))
        #expect(Self.repairs(story.take()) == [PathRepair(watches: true)])
        Self.play(&story, on: session, seconds: 5)
        let repair = try #require(Self.repairs(story.take()).last)
        #expect(repair.watches)
        #expect(repair.orders[.gaming]?.copies.isEmpty == false)
        #expect(story.status.repair?.orders == repair.orders)
        #expect(story.status.repair?.reason == .loss)
    }

    @Test func `without agreement nothing is said of it`() {
        for (mine, theirs) in [(Self.both, FeatureSet.batch), (.batch, Self.both)] {
            var story = Self.story(mine)
            let session = story.connect(offer(features: theirs))
            Self.play(&story, on: session, seconds: 5)
            #expect(Self.repairs(story.take()).isEmpty)
            #expect(story.status.repair == nil)
        }
    }

    @Test func `a path to another place begins anew`() throws {
        var story = Self.story()
        let session = story.connect(offer(features: Self.both))
        Self.play(&story, on: session, seconds: 5)
        _ = story.take()
        story.handle(.addressChanged(session, cafe))
        let challenge = try #require(challenges(story.take()).last)
        story.handle(.challengeAnswered(session, token: challenge.token, from: cafe))
        #expect(Self.repairs(story.take()) == [PathRepair(watches: true)])
        #expect(story.status.repair?.loss == 0)
    }

    @Test func `it ends with the last session, and with a reload that turns it off`() {
        var story = Self.story()
        let session = story.connect(offer(features: Self.both))
        Self.play(&story, on: session, seconds: 5)
        _ = story.take()
        story.handle(.closed(session, .shutdown))
        #expect(Self.repairs(story.take()) == [.none])
        var other = Self.story()
        _ = other.connect(offer(features: Self.both))
        _ = other.take()
        var local = LocalSettings(features: Self.both, congestion: CongestionSettings(isOn: false))
        local.repair.isOn = false
        other.controller.updateLocal(local)
        #expect(Self.repairs(other.take()) == [.none])
        local.repair.isOn = true
        other.controller.updateLocal(local)
        #expect(Self.repairs(other.take()) == [PathRepair(watches: true)])
    }

    @Test func `a reload of what is wanted holds at once`() throws {
        var story = Self.story()
        let session = story.connect(offer(features: Self.both))
        Self.play(&story, on: session, seconds: 5)
        #expect(Self.repairs(story.take()).last?.orders[.gaming] != nil)
        var local = LocalSettings(features: Self.both, congestion: CongestionSettings(isOn: false))
        local.repair.goals[.gaming] = RedundancyGoal(residual: 0.001, lateness: .milliseconds(50), cost: 0)
        story.controller.updateLocal(local)
        Self.play(&story, on: session, seconds: 3)
        #expect(Self.repairs(story.take()).last?.orders.isEmpty == true)
    }

    @Test func `a forecast comes through`() {
        var story = Self.story()
        let session = story.connect(offer(features: Self.both))
        Self.play(&story, on: session, seconds: 5, loses: false)
        _ = story.take()
        story.handle(.lossForecast(alice, .first, 0.2))
        #expect(Self.repairs(story.take()).last?.orders[.gaming]?.copies.isEmpty == false)
        #expect(story.status.repair?.forecast == 0.2)
    }
}
