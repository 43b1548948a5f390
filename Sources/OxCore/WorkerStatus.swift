internal import COxBase
internal import COxIO
internal import COxPacket
internal import COxTunnel
internal import COxWorker

/// What a path has carried and lost. Cumulative since the start.
public struct PathStatus: Equatable, Sendable {
    /// Nil before the first sample.
    public var roundTrip: Duration?
    public var roundTripVariance: Duration?
    public var roundTripLeast: Duration?
    public var roundTripLatest: Duration?
    public var datagramsSent: UInt64
    public var bytesSent: UInt64
    public var datagramsReceived: UInt64
    public var bytesReceived: UInt64
    /// Of those sent: known to have arrived, known not to have, and never known.
    public var acknowledged: UInt64
    public var lost: UInt64
    public var unresolved: UInt64
    /// Of those sent, marked CE on their way.
    public var congestionMarked: UInt64

    /// The share of datagrams sent that were lost, of those whose fate is known. Nil before any is.
    public var loss: Double? {
        let known = acknowledged + lost
        return known == 0 ? nil : Double(lost) / Double(known)
    }

    init(_ stats: ox_path_stats) {
        func duration(_ nanoseconds: UInt64) -> Duration? {
            stats.rtt_samples == 0 || nanoseconds == 0 ? nil : .nanoseconds(Int64(clamping: nanoseconds))
        }
        roundTrip = duration(stats.rtt_smoothed_ns)
        roundTripVariance = stats.rtt_samples == 0 ? nil : .nanoseconds(Int64(clamping: stats.rtt_variance_ns))
        roundTripLeast = duration(stats.rtt_min_ns)
        roundTripLatest = duration(stats.rtt_latest_ns)
        datagramsSent = stats.sent
        bytesSent = stats.sent_bytes
        datagramsReceived = stats.received
        bytesReceived = stats.received_bytes
        acknowledged = stats.acknowledged
        lost = stats.lost
        unresolved = stats.unresolved
        congestionMarked = stats.peer_ce
    }
}

/// What has passed between this side and a peer, inside the tunnel and on its paths.
public struct PeerTraffic: Equatable, Sendable {
    public var packetsSent: UInt64
    public var packetBytesSent: UInt64
    public var packetsReceived: UInt64
    public var packetBytesReceived: UInt64
    public var path: PathStatus

    init(_ report: ox_peer_report) {
        packetsSent = report.packets_sent
        packetBytesSent = report.packet_bytes_sent
        packetsReceived = report.packets_received
        packetBytesReceived = report.packet_bytes_received
        path = PathStatus(report.paths)
    }
}

public struct PortStatus: Equatable, Sendable {
    public var received: UInt64
    public var sent: UInt64
    public var sendFailed: UInt64
    /// Of the last refusal, in words.
    public var lastFailure: String?
    public var kernelDrops: UInt64
    public var kernelDropsHandshake: UInt64
    /// Segmentation and receive offloads are in use.
    public var offload: Bool
    /// Times that the kernel refused one that it had offered.
    public var offloadFallbacks: UInt64
    /// Super-packets, and buffers of several datagrams.
    public var superReceived: UInt64
    public var superSent: UInt64

    init(_ report: ox_port_report) {
        received = report.received
        sent = report.sent
        sendFailed = report.send_failed
        lastFailure = report.send_errno == 0 ? nil : systemMessage(report.send_errno)
        kernelDrops = report.kernel_drops
        kernelDropsHandshake = report.kernel_drops_handshake
        offload = report.offload != 0
        offloadFallbacks = report.offload_fallbacks
        superReceived = report.super_received
        superSent = report.super_sent
    }
}

/// The packet buffers of one size.
public struct BufferStatus: Equatable, Sendable {
    public enum Pages: String, Sendable {
        case ordinary
        /// Transparent huge pages.
        case transparent
        /// Of the kernel's reserve of huge pages.
        case huge
    }

    /// Of one buffer.
    public var bytes: Int
    public var buffers: UInt64
    public var free: UInt64
    /// Requests that found none.
    public var exhausted: UInt64
    /// Times that the pool grew and shrank.
    public var grown: UInt64
    public var shrunk: UInt64
    /// What the first of them lie in.
    public var pages: Pages

    init(_ report: ox_pool_class_report, _ pages: ox_pages, bytes: Int) {
        self.bytes = bytes
        buffers = report.buffers
        free = report.free
        exhausted = report.exhausted
        grown = report.grown
        shrunk = report.shrunk
        self.pages =
            switch pages {
            case .OX_PAGES_SMALL: .ordinary
            case .OX_PAGES_TRANSPARENT: .transparent
            case .OX_PAGES_HUGE: .huge
            }
    }
}

public struct WorkerStatus: Equatable, Sendable {
    /// Packets that ended, by the name of the reason; reasons that never occurred are left out.
    public var drops: [String: UInt64]
    public var device: PortStatus
    public var network: PortStatus
    public var smallBuffers: BufferStatus
    public var largeBuffers: BufferStatus
    /// Packets from the device that went to other workers, and that came from them.
    public var handedOver: UInt64
    public var takenOver: UInt64

    init(_ report: ox_worker_report) {
        drops = [:]
        let counts = unsafe withUnsafeBytes(of: report.drops) { unsafe Array($0.bindMemory(to: UInt64.self)) }
        for (index, count) in counts.enumerated() where count > 0 {
            guard let verdict = ox_verdict(rawValue: UInt32(index)), verdict != .OX_PASS else { continue }
            drops[unsafe String(cString: ox_verdict_name(verdict))] = count
        }
        device = PortStatus(report.device)
        network = PortStatus(report.network)
        smallBuffers = BufferStatus(report.pool.classes.0, report.pages.0, bytes: Int(OX_BUF_BYTES))
        largeBuffers = BufferStatus(report.pool.classes.1, report.pages.1, bytes: Int(OX_BUF_LARGE_BYTES))
        handedOver = report.handed_over
        takenOver = report.taken_over
    }

    /// The names of all reasons for which a packet can end.
    public static var dropNames: [String] {
        (1..<UInt32(OX_VERDICT_COUNT)).compactMap { index in
            ox_verdict(rawValue: index).map { unsafe String(cString: ox_verdict_name($0)) }
        }
    }
}
