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
        /// Segmentation and receive offloads are in use.
        public var offload: Bool
        /// Times that the kernel refused one that it had offered.
        public var offloadFallbacks: UInt64
        public var superReceived: UInt64
        public var superSent: UInt64
    }

    /// Packet buffers of one size.
    public struct Buffers: Codable, Equatable, Sendable {
        /// Of one.
        public var bytes: Int
        public var count: UInt64
        public var free: UInt64
        public var exhausted: UInt64
        public var grown: UInt64
        public var shrunk: UInt64
        /// ordinary, transparent or huge.
        public var pages: String
    }

    /// A thread that moves packets.
    public struct Worker: Codable, Equatable, Sendable {
        /// Nil: any.
        public var cpu: Int?
        /// Of its buffers; nil where there is nothing to choose.
        public var numaNode: Int?
        public var peers: Int
        /// Packets that other workers read from the device for its peers, and that it read for theirs.
        public var takenOver: UInt64
        public var handedOver: UInt64
        public var buffers: [Buffers]
        public var drops: [String: UInt64]
        public var device: Port
        public var network: Port
    }

    /// What an AEAD costs on this machine, as measured at the start.
    public struct AEADCost: Codable, Equatable, Sendable {
        public var name: String
        /// Who computes it: "ipsec-mb 1.3.0 AVX-512", or "libsodium 1.0.18" and why it is that.
        public var provider: String
        /// To seal 1,400 bytes; nil where this machine cannot run it.
        public var sealNs: Double?
    }

    /// Why the peer's session has the AEAD that it has; nil without a session.
    public func reasonForAEAD(of peer: Peer) -> String? {
        guard let aead = peer.aead else { return nil }
        if peer.encrypted == false { return "both ends call this network trusted" }
        if aeadsOffered == [aead] { return "all that is offered here" }
        if aead == aeadsOffered.first { return "first at both ends" }
        return "the other end does not put \(aeadsOffered.first ?? "another") first"
    }

    public var interface: String
    /// The process that runs the tunnel.
    public var pid: Int32
    public var role: String
    public var publicKey: String
    public var listenPort: UInt16
    public var firewallMark: UInt32?
    public var uptimeS: Double
    /// Best first.
    public var aeadsOffered: [String]
    public var aeadsOfferedReason: String
    public var aeads: [AEADCost]
    public var peers: [Peer]
    /// Packets that ended, by the name of the reason.
    public var drops: [String: UInt64]
    /// Of all workers together.
    public var device: Port
    public var network: Port
    public var workers: [Worker]
    /// Of this machine; 1 where there is nothing to choose.
    public var numaNodes: Int
}

extension TunnelStatus.Port {
    /// Of several together; there is one at least.
    static func sum(_ ports: [TunnelStatus.Port]) -> TunnelStatus.Port {
        ports.dropFirst().reduce(ports[0]) { sum, port in
            TunnelStatus.Port(
                received: sum.received + port.received, sent: sum.sent + port.sent,
                sendFailed: sum.sendFailed + port.sendFailed, lastFailure: port.lastFailure ?? sum.lastFailure,
                kernelDrops: sum.kernelDrops + port.kernelDrops,
                kernelDropsHandshake: sum.kernelDropsHandshake + port.kernelDropsHandshake,
                offload: sum.offload && port.offload, offloadFallbacks: sum.offloadFallbacks + port.offloadFallbacks,
                superReceived: sum.superReceived + port.superReceived, superSent: sum.superSent + port.superSent)
        }
    }

    init(_ status: PortStatus) {
        self.init(
            received: status.received, sent: status.sent, sendFailed: status.sendFailed,
            lastFailure: status.lastFailure, kernelDrops: status.kernelDrops,
            kernelDropsHandshake: status.kernelDropsHandshake, offload: status.offload,
            offloadFallbacks: status.offloadFallbacks, superReceived: status.superReceived, superSent: status.superSent)
    }
}

extension TunnelStatus.Buffers {
    init(_ status: BufferStatus) {
        self.init(
            bytes: status.bytes, count: status.buffers, free: status.free, exhausted: status.exhausted,
            grown: status.grown, shrunk: status.shrunk, pages: status.pages.rawValue)
    }
}

extension TunnelStatus.AEADCost {
    init(_ candidate: AEADChoice.Candidate) {
        self.init(name: candidate.aead.name, provider: candidate.provider, sealNs: candidate.nanoseconds)
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
        workers.reduce(into: refusals) { $0.merge($1.status().drops, uniquingKeysWith: +) }
    }

    package func workerStatuses() -> [TunnelStatus.Worker] {
        workers.indices.map { index in
            let status = workers[index].status()
            return TunnelStatus.Worker(
                cpu: cpus[index], numaNode: cpus[index].flatMap(Machine.numaNode(of:)),
                peers: peers.keys.count { $0.worker(of: workers.count) == index }, takenOver: status.takenOver,
                handedOver: status.handedOver,
                buffers: [status.smallBuffers, status.largeBuffers].map(TunnelStatus.Buffers.init),
                drops: status.drops, device: TunnelStatus.Port(status.device),
                network: TunnelStatus.Port(status.network))
        }
    }

    package func status(of peer: PeerID, now: Instant) -> TunnelStatus.Peer? {
        guard let key = peers[peer]?.publicKey, let configured = settings.peers[key],
            let control = controller.status(of: peer, now: now), let traffic = worker(of: peer).traffic(of: peer)
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
