import OxCore
import OxModel
import Testing

@Suite struct HandshakeTests {
    let initiator: Identity
    let responder: Identity
    let none: PresharedKey

    init() throws {
        try Core.start()
        initiator = try Identity(privateKey: KeyTool.random(clamped: true).span)
        responder = try Identity(privateKey: KeyTool.random(clamped: true).span)
        none = try PresharedKey.none()
    }

    private func payload(stamped: Bool) -> HandshakePayload {
        HandshakePayload(
            timestamp: stamped ? (seconds: 1 << 62 | 7, nanoseconds: 5) : nil, aeads: stamped ? [2, 1] : [1],
            features: 3, sessions: [.first: RemoteSessionID(0x0102, byteCount: 2)],
            addresses: [IPAddress("10.0.0.1")!, IPAddress("fd00::1")!])
    }

    private func initiate(index: UInt32 = 9, cookie: [UInt8]? = nil) throws -> Handshake {
        try Handshake(
            initiatingFrom: initiator, to: responder.publicKey, preshared: none, index: index,
            payload: payload(stamped: true), cookie: cookie)
    }

    @Test func `both sides learn the other's payload`() throws {
        let mine = try initiate()
        #expect(HandshakeMessageKind(mine.sent) == .initiation)
        #expect(Handshake.index(of: mine.sent) == 9)
        let read = try Handshake.read(initiation: mine.sent, local: responder)
        #expect(read.remote == initiator.publicKey)
        #expect(read.index == 9)
        #expect(read.payload == payload(stamped: true))
        try read.handshake.respond(preshared: none, index: 77, payload: payload(stamped: false), cookie: nil)
        #expect(HandshakeMessageKind(read.handshake.sent) == .response)
        #expect(try mine.read(response: read.handshake.sent, local: initiator) == payload(stamped: false))
    }

    @Test func `a response is never larger than the initiation it answers`() throws {
        let mine = try initiate()
        let read = try Handshake.read(initiation: mine.sent, local: responder)
        try read.handshake.respond(preshared: none, index: 1, payload: payload(stamped: false), cookie: nil)
        #expect(read.handshake.sent.count <= mine.sent.count)
    }

    @Test func `every tampered byte of an initiation is refused, and the true one still read`() throws {
        let mine = try initiate()
        // The last 16 bytes are mac2, which the worker checks, and only under load.
        for index in 0..<mine.sent.count - 16 {
            var forged = mine.sent
            forged[index] ^= 1
            #expect(throws: CoreError.self) { try Handshake.read(initiation: forged, local: responder) }
        }
        #expect(throws: Never.self) { try Handshake.read(initiation: mine.sent, local: responder) }
    }

    @Test func `a forged response leaves the handshake open`() throws {
        let mine = try initiate()
        let read = try Handshake.read(initiation: mine.sent, local: responder)
        try read.handshake.respond(preshared: none, index: 1, payload: payload(stamped: false), cookie: nil)
        var forged = read.handshake.sent
        forged[40] ^= 1
        #expect(throws: CoreError.self) { try mine.read(response: forged, local: initiator) }
        #expect(throws: Never.self) { try mine.read(response: read.handshake.sent, local: initiator) }
    }

    @Test func `another preshared key is refused`() throws {
        let mine = try initiate()
        let read = try Handshake.read(initiation: mine.sent, local: responder)
        let other = try PresharedKey([UInt8](repeating: 7, count: 32).span)
        try read.handshake.respond(preshared: other, index: 1, payload: payload(stamped: false), cookie: nil)
        #expect(throws: CoreError.self) { try mine.read(response: read.handshake.sent, local: initiator) }
    }

    @Test func `the all-zero private key is no identity`() {
        #expect(throws: CoreError.self) { try Identity(privateKey: [UInt8](repeating: 0, count: 32).span) }
    }

    @Test func `keys for people round trip`() throws {
        let key = KeyTool.random(clamped: true)
        #expect(key[0] & 7 == 0 && key[31] & 0xc0 == 0x40)
        #expect(try KeyTool.publicKey(of: key) == Identity(privateKey: key.span).publicKey)
        var wiped = key
        KeyTool.wipe(&wiped)
        #expect(wiped == [UInt8](repeating: 0, count: 32))
    }

    @Test func `both AEADs are measured where the machine has them`() throws {
        #expect(try Core.sealingCost(.chaCha20Poly1305) > 0)
        if Core.supports(aead: AEAD.aes256GCM.rawValue) { #expect(try Core.sealingCost(.aes256GCM) > 0) }
    }

    @Test func `an AEAD's provider has a name`() {
        #expect(Core.provider(of: .chaCha20Poly1305).contains(/ipsec-mb 1\.3|libsodium 1\.0\.[0-9]+ \(.+\)/))
    }
}
