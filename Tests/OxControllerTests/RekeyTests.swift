import OxController
import OxModel
import Testing

@Suite struct RekeyTests {
    @Test func `the initiator replaces a session in use after two minutes`() {
        var story = Story()
        let old = story.connect()
        for _ in 0..<119 {
            story.pass(.seconds(1))
            story.traffic(old)
        }
        #expect(initiations(story.take()).isEmpty)
        story.pass(.milliseconds(1001))
        let sent = initiations(story.take())
        #expect(sent.count == 1)
        story.handle(.responseReceived(alice, local: sent[0].local, offer: offer(78), from: home))
        #expect(story.take().contains(.use(sent[0].local, confirm: true)))
        #expect(story.status.session?.local == sent[0].local)
        story.traffic(sent[0].local)
        story.pass(.seconds(14))
        #expect(!story.take().contains(.retire(old)))
        story.traffic(sent[0].local)
        story.pass(.seconds(2))
        #expect(story.take().contains(.retire(old)))
    }

    @Test func `the responder does so only when the initiator has not`() {
        var story = Story(Story.settings(endpoint: nil))
        let old = story.accept()
        for _ in 0..<139 {
            story.pass(.seconds(1))
            story.traffic(old)
        }
        #expect(initiations(story.take()).isEmpty)
        story.pass(.milliseconds(1001))
        #expect(initiations(story.take()).map(\.to) == [home])
    }

    @Test func `an idle session expires, and the next packet begins anew`() {
        var story = Story()
        let session = story.connect()
        story.traffic(session)
        story.pass(.milliseconds(179_999))
        #expect(initiations(story.take()).isEmpty)
        story.pass(.milliseconds(1))
        #expect(story.controller.takeCommands() == [.retire(session), .log(.sessionExpired(alice))])
        #expect(story.controller.deadline == nil)
        story.handle(.packetsWaiting(alice))
        #expect(initiations(story.take()).count == 1)
    }

    @Test func `a session used again after the time to replace it is replaced then`() {
        var story = Story()
        let session = story.connect()
        story.pass(.seconds(150))
        #expect(initiations(story.take()).isEmpty)
        story.traffic(session)
        #expect(initiations(story.take()).count == 1)
    }

    @Test func `a session whose packet numbers run out is replaced at once`() {
        var local = LocalSettings()
        local.timers.rekeyAfterNumbers = 1000
        for initiates in [true, false] {
            var story = Story(local: local)
            let session = initiates ? story.connect() : story.accept()
            story.pass(.seconds(1))
            story.traffic(session, numbers: 999)
            #expect(initiations(story.take()).isEmpty)
            story.traffic(session, numbers: 1000)
            #expect(initiations(story.take()).count == 1)
        }
    }

    @Test func `a peer that shall be connected is rekeyed though idle`() {
        var story = Story(Story.settings(connects: true))
        _ = story.connectOrFinish()
        story.pass(.milliseconds(120_001))
        #expect(initiations(story.take()).count == 1)
    }

    @Test func `no more than four sessions of a peer live, and the one in use is among them`() {
        var story = Story()
        let used = story.connect()
        var live: Set<SessionID> = [used]
        for _ in 0..<20 {
            story.pass(.seconds(1))
            story.handle(.initiationReceived(alice, timestamp: story.stamp(), offer: offer(), from: home))
            for command in story.take() {
                if case .install(let parameters) = command { live.insert(parameters.local) }
                if case .retire(let id) = command { live.remove(id) }
            }
            #expect(live.count <= 4)
            #expect(live.contains(used))
        }
    }

    @Test func `a predecessor on which the peer still sends is kept`() {
        var story = Story()
        let old = story.accept()
        story.pass(.seconds(120))
        let new = story.accept()
        for _ in 0..<50 {
            story.pass(.seconds(1))
            story.traffic(old, sent: false)
            story.traffic(new, received: false)
        }
        #expect(!story.take().contains(.retire(old)))
        story.pass(.seconds(11))
        #expect(story.take().contains(.retire(old)))
    }

    @Test func `after hours of sleep each thing is done once`() {
        var story = Story(Story.settings(connects: true))
        let old = story.connectOrFinish()
        story.traffic(old)
        _ = story.take()
        story.now += .seconds(5 * 3600)
        story.controller.advance(to: story.now)
        let commands = story.take()
        #expect(commands.first == .retire(old))
        #expect(initiations(commands).count == 1)
        #expect(commands.count == 2)
        #expect(story.controller.deadline! > story.now)
    }

    @Test func `time that goes back changes nothing`() {
        var story = Story()
        let session = story.connect()
        story.pass(.seconds(10))
        let later = story.now
        _ = story.take()
        story.controller.advance(to: later - .seconds(9))
        story.controller.handle(.activity(session, Activity(lastSent: later)), now: later - .seconds(5))
        #expect(story.take().isEmpty)
        #expect(story.controller.status(of: alice, now: later - .seconds(9))?.session?.age == .seconds(10))
    }

    @Test func `a session that could not be installed is given up, and begun anew for a packet`() {
        var story = Story()
        let failed = story.connect()
        story.handle(.installFailed(failed))
        let commands = story.take()
        #expect(commands.contains(.retire(failed)))
        #expect(commands.contains(.dropWaiting(alice)))
        #expect(story.status.state == .idle)
        story.controller.sessionsRetired([failed])
        story.pass(.seconds(1))
        #expect(story.connect() != failed)
        #expect(story.status.state == .connected)
    }

    @Test func `where a session is wanted at all times, one that could not be installed is tried again`() {
        var story = Story(Story.settings(connects: true))
        let failed = story.connect()
        story.handle(.installFailed(failed))
        #expect(story.status.state == .connecting)
        _ = story.take()
        story.pass(.seconds(10))
        #expect(!initiations(story.take()).isEmpty)
    }
}
