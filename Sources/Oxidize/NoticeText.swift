import Logging
import OxController
import OxModel

/// A notice of the controller in words.
struct NoticeText {
    var level: Logger.Level
    var peer: PeerID
    var sentence: String

    init(_ notice: Notice) {
        switch notice {
        case .handshakeStarted(let peer, let to, let attempt):
            let unanswered = attempt - 1
            if unanswered == TunnelStatus.Peer.attemptsUntilHint {
                self.init(.warning, peer, TunnelStatus.noAnswer(from: "\(to)"))
            } else {
                self.init(attempt == 1 ? .debug : .info, peer, "handshake with \(to), attempt \(attempt)")
            }
        case .handshakeCompleted(let peer, let aead, let took):
            self.init(.info, peer, "connected: \(aead.name), handshake took \(milliseconds(took)) ms")
        case .handshakeGivenUp(let peer, let attempts):
            self.init(.warning, peer, "no answer after \(attempts) attempts")
        case .sessionExpired(let peer): self.init(.info, peer, "the session expired")
        case .peerSilent(let peer): self.init(.warning, peer, "nothing comes back; trying a new handshake")
        case .pathMoved(let peer, _, let from, let to):
            self.init(.info, peer, "now at \(to)" + (from.map { ", was at \($0)" } ?? ""))
        case .mtuChanged(let peer, _, let size): self.init(.info, peer, "the path carries \(size) bytes a datagram")
        case .peerClosed(let peer, let reason): self.init(.info, peer, "the peer closed the tunnel (\(reason))")
        case .innerAddressNotAllowed(let peer, let address):
            self.init(
                .warning, peer,
                "the peer uses the address \(address), which its allowed-ips do not contain: its packets will be dropped")
        case .endpointUnresolved(let peer): self.init(.warning, peer, "the endpoint's name does not resolve")
        }
    }

    private init(_ level: Logger.Level, _ peer: PeerID, _ sentence: String) {
        self.level = level
        self.peer = peer
        self.sentence = sentence
    }
}

private func milliseconds(_ duration: Duration) -> Double {
    (duration.inMilliseconds * 10).rounded() / 10
}
