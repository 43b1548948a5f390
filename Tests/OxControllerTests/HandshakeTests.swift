import OxController
import OxModel
import Testing

@Suite struct HandshakeTests {
    @Test func `packets that wait begin a handshake, and only one`() {
        var story = Story()
        story.handle(.packetsWaiting(alice))
        story.handle(.packetsWaiting(alice))
        let sent = initiations(story.take())
        #expect(sent.count == 1)
        #expect(sent[0].to == home)
        #expect(sent[0].offer.aeads == [.chaCha20Poly1305])
        #expect(sent[0].offer.sessions == [.first: RemoteSessionID(sent[0].local.rawValue, byteCount: 2)])
    }

    @Test func `a response makes a session that is used and confirmed at once`() {
        var story = Story()
        story.handle(.packetsWaiting(alice))
        let local = initiations(story.take())[0].local
        story.now += .milliseconds(30)
        story.handle(.responseReceived(alice, local: local, offer: offer(5), from: home))
        let parameters = SessionParameters(
            peer: alice, path: .first, local: local, remote: RemoteSessionID(5, byteCount: 2), aead: .chaCha20Poly1305,
            features: [.batch, .split], isInitiator: true, created: story.now)
        let status = story.status
        let commands = story.controller.takeCommands()
        #expect(
            commands == [
                .install(parameters), .move(alice, .first, to: home),
                .log(.pathMoved(alice, .first, from: nil, to: home)), .setMTU(alice, .first, size: 1200),
                .log(.handshakeCompleted(alice, aead: .chaCha20Poly1305, took: .milliseconds(30))),
                .use(local, confirm: true), .probeMTU(local, size: 1472),
            ])
        #expect(status.state == .connected)
        #expect(status.session?.local == local)
        #expect(status.handshakeTook == .milliseconds(30))
    }

    @Test func `the responder answers, installs, and sends only after the first datagram`() {
        var story = Story(Story.settings(endpoint: nil))
        story.handle(.initiationReceived(alice, timestamp: story.stamp(), offer: offer(9), from: cafe))
        let commands = story.take()
        let local = installs(commands)[0].local
        guard case .sendResponse(_, let answered, let made, let to) = commands[0], case .install = commands[1] else {
            Issue.record("expected a response and its session, not \(commands)")
            return
        }
        #expect(answered == local && to == cafe && made.aeads == [.chaCha20Poly1305])
        #expect(commands.contains(.move(alice, .first, to: cafe)))
        #expect(!commands.contains(.use(local, confirm: false)))
        story.handle(.sessionConfirmed(local))
        #expect(story.take().contains(.use(local, confirm: false)))
        story.handle(.sessionConfirmed(local))
        #expect(story.take().isEmpty)
    }

    @Test func `retries wait longer each time, with the same id, until given up`() {
        var story = Story()
        let began = story.now
        story.handle(.packetsWaiting(alice))
        var times: [Duration] = []
        var ids: Set<SessionID> = []
        while let at = story.controller.deadline, at < began + .seconds(90) {
            for sent in initiations(story.take()) {
                times.append(story.now - began)
                ids.insert(sent.local)
            }
            story.pass(at - story.now)
        }
        #expect(ids.count == 1)
        let waits = zip(times.dropFirst(), times).map { $0 - $1 }
        for (wait, expected) in zip(waits, [500, 1000, 2000, 4000, 5000, 5000]) {
            #expect(wait >= .milliseconds(expected) && wait <= .milliseconds(expected) * 1.3)
        }
        story.pass(began + .seconds(90) - story.now)
        let commands = story.controller.takeCommands()
        #expect(commands.contains(.dropWaiting(alice)))
        #expect(commands.contains(.abandonInitiation(alice)))
        #expect(story.controller.deadline == nil)
        #expect(story.status.state == .idle)
        story.handle(.packetsWaiting(alice))
        #expect(initiations(story.take()).count == 1)
    }

    @Test func `a peer that shall be connected is never given up, and that is said once`() {
        var story = Story(Story.settings(connects: true))
        #expect(initiations(story.take()).count == 1)
        story.pass(.seconds(3600))
        let commands = story.controller.takeCommands()
        let given = commands.filter { if case .log(.handshakeGivenUp) = $0 { true } else { false } }
        #expect(given.count == 1)
        #expect((600...740).contains(initiations(commands).count))
    }

    @Test func `without an address there is nothing to do but drop`() {
        var story = Story(Story.settings(endpoint: nil))
        story.handle(.packetsWaiting(alice))
        #expect(story.take() == [.dropWaiting(alice)])
        #expect(story.controller.deadline == nil)
    }

    @Test func `a name is looked up again after every third silence, and its addresses are tried in turn`() {
        var story = Story(Story.settings(hasName: true, connects: true))
        story.pass(.seconds(8))
        let commands = story.take()
        #expect(initiations(commands).count == 4)
        #expect(commands.filter { $0 == .resolveEndpoint(alice) }.count == 1)
        story.handle(.endpointResolved(alice, [cafe, train]))
        story.pass(.seconds(20))
        let targets = initiations(story.take()).map(\.to)
        #expect(targets.prefix(3) == [cafe, train, cafe])
    }

    @Test func `a name that did not resolve at start is looked up until it does`() {
        var story = Story(Story.settings(endpoint: nil, hasName: true, connects: true))
        #expect(story.take() == [.resolveEndpoint(alice)])
        story.handle(.endpointResolved(alice, []))
        #expect(story.notices() == [.endpointUnresolved(alice)])
        story.pass(.seconds(7))
        #expect(story.take() == [.resolveEndpoint(alice)])
        story.handle(.endpointResolved(alice, [cafe]))
        #expect(initiations(story.take()).map(\.to) == [cafe])
    }

    @Test func `a cookie hastens the next attempt, not every next one`() {
        var story = Story()
        story.handle(.packetsWaiting(alice))
        _ = story.take()
        story.now += .milliseconds(10)
        story.handle(.cookieReceived(alice))
        story.pass(.milliseconds(70))
        #expect(initiations(story.take()).count == 1)
        story.handle(.cookieReceived(alice))
        story.pass(.milliseconds(500))
        #expect(initiations(story.take()).isEmpty)
    }

    @Test func `a response to nothing, with a foreign choice, or without a path is refused`() {
        var story = Story()
        story.handle(.responseReceived(alice, local: SessionID(3), offer: offer(), from: home))
        #expect(story.take() == [.refuse(alice, .unexpected)])
        story.handle(.packetsWaiting(alice))
        let local = initiations(story.take())[0].local
        story.handle(.responseReceived(alice, local: local, offer: offer(5, [.aes256GCM]), from: home))
        story.handle(.responseReceived(alice, local: local, offer: offer(5, [.none]), from: home))
        story.handle(.responseReceived(alice, local: local, offer: offer(5, []), from: home))
        var pathless = offer()
        pathless.sessions = [:]
        story.handle(.responseReceived(alice, local: local, offer: pathless, from: home))
        #expect(
            story.take() == [
                .refuse(alice, .unexpected), .refuse(alice, .unexpected), .refuse(alice, .unexpected),
                .refuse(alice, .noPathZero),
            ])
        #expect(story.status.handshakeAttempt == 1)
    }

    @Test func `initiations that are replayed, too soon or without a path are refused`() {
        var story = Story()
        let first = story.stamp()
        story.handle(.initiationReceived(alice, timestamp: first, offer: offer(), from: home))
        _ = story.take()
        story.now += .seconds(1)
        story.handle(.initiationReceived(alice, timestamp: first, offer: offer(), from: cafe))
        #expect(story.take() == [.refuse(alice, .replayedTimestamp)])
        story.handle(.initiationReceived(alice, timestamp: story.stamp(), offer: offer(), from: home))
        _ = story.take()
        story.now += .milliseconds(19)
        let soon = story.stamp()
        story.handle(.initiationReceived(alice, timestamp: soon, offer: offer(), from: home))
        #expect(story.take() == [.refuse(alice, .tooSoon)])
        story.now += .seconds(1)
        story.handle(.initiationReceived(alice, timestamp: soon, offer: offer(), from: home))
        #expect(story.take() == [.refuse(alice, .replayedTimestamp)])
        var pathless = offer()
        pathless.sessions = [PathID(1): RemoteSessionID(4, byteCount: 2)]
        story.handle(.initiationReceived(alice, timestamp: story.stamp(), offer: pathless, from: home))
        #expect(story.take() == [.refuse(alice, .noPathZero)])
    }

    @Test func `a peer that calls itself by a foreign inner address is noted once`() {
        var story = Story()
        let foreign = IPAddress("10.9.9.9")!
        for _ in 0..<3 {
            story.now += .seconds(1)
            story.handle(
                .initiationReceived(
                    alice, timestamp: story.stamp(), offer: offer(inner: [IPAddress("10.0.0.5")!, foreign]), from: home))
        }
        let noted = story.notices().filter { $0 == .innerAddressNotAllowed(alice, foreign) }
        #expect(noted.count == 1)
    }

    @Test func `a session that the peer ends is gone, and begun again only where one is wanted`() {
        for connects in [false, true] {
            var story = Story(Story.settings(connects: connects))
            _ = story.connectOrFinish()
            let session = story.status.session!.local
            story.pass(.seconds(2))
            _ = story.take()
            story.handle(.closed(session, .shutdown))
            #expect(story.take() == [.retire(session)])
            story.pass(.milliseconds(999))
            #expect(story.take().isEmpty)
            story.pass(.milliseconds(302))
            #expect(initiations(story.take()).count == (connects ? 1 : 0))
        }
    }

    @Test func `removal and shutdown close, retire and forget`() {
        var story = Story()
        let session = story.connect()
        _ = story.take()
        var removed = story
        removed.controller.remove(alice, now: removed.now)
        #expect(removed.take() == [.close(session, .removed), .retire(session), .dropWaiting(alice)])
        #expect(removed.controller.deadline == nil)
        #expect(removed.controller.status(of: alice, now: removed.now) == nil)
        story.controller.shutdown(now: story.now)
        #expect(story.take() == [.close(session, .shutdown), .retire(session), .dropWaiting(alice)])
        story.handle(.packetsWaiting(alice))
        story.handle(.initiationReceived(alice, timestamp: story.stamp(), offer: offer(), from: home))
        #expect(story.take() == [.refuse(alice, .unexpected)])
        #expect(story.controller.deadline == nil)
    }

    @Test func `ids come back only after the driver has wiped them`() {
        var local = LocalSettings()
        local.sessionIDBytes = 1
        var story = Story(local: local)
        var seen: Set<SessionID> = []
        var retired: [SessionID] = []
        while true {
            story.now += .seconds(1)
            story.handle(.initiationReceived(alice, timestamp: story.stamp(), offer: offer(), from: home))
            let commands = story.take()
            if commands.contains(.refuse(alice, .noFreeSession)) { break }
            for install in installs(commands) { #expect(seen.insert(install.local).inserted) }
            for case .retire(let id) in commands { retired.append(id) }
        }
        #expect(seen.count == 256)
        story.controller.sessionsRetired([retired[0], seen.subtracting(retired).first!])
        #expect(story.answer() == retired[0])
        #expect(story.answer() == nil)
    }

    @Test func `a changed endpoint is asked before the former one, and sessions are kept`() {
        var story = Story()
        let session = story.connect()
        story.pass(.seconds(1))
        _ = story.take()
        story.controller.update(alice, Story.settings(endpoint: cafe), now: story.now)
        story.controller.advance(to: story.now)
        let commands = story.take()
        #expect(initiations(commands).map(\.to) == [cafe])
        #expect(!commands.contains(.retire(session)))
        story.handle(.responseReceived(alice, local: initiations(commands)[0].local, offer: offer(8), from: cafe))
        #expect(story.take().contains(.move(alice, .first, to: cafe)))
    }
}

extension Story {
    /// Answers the handshake under way, or begins one.
    mutating func connectOrFinish() -> SessionID {
        guard let pending = initiations(controller.takeCommands()).last else { return connect() }
        handle(.responseReceived(alice, local: pending.local, offer: offer(), from: pending.to))
        return pending.local
    }
}
