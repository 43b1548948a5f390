import OxModel
import Testing

@testable import OxController

@Suite struct ScaleTests {
    @Test func `with ten thousand peers only those with something due are touched`() {
        var controller = Controller(local: LocalSettings(sessionIDBytes: 3), random: SplitMix64(1))
        let start = Instant(nanoseconds: 1_000_000_000)
        var sessions: [SessionID] = []
        for index in 0..<10_000 {
            let peer = PeerID(UInt32(index))
            controller.add(peer, Story.settings(endpoint: nil), now: start)
            let now = start + .milliseconds(index)
            controller.handle(
                .initiationReceived(
                    peer, timestamp: Timestamp(seconds: 1, nanoseconds: 0), offer: offer(UInt32(index)), from: home),
                now: now)
            let session = installs(controller.takeCommands())[0].local
            sessions.append(session)
            controller.handle(.sessionConfirmed(session), now: now)
            controller.handle(.mtuAcknowledged(session, size: 1472), now: now)
        }
        _ = controller.takeCommands()
        #expect(Set(sessions).count == 10_000)

        // Nothing is due before the first responder's rekey check, 140 s after the first handshake.
        #expect(controller.deadline == start + .seconds(140))
        #expect(controller.advance(to: start + .seconds(139)) == 0)
        #expect(controller.advance(to: start + .seconds(140) + .milliseconds(99)) == 100)
        #expect(controller.advance(to: start + .seconds(140) + .milliseconds(99)) == 0)

        // One peer's event touches no other, and each further peer is touched once for its check and once for its end.
        controller.handle(.activity(sessions[9999], Activity(lastReceived: start)), now: start + .seconds(141))
        var touched = 100
        var now = start + .seconds(141)
        while let at = controller.deadline {
            now = max(now, at)
            touched += controller.advance(to: now)
        }
        #expect(touched == 20_000)
        let retired = controller.takeCommands().filter { if case .retire = $0 { true } else { false } }
        #expect(retired.count == 10_000)
    }

    @Test func `deadlines come out in order, whatever was changed or removed`() {
        var random = SplitMix64(7)
        var deadlines = Deadlines()
        var model: [PeerID: Instant] = [:]
        for _ in 0..<20_000 {
            let peer = PeerID(UInt32(random.next() % 300))
            let at = Instant(nanoseconds: random.next() % 1000)
            switch random.next() % 4 {
            case 0:
                deadlines.set(peer, to: nil)
                model[peer] = nil
            case 1:
                let now = Instant(nanoseconds: random.next() % 300)
                while let due = deadlines.popDue(now) {
                    #expect(model[due]! <= now && model[due] == model.values.min())
                    model[due] = nil
                }
            default:
                deadlines.set(peer, to: at)
                model[peer] = at
            }
            #expect(deadlines.earliest == model.values.min())
            #expect(deadlines.count == model.count)
        }
    }

    @Test func `ids are unique while issued, rest after use, and run out with a word`() {
        var ids = SessionIDAllocator(bytes: 1, start: 250)
        let all = (0..<256).compactMap { _ in ids.issue(for: PeerID(0)) }
        #expect(Set(all).count == 256 && all[0] == SessionID(250) && all.allSatisfy { $0.rawValue < 256 })
        #expect(ids.issue(for: PeerID(0)) == nil)
        ids.release(all[9])
        ids.release(all[9])
        ids.release(all[3])
        #expect(ids.issue(for: PeerID(0)) == all[9])
        #expect(ids.issue(for: PeerID(0)) == all[3])
        #expect(ids.issue(for: PeerID(0)) == nil)

        var many = SessionIDAllocator(bytes: 4, start: 0)
        var distinct: Set<SessionID> = []
        for _ in 0..<100_000 {
            let id = many.issue(for: PeerID(0))!
            distinct.insert(id)
            many.release(id)
        }
        #expect(distinct.count == SessionIDAllocator.restingMost)
        #expect(many.issuedCount == 0)
    }

    @Test(arguments: [2, 3, 16])
    func `the ids of a peer lead to its worker, and a share runs out alone`(workers: Int) {
        var ids = SessionIDAllocator(bytes: 1, start: 250, workers: workers)
        var all: Set<SessionID> = []
        for peer in (0..<UInt32(workers)).map({ PeerID($0) }) {
            while let id = ids.issue(for: peer) {
                #expect(id.worker(of: workers) == peer.worker(of: workers))
                #expect(all.insert(id).inserted && id.rawValue < 256)
            }
        }
        #expect(all.count == 256)
        ids.release(SessionID(UInt32(workers) + 1))
        #expect(ids.issue(for: PeerID(0)) == nil)
        #expect(ids.issue(for: PeerID(1)) == SessionID(UInt32(workers) + 1))

        var longer = SessionIDAllocator(bytes: 2, start: 65_000, workers: workers)
        let some = Set((0..<4000).compactMap { _ in longer.issue(for: PeerID(1)) })
        #expect(some.count == 4000 && some.allSatisfy { $0.rawValue < 65_536 && $0.worker(of: workers) == 1 })
    }
}
