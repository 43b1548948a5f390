package import OxModel
import OxController
import OxCongestion
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
        /// On at both ends, and those that are on here alone; nil without a session.
        public var features: [String]?
        public var featuresOffThere: [String]?
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
        /// Nil while congestion control is turned off, or has not begun.
        public var congestion: Congestion?
        /// Nil while losses are not repaired: turned off here or there, or no session.
        public var repair: Repair?
        /// Nil while no header was compressed, here or there.
        public var headers: Headers?
        /// One a class, the most urgent first.
        public var queues: [Queue] = []
    }

    /// Headers of inner packets that cross compressed.
    public struct Headers: Codable, Equatable, Sendable {
        /// Packets sent so, and the bytes of their headers before and after; and packets sent as they were.
        public var compressed: UInt64
        public var bytesBefore: UInt64
        public var bytesAfter: UInt64
        public var raw: UInt64
        /// Packets received so: made whole again, and not.
        public var restored: UInt64
        public var refused: UInt64
        /// Bytes of feedback on headers.
        public var feedbackBytesSent: UInt64
        public var feedbackBytesReceived: UInt64
    }

    /// What is done about what the path loses of what this end sends, and what came of it.
    public struct Repair: Codable, Equatable, Sendable {
        /// As the controller takes it: of datagrams, and how many in a row.
        public var lossPercent: Double
        public var lossBurst: Double
        /// What something expects.
        public var forecastPercent: Double?
        public var congested: Bool
        /// Of the last change of the orders, and how long ago that was.
        public var reason: String
        public var changedAgoS: Double?
        /// Of classes that have any.
        public var orders: [RepairOrder]
        /// Datagrams lost on the way, in all; those that the other end recovered by copies, a window, and being sent again; and the rest,
        /// which nothing repaired, or nothing protected.
        public var lost: UInt64
        public var repairedByCopy: UInt64
        public var repairedByWindow: UInt64
        public var repairedByResending: UInt64
        public var unrepaired: UInt64
        /// What that took: copies, repair datagrams, and datagrams sent again, and their bytes.
        public var copiesSent: UInt64
        public var copyBytes: UInt64
        public var windowsSent: UInt64
        public var windowBytes: UInt64
        public var resent: UInt64
        public var resentBytes: UInt64
        /// Of all bytes that the path was sent.
        public var redundancyPercent: Double?
        /// What this end recovered of what the other one sent, what came too late for that, and what was not needed.
        public var recoveredByCopy: UInt64
        public var recoveredByWindow: UInt64
        public var recoveredByResending: UInt64
        public var late: UInt64
        public var unneeded: UInt64
    }

    /// How losses of a class are repaired.
    public struct RepairOrder: Codable, Equatable, Sendable {
        public var `class`: String
        /// Which later datagrams of a sparse flow carry a packet again.
        public var copies: [Int]
        /// Repair datagrams in percent of those of other flows, and how many of them each covers.
        public var windowPercent: Double
        public var window: Int
        public var resends: Bool
        public var deadlineMs: Double
    }

    /// What congestion control found a path to carry, and what it lets it send.
    public struct Congestion: Codable, Equatable, Sendable {
        /// Of BBR.
        public var state: String
        public var gaming: Bool
        /// Nil before it is known.
        public var bandwidthBitPerS: UInt64?
        /// Of the last seconds, as BBR counts them; `Path.rttMinMs` is since the path came to its address.
        public var minRttMs: Double?
        /// Nil: without a limit.
        public var pacingRateBitPerS: UInt64?
        public var inFlightBytes: UInt64
        public var windowBytes: UInt64?
        /// Decisions that came into force in answer to feedback, and those that took more than a millisecond.
        public var decisions: UInt64 = 0
        public var decisionsLate: UInt64 = 0

        public init(
            state: String, gaming: Bool, bandwidthBitPerS: UInt64?, minRttMs: Double?, pacingRateBitPerS: UInt64?,
            inFlightBytes: UInt64, windowBytes: UInt64?, decisions: UInt64 = 0, decisionsLate: UInt64 = 0
        ) {
            self.state = state
            self.gaming = gaming
            self.bandwidthBitPerS = bandwidthBitPerS
            self.minRttMs = minRttMs
            self.pacingRateBitPerS = pacingRateBitPerS
            self.inFlightBytes = inFlightBytes
            self.windowBytes = windowBytes
            self.decisions = decisions
            self.decisionsLate = decisionsLate
        }
    }

    /// Packets of a class that wait for a path, or did.
    public struct Queue: Codable, Equatable, Sendable {
        public var `class`: String
        /// Now.
        public var packets: UInt64
        public var bytes: UInt64
        /// Ever.
        public var sent: UInt64
        public var sentBytes: UInt64
        /// For want of room.
        public var droppedFull: UInt64
        /// By CoDel.
        public var droppedDelay: UInt64
        public var marked: UInt64
        /// Time in the queue, smoothed, and at most within the last second or two; nil before anything was sent.
        public var sojournMs: Double?
        public var sojournPeakMs: Double?

        public init(
            class trafficClass: String, packets: UInt64, bytes: UInt64, sent: UInt64, sentBytes: UInt64, droppedFull: UInt64,
            droppedDelay: UInt64, marked: UInt64, sojournMs: Double?, sojournPeakMs: Double?
        ) {
            self.class = trafficClass
            self.packets = packets
            self.bytes = bytes
            self.sent = sent
            self.sentBytes = sentBytes
            self.droppedFull = droppedFull
            self.droppedDelay = droppedDelay
            self.marked = marked
            self.sojournMs = sojournMs
            self.sojournPeakMs = sojournPeakMs
        }
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
    init(_ traffic: PeerTraffic, _ control: PeerStatus, now: Instant) {
        let path = traffic.path
        self.init(
            id: 0, remoteAddress: control.endpoint?.description, mtuBytes: control.mtu, rttMs: path.roundTrip?.inMilliseconds,
            rttVarianceMs: path.roundTripVariance?.inMilliseconds,
            rttMinMs: path.roundTripLeast?.inMilliseconds, lossPercent: path.loss.map { $0 * 100 },
            datagramsSent: path.datagramsSent, datagramsReceived: path.datagramsReceived,
            bytesSent: path.bytesSent, bytesReceived: path.bytesReceived, acknowledged: path.acknowledged,
            lost: path.lost, unresolved: path.unresolved, ceMarked: path.congestionMarked,
            congestion: control.congestion.map { found in
                TunnelStatus.Congestion(
                    state: found.state, gaming: control.isGaming,
                    bandwidthBitPerS: found.maxBandwidth > .zero ? found.bandwidth.bitsPerSecond : nil,
                    minRttMs: found.minRoundTrip?.inMilliseconds,
                    pacingRateBitPerS: traffic.pacingRate > .zero ? traffic.pacingRate.bitsPerSecond : nil,
                    inFlightBytes: path.inFlight, windowBytes: traffic.window > 0 ? traffic.window : nil,
                    decisions: path.answers, decisionsLate: path.answersLate)
            },
            repair: control.repair.map { TunnelStatus.Repair($0, traffic, now: now) },
            headers: TunnelStatus.Headers(traffic.headers),
            queues: traffic.queues.map(TunnelStatus.Queue.init))
    }
}

extension TunnelStatus.Headers {
    init?(_ counts: HeaderCounts) {
        guard counts.compressed + counts.restored + counts.refused > 0 else { return nil }
        self.init(
            compressed: counts.compressed, bytesBefore: counts.bytesBefore, bytesAfter: counts.bytesAfter, raw: counts.raw,
            restored: counts.restored, refused: counts.refused, feedbackBytesSent: counts.feedbackSent,
            feedbackBytesReceived: counts.feedbackReceived)
    }
}

extension TunnelStatus.Queue {
    init(_ status: QueueStatus) {
        self.init(
            class: status.trafficClass.name, packets: status.packets, bytes: status.bytes, sent: status.sent,
            sentBytes: status.sentBytes, droppedFull: status.droppedFull, droppedDelay: status.droppedDelay,
            marked: status.marked, sojournMs: status.sent > 0 ? status.sojourn.inMilliseconds : nil,
            sojournPeakMs: status.sent > 0 ? status.sojournPeak.inMilliseconds : nil)
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
            features: control.session?.features.names,
            featuresOffThere: control.session.map { settings.local.features.subtracting($0.features).names },
            lastHandshakeAgoS: control.lastHandshake.map { (now - $0).inSeconds },
            handshakeMs: control.handshakeTook?.inMilliseconds, handshakeAttempt: control.handshakeAttempt,
            packetsSent: traffic.packetsSent, packetsReceived: traffic.packetsReceived,
            packetBytesSent: traffic.packetBytesSent, packetBytesReceived: traffic.packetBytesReceived,
            paths: [TunnelStatus.Path(traffic, control, now: now)])
    }

    /// Packets that wait for the paths of all peers.
    package var queuedPackets: UInt64 {
        peers.keys.reduce(0) { sum, peer in
            sum + (worker(of: peer).traffic(of: peer)?.queues.reduce(0) { $0 + $1.packets } ?? 0)
        }
    }

    /// Peers in the file's order.
    package func peerStatuses(now: Instant) -> [TunnelStatus.Peer] {
        settings.order.compactMap { peerIDs[$0] }.compactMap { status(of: $0, now: now) }
    }
}
