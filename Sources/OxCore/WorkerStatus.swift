internal import COxBase
internal import COxIO
internal import COxPacket
internal import COxPath
internal import COxQueue
internal import COxTunnel
internal import COxWorker
public import OxModel

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
    /// Bytes.
    public var inFlight: UInt64
    /// Taken for lost, and arrived after all; by how many places datagrams may be overtaken now before they are taken for lost; and
    /// times that all in flight was given up for want of feedback.
    public var late: UInt64
    public var reorderThreshold: UInt64
    public var timeouts: UInt64
    /// Limits that came in answer to a sample, and those of them that came after more than a millisecond.
    public var answers: UInt64
    public var answersLate: UInt64

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
        inFlight = stats.in_flight
        late = stats.late
        reorderThreshold = stats.reorder_threshold
        timeouts = stats.timeouts
        answers = stats.answers
        answersLate = stats.answers_late
    }
}

/// What has passed between this side and a peer, inside the tunnel and on its paths.
public struct PeerTraffic: Equatable, Sendable {
    public var packetsSent: UInt64
    public var packetBytesSent: UInt64
    public var packetsReceived: UInt64
    public var packetBytesReceived: UInt64
    public var path: PathStatus
    /// What the path may send, zero for no limit: bytes/s and bytes.
    public var pacingRate: Rate
    public var window: UInt64
    /// What repair did on the path.
    public var repair: RepairCounts
    /// What compressing headers did on the path.
    public var headers: HeaderCounts
    /// What waits for the path.
    public var queues: [QueueStatus]

    init(_ report: ox_peer_report) {
        packetsSent = report.packets_sent
        packetBytesSent = report.packet_bytes_sent
        packetsReceived = report.packets_received
        packetBytesReceived = report.packet_bytes_received
        path = PathStatus(report.paths)
        pacingRate = Rate(bytesPerSecond: report.limits.rate)
        window = report.limits.window
        repair = RepairCounts(report.repairs)
        headers = HeaderCounts(report.compact)
        let reports = unsafe withUnsafeBytes(of: report.queues) {
            unsafe Array($0.bindMemory(to: ox_queue_class_report.self))
        }
        queues = zip(TrafficClass.allCases, reports).map { QueueStatus($0, $1) }
    }
}

/// Packets of one class that wait for a path, and that did.
public struct QueueStatus: Equatable, Sendable {
    public var trafficClass: TrafficClass
    /// Now.
    public var packets: UInt64
    public var bytes: UInt64
    /// Since the start: what left, what was dropped for want of room and because it waited too long, and what was marked for that.
    public var sent: UInt64
    public var sentBytes: UInt64
    public var droppedFull: UInt64
    public var droppedDelay: UInt64
    public var marked: UInt64
    /// The time in the queue, smoothed; and the longest of the last second or two.
    public var sojourn: Duration
    public var sojournPeak: Duration

    init(_ trafficClass: TrafficClass, _ report: ox_queue_class_report) {
        self.trafficClass = trafficClass
        packets = report.packets
        bytes = report.bytes
        sent = report.sent
        sentBytes = report.sent_bytes
        droppedFull = report.dropped_full
        droppedDelay = report.dropped_delay
        marked = report.marked
        sojourn = .nanoseconds(Int64(clamping: report.sojourn_ns))
        sojournPeak = .nanoseconds(Int64(clamping: report.sojourn_peak_ns))
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
