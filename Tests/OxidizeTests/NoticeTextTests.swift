import OxController
import OxModel
import Testing

@testable import Oxidize

struct NoticeTextTests {
    private let relay = SocketAddress("192.0.2.1:51820")!

    @Test func `the fourth attempt at a handshake is the one that warns`() {
        let notices = (1...6).map { NoticeText(.handshakeStarted(PeerID(0), to: relay, attempt: $0)) }
        #expect(notices.map(\.level) == [.debug, .info, .info, .warning, .info, .info])
        #expect(notices[3].sentence.hasPrefix("no answer from 192.0.2.1:51820: is the endpoint right, is the relay up"))
    }
}
