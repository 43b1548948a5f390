import OxController
import OxModel
import Testing

@Suite struct KeepaliveTests {
    @Test func `who receives and has nothing to say says so after ten seconds`() {
        var story = Story()
        let session = story.connect()
        story.pass(.seconds(1))
        story.traffic(session, sent: false)
        _ = story.take()
        story.pass(.milliseconds(5000))
        story.traffic(session, sent: false)
        story.pass(.milliseconds(4999))
        #expect(!story.take().contains(.sendKeepalive(session)))
        story.pass(.milliseconds(1))
        #expect(story.take().contains(.sendKeepalive(session)))
    }

    @Test func `a keepalive is not answered by keepalives`() {
        var story = Story()
        let session = story.connect()
        story.pass(.seconds(1))
        story.handle(.activity(session, Activity(lastReceived: story.now)))
        story.pass(.seconds(60))
        #expect(!story.take().contains(.sendKeepalive(session)))
    }

    @Test func `a persistent keepalive follows each interval in which nothing was sent`() {
        var story = Story(Story.settings(keepalive: .seconds(25)))
        let session = story.connectOrFinish()
        story.pass(.seconds(20))
        story.traffic(session)
        _ = story.take()
        story.pass(.milliseconds(24_999))
        #expect(!story.take().contains(.sendKeepalive(session)))
        story.pass(.seconds(51))
        #expect(story.take().filter { $0 == .sendKeepalive(session) }.count == 3)
    }

    @Test func `a persistent keepalive makes a session, and makes it again`() {
        var story = Story(Story.settings(keepalive: .seconds(25)))
        #expect(initiations(story.take()).count == 1)
        story.pass(.seconds(400))
        #expect(initiations(story.take()).count > 60)
    }

    @Test func `silence begins a handshake, is said once, and forgets what the path carried`() {
        var story = Story(Story.settings(hasName: true))
        let session = story.connect()
        story.handle(.mtuAcknowledged(session, size: 1472))
        #expect(story.status.mtu == 1472)
        story.pass(.seconds(10))
        story.traffic(session)
        _ = story.controller.takeCommands()
        for _ in 0..<20 {
            story.pass(.milliseconds(250))
            story.traffic(session, received: false)
        }
        #expect(initiations(story.take()).isEmpty)
        for _ in 0..<80 {
            story.pass(.milliseconds(250))
            story.traffic(session, received: false)
        }
        #expect(story.status.isSilent)
        let commands = story.controller.takeCommands()
        #expect(commands.filter { $0 == .log(.peerSilent(alice)) }.count == 1)
        #expect(commands.contains(.setMTU(alice, .first, size: 1200)))
        #expect(commands.contains(.resolveEndpoint(alice)))
        #expect((2...8).contains(initiations(commands).count))
        #expect(probes(commands).isEmpty)

        story.traffic(session)
        #expect(!story.status.isSilent)
        #expect(probes(story.take()) == [1472])
    }

    @Test func `what is answered is not silence, and neither is having nothing to say`() {
        var story = Story()
        let session = story.connect()
        for _ in 0..<40 {
            story.pass(.seconds(2))
            story.traffic(session)
        }
        story.pass(.seconds(30))
        #expect(initiations(story.take()).isEmpty)
        #expect(!story.status.isSilent)
    }
}
