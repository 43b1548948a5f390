import OxModel
import Testing

@testable import OxController

@Suite struct NegotiationTests {
    private func choose(_ theirs: [AEAD], _ ours: [AEAD], trusted: Bool = false) -> Result<AEAD, Refusal> {
        Result { () throws(Refusal) in try Negotiation.aead(initiator: theirs, responder: ours, isTrusted: trusted) }
    }

    @Test func `AES-256-GCM is chosen where both prefer it, or have nothing else in common`() {
        let chaCha = AEAD.chaCha20Poly1305
        let gcm = AEAD.aes256GCM
        #expect(choose([gcm, chaCha], [gcm, chaCha]) == .success(gcm))
        #expect(choose([gcm, chaCha], [chaCha, gcm]) == .success(chaCha))
        #expect(choose([chaCha, gcm], [gcm, chaCha]) == .success(chaCha))
        #expect(choose([gcm], [chaCha, gcm]) == .success(gcm))
        #expect(choose([chaCha], [gcm, chaCha]) == .success(chaCha))
        #expect(choose([chaCha], [gcm]) == .failure(.noCommonAEAD))
        #expect(choose([], [gcm, chaCha]) == .failure(.noCommonAEAD))
    }

    @Test func `no encryption takes the trust of both`() {
        #expect(choose([.chaCha20Poly1305, .none], [.chaCha20Poly1305], trusted: true) == .success(.none))
        #expect(choose([.chaCha20Poly1305, .none], [.chaCha20Poly1305]) == .success(.chaCha20Poly1305))
        #expect(choose([.chaCha20Poly1305], [.chaCha20Poly1305], trusted: true) == .success(.chaCha20Poly1305))
        #expect(choose([.none], [.chaCha20Poly1305]) == .failure(.unencryptedNotTrusted))
    }

    private var trusting: LocalSettings { LocalSettings(unencryptedNetworks: [IPPrefix("192.0.2.0/24")!]) }

    @Test func `no encryption is offered to trusted addresses only, and accepted from them only`() {
        var story = Story(local: trusting)
        story.handle(.packetsWaiting(alice))
        let sent = initiations(story.take())[0]
        #expect(sent.offer.aeads == [.chaCha20Poly1305, .none])
        story.handle(.responseReceived(alice, local: sent.local, offer: offer(5, [.none]), from: cafe))
        #expect(story.take() == [.refuse(alice, .unexpected)])
        story.handle(.responseReceived(alice, local: sent.local, offer: offer(5, [.none]), from: home))
        #expect(installs(story.take()).map(\.aead) == [.none])

        var other = Story(Story.settings(endpoint: cafe), local: trusting)
        other.handle(.packetsWaiting(alice))
        #expect(initiations(other.take())[0].offer.aeads == [.chaCha20Poly1305])
    }

    @Test func `an unencrypted session never moves, and no move takes plaintext to a stranger`() {
        var story = Story(local: trusting)
        let plain = story.accept(offer(5, [.none]))
        #expect(story.status.session?.aead == AEAD.none)
        story.pass(.seconds(1))
        _ = story.take()
        story.handle(.addressChanged(plain, cafe))
        #expect(story.take().isEmpty)
        story.controller.update(alice, Story.settings(endpoint: cafe), now: story.now)
        story.controller.advance(to: story.now)
        let pending = initiations(story.take())[0]
        story.handle(.responseReceived(alice, local: pending.local, offer: offer(6), from: cafe))
        let commands = story.take()
        let retired = commands.firstIndex(of: .retire(plain))
        let moved = commands.firstIndex(of: .move(alice, .first, to: cafe))
        #expect(retired != nil && moved != nil && retired! < moved!)
    }

    @Test func `trust that is withdrawn ends unencrypted sessions`() {
        var story = Story(local: trusting)
        let plain = story.accept(offer(5, [.none]))
        _ = story.take()
        story.controller.updateLocal(LocalSettings())
        #expect(story.take() == [.close(plain, .superseded), .retire(plain)])
    }

    @Test func `features are those of both`() {
        var story = Story(local: LocalSettings(features: [.batch]))
        story.handle(
            .initiationReceived(alice, timestamp: story.stamp(), offer: offer(features: [.batch, .split]), from: home))
        #expect(installs(story.take())[0].features == [.batch])
    }
}
