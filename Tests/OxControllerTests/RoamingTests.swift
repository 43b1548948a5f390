import OxController
import OxModel
import Testing

@Suite struct RoamingTests {
    private func connected() -> (Story, SessionID) {
        var story = Story()
        let session = story.connect()
        story.pass(.seconds(1))
        story.handle(.mtuAcknowledged(session, size: 1472))
        _ = story.take()
        return (story, session)
    }

    @Test func `a path moves after the challenge, not before`() {
        var (story, session) = connected()
        story.handle(.addressChanged(session, cafe))
        let asked = challenges(story.take())
        #expect(asked.map(\.to) == [cafe])
        story.now += .milliseconds(40)
        story.handle(.challengeAnswered(session, token: asked[0].token, from: cafe))
        let commands = story.controller.takeCommands()
        #expect(
            commands == [
                .move(alice, .first, to: cafe), .log(.pathMoved(alice, .first, from: home, to: cafe)),
                .setMTU(alice, .first, size: 1200), .probeMTU(session, size: 1472),
            ])
        #expect(story.status.endpoint == cafe)
    }

    @Test func `a wrong token, a wrong address, or an answer to nothing moves nothing`() {
        var (story, session) = connected()
        story.handle(.challengeAnswered(session, token: 1, from: cafe))
        story.handle(.addressChanged(session, cafe))
        let token = challenges(story.take())[0].token
        story.handle(.challengeAnswered(session, token: token &+ 1, from: cafe))
        story.handle(.challengeAnswered(session, token: token, from: train))
        #expect(story.take().isEmpty)
        #expect(story.status.endpoint == home)
    }

    @Test func `a challenge is repeated five times and given up`() {
        var (story, session) = connected()
        story.handle(.addressChanged(session, cafe))
        story.pass(.seconds(10))
        let asked = challenges(story.take())
        #expect(asked.count == 5)
        #expect(Set(asked.map(\.token)).count == 1)
        story.handle(.challengeAnswered(session, token: asked[0].token, from: cafe))
        #expect(story.take().isEmpty)
    }

    @Test func `addresses that bounce are asked at most four times a second`() {
        var (story, session) = connected()
        for step in 0..<1000 {
            story.handle(.addressChanged(session, step % 2 == 0 ? cafe : train))
            story.pass(.milliseconds(10))
        }
        let asked = challenges(story.take())
        #expect(asked.count <= 41)
    }

    @Test func `a newer address replaces the one being asked`() {
        var (story, session) = connected()
        story.handle(.addressChanged(session, cafe))
        story.handle(.addressChanged(session, train))
        #expect(challenges(story.take()).map(\.to) == [cafe])
        story.pass(.milliseconds(250))
        let asked = challenges(story.take())
        #expect(asked.map(\.to) == [train])
        story.handle(.challengeAnswered(session, token: asked[0].token, from: train))
        #expect(story.status.endpoint == train)
    }

    @Test func `an initiation alone moves no living path, and its session asks first`() throws {
        var (story, _) = connected()
        story.pass(.seconds(3))
        _ = story.take()
        story.handle(.initiationReceived(alice, timestamp: story.stamp(), offer: offer(80), from: cafe))
        let commands = story.take()
        let new = installs(commands)[0].local
        #expect(!commands.contains(.move(alice, .first, to: cafe)))
        story.pass(.seconds(3))
        _ = story.take()
        story.handle(.sessionConfirmed(new))
        let asked = challenges(story.take())
        try #require(asked.map(\.to) == [cafe])
        #expect(story.status.endpoint == home)
        story.handle(.challengeAnswered(new, token: asked[0].token, from: cafe))
        #expect(story.status.endpoint == cafe)
    }

    @Test func `a response from elsewhere moves a path that has no session, and asks where one lives`() {
        var fresh = Story()
        _ = fresh.connect(from: cafe)
        #expect(fresh.status.endpoint == cafe)

        var (story, old) = connected()
        story.pass(.seconds(149))
        story.traffic(old)
        let pending = initiations(story.take())[0]
        story.handle(.responseReceived(alice, local: pending.local, offer: offer(90), from: train))
        let commands = story.take()
        #expect(challenges(commands).map(\.to) == [train])
        #expect(story.status.endpoint == home)
    }

    @Test func `an old session's address does not count once the peer uses the new one`() {
        var (story, old) = connected()
        story.pass(.seconds(10))
        let new = story.accept(offer(81))
        _ = story.take()
        story.handle(.addressChanged(old, cafe))
        #expect(story.take().isEmpty)
        story.handle(.addressChanged(new, cafe))
        #expect(challenges(story.take()).count == 1)
    }
}
