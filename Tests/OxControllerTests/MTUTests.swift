import OxController
import OxModel
import Testing

@Suite struct MTUTests {
    /// Plays a path that carries `limit` until the search ends. Returns the size found and the probes spent.
    private func search(limit: Int, to address: SocketAddress = home) -> (found: Int, probes: Int, story: Story) {
        var story = Story(Story.settings(endpoint: address))
        let session = story.connect(from: address)
        var spent = 0
        for _ in 0..<40 {
            let sizes = probes(story.take())
            spent += sizes.count
            for size in sizes where size <= limit { story.handle(.mtuAcknowledged(session, size: size)) }
            if sizes.isEmpty { story.pass(.milliseconds(1001)) }
        }
        return (story.status.mtu, spent, story)
    }

    @Test func `an Ethernet path is known after one probe`() {
        let v4 = search(limit: 1472)
        #expect(v4.found == 1472 && v4.probes == 1)
        let v6 = search(limit: 1452, to: SocketAddress("[2001:db8::1]:7000")!)
        #expect(v6.found == 1452 && v6.probes == 1)
    }

    @Test func `any other path is known to within eight bytes`() {
        for limit in 1200..<1472 {
            let (found, spent, _) = search(limit: limit)
            #expect(found <= limit && limit - found <= 8, "\(found) of \(limit)")
            #expect(spent <= 3 * 8)
        }
    }

    @Test func `a probe is lost three times before its size is too large`() {
        var story = Story()
        let session = story.connect()
        story.pass(.milliseconds(2500))
        #expect(probes(story.take()) == [1472, 1472, 1472])
        story.handle(.mtuAcknowledged(session, size: 1472))
        #expect(story.status.mtu == 1472)
    }

    @Test func `an acknowledgement of what was not asked counts for nothing`() {
        var story = Story()
        let session = story.connect()
        story.handle(.mtuAcknowledged(session, size: 9000))
        story.handle(.mtuAcknowledged(session, size: 1300))
        #expect(story.status.mtu == 1200)
    }

    @Test func `the responder searches from the confirmation on`() {
        var story = Story(Story.settings(endpoint: nil))
        let session = story.answer()!
        story.pass(.seconds(5))
        #expect(probes(story.take()).isEmpty)
        story.handle(.sessionConfirmed(session))
        let commands = story.take()
        #expect(probes(commands) == [1472])
    }

    @Test func `a black hole falls back to the base and searches again, slowly`() {
        var (_, _, story) = search(limit: 1472)
        let session = story.status.session!.local
        for _ in 0..<100 { story.handle(.mtuBlackHole(session)) }
        #expect(story.take() == [.setMTU(alice, .first, size: 1200)])
        story.pass(.seconds(1))
        #expect(probes(story.take()) == [1472])
    }

    @Test func `a smaller path is searched again after ten minutes`() {
        var local = LocalSettings()
        local.timers.rejectAfter = .seconds(3600)
        local.timers.rekeyAfter = .seconds(3600)
        var story = Story(local: local)
        let session = story.connect()
        story.pass(.seconds(60))
        let first = probes(story.take())
        #expect(story.status.mtu == 1200)
        #expect(first.count == 3 * 6)
        story.pass(.milliseconds(558_500))
        #expect(probes(story.take()).first == 1472)
        story.handle(.mtuAcknowledged(session, size: 1472))
        #expect(story.notices().last == .mtuChanged(alice, .first, size: 1472))
    }

    @Test func `the end of a search is said when it found something else`() {
        var story = Story()
        let session = story.connect()
        _ = story.controller.takeCommands()
        story.handle(.mtuAcknowledged(session, size: 1472))
        #expect(
            story.controller.takeCommands() == [
                .setMTU(alice, .first, size: 1472), .log(.mtuChanged(alice, .first, size: 1472)),
            ])
    }
}
