package import OxModel
import OxController
import OxCore

/// What `show` prints: a snapshot of a running tunnel. JSON has these names in snake case.
public struct TunnelStatus: Codable, Equatable, Sendable {
    public struct Peer: Codable, Equatable, Sendable {
        public var name: String?
        public var publicKey: String
        public var presharedKey: Bool
        /// idle, connecting or connected.
        public var state: String
        /// The other side has been silent although something was sent.
        public var silent: Bool
        public var endpoint: String?
        public var allowedIps: [String]
        public var persistentKeepaliveS: Double?
        public var aead: String?
        public var encrypted: Bool?
        public var sessionAgeS: Double?
        public var initiator: Bool?
        public var lastHandshakeAgoS: Double?
        public var handshakeMs: Double?
        public var handshakeAttempt: Int?
        public var packetsSent: UInt64
        public var packetsReceived: UInt64
        public var packetBytesSent: UInt64
        public var packetBytesReceived: UInt64
        public var paths: [Path]

        /// Attempts without an answer from which on that is worth a word.
        static let attemptsUntilHint = 3

        /// What to look at while the other end does not answer; nil when it does, or may yet.
        public var hint: String? {
            guard state == "connecting", let handshakeAttempt, handshakeAttempt > Peer.attemptsUntilHint else { return nil }
            return silence
        }

        /// The same, however often it was tried.
        package var silence: String? {
            guard state == "connecting" else { return nil }
            return TunnelStatus.noAnswer(from: paths.first?.remoteAddress ?? endpoint ?? name ?? publicKey)
        }
    }

    static func noAnswer(from place: String) -> String {
        "no answer from \(place): is the endpoint right, is the relay up, is its public-key right, "
            + "and does it know our public key?"
    }

    public struct Path: Codable, Equatable, Sendable {
        public var id: Int
        public var remoteAddress: String?
        /// The largest UDP payload.
        public var mtuBytes: Int
        public var rttMs: Double?
        public var rttVarianceMs: Double?
        public var rttMinMs: Double?
        public var lossPercent: Double?
        public var datagramsSent: UInt64
        public var datagramsReceived: UInt64
        public var bytesSent: UInt64
        public var bytesReceived: UInt64
        public var acknowledged: UInt64
        public var lost: UInt64
        public var unresolved: UInt64
        public var ceMarked: UInt64
    }

    public struct Port: Codable, Equatable, Sendable {
        public var received: UInt64
        public var sent: UInt64
        public var sendFailed: UInt64
        public var lastFailure: String?
        public var kernelDrops: UInt64
        public var kernelDropsHandshake: UInt64
    }

    public var interface: String
    /// The process that runs the tunnel.
    public var pid: Int32
    public var role: String
    public var publicKey: String
    public var listenPort: UInt16
    public var firewallMark: UInt32?
    public var uptimeS: Double
    public var aeadsOffered: [String]
    public var peers: [Peer]
    /// Packets that ended, by the name of the reason.
    public var drops: [String: UInt64]
    public var device: Port
    public var network: Port
}

extension TunnelStatus.Port {
    init(_ status: PortStatus) {
        self.init(
            received: status.received, sent: status.sent, sendFailed: status.sendFailed,
            lastFailure: status.lastFailure, kernelDrops: status.kernelDrops,
            kernelDropsHandshake: status.kernelDropsHandshake)
    }
}

extension TunnelStatus.Path {
    init(_ traffic: PathStatus, address: SocketAddress?, mtu: Int) {
        self.init(
            id: 0, remoteAddress: address?.description, mtuBytes: mtu, rttMs: traffic.roundTrip?.inMilliseconds,
            rttVarianceMs: traffic.roundTripVariance?.inMilliseconds,
            rttMinMs: traffic.roundTripLeast?.inMilliseconds, lossPercent: traffic.loss.map { $0 * 100 },
            datagramsSent: traffic.datagramsSent, datagramsReceived: traffic.datagramsReceived,
            bytesSent: traffic.bytesSent, bytesReceived: traffic.bytesReceived, acknowledged: traffic.acknowledged,
            lost: traffic.lost, unresolved: traffic.unresolved, ceMarked: traffic.congestionMarked)
    }
}

extension Node {
    /// Packets that ended, above the worker and in it, by the name of the reason.
    package func drops() -> [String: UInt64] {
        worker.status().drops.merging(refusals) { $0 + $1 }
    }

    package func status(of peer: PeerID, now: Instant) -> TunnelStatus.Peer? {
        guard let key = peers[peer]?.publicKey, let configured = settings.peers[key],
            let control = controller.status(of: peer, now: now), let traffic = worker.traffic(of: peer)
        else { return nil }
        return TunnelStatus.Peer(
            name: configured.name, publicKey: key.description, presharedKey: configured.preshared.isSet,
            state: "\(control.state)", silent: control.isSilent,
            endpoint: configured.endpoint?.description ?? control.endpoint?.description,
            allowedIps: configured.settings.allowedIPs.map(\.description),
            persistentKeepaliveS: configured.settings.persistentKeepalive?.inSeconds,
            aead: control.session?.aead.name, encrypted: control.session.map { $0.aead != .none },
            sessionAgeS: control.session?.age.inSeconds, initiator: control.session?.isInitiator,
            lastHandshakeAgoS: control.lastHandshake.map { (now - $0).inSeconds },
            handshakeMs: control.handshakeTook?.inMilliseconds, handshakeAttempt: control.handshakeAttempt,
            packetsSent: traffic.packetsSent, packetsReceived: traffic.packetsReceived,
            packetBytesSent: traffic.packetBytesSent, packetBytesReceived: traffic.packetBytesReceived,
            paths: [TunnelStatus.Path(traffic.path, address: control.endpoint, mtu: control.mtu)])
    }

    /// Peers in the file's order.
    package func peerStatuses(now: Instant) -> [TunnelStatus.Peer] {
        settings.order.compactMap { peerIDs[$0] }.compactMap { status(of: $0, now: now) }
    }
}
