internal import COxTunnel
public import OxModel

/// What a worker tells the control thread.
public enum WorkerEvent: Sendable {
    case packetsWaiting(PeerID)
    case handshake([UInt8], from: SocketAddress)
    case sessionConfirmed(SessionID)
    case activity(SessionID, SessionActivity)
    case addressChanged(SessionID, SocketAddress)
    case challengeAnswered(SessionID, token: UInt64, from: SocketAddress)
    case mtuAcknowledged(SessionID, size: Int)
    case mtuBlackHole(SessionID)
    case closed(SessionID, reason: UInt8)
    /// What feedback, or a timer, says of a path.
    case pathSample(PeerID, PathID, PathSample)
    case sessionRetired(SessionID)
    case peerRetired(PeerID)
    /// Somebody deleted the device. Nothing is read from it any more.
    case deviceLost

    /// Nil for what the wrapper deals with itself.
    init?(_ event: EventFields) {
        let session = SessionID(event.session)
        func instant(_ nanoseconds: UInt64) -> Instant? {
            nanoseconds == 0 ? nil : Instant(nanoseconds: nanoseconds)
        }
        switch event.kind {
        case .OX_EVENT_PACKETS_WAITING: self = .packetsWaiting(PeerID(event.peer))
        case .OX_EVENT_HANDSHAKE:
            self = .handshake(event.datagram, from: event.address)
        case .OX_EVENT_SESSION_CONFIRMED: self = .sessionConfirmed(session)
        case .OX_EVENT_ACTIVITY:
            self = .activity(
                session,
                SessionActivity(
                    lastReceived: instant(event.activity.received_ns),
                    lastReceivedEliciting: instant(event.activity.received_eliciting_ns),
                    lastSent: instant(event.activity.sent_ns),
                    lastSentEliciting: instant(event.activity.sent_eliciting_ns),
                    numbersUsed: event.activity.numbers, carriedPackets: event.activity.carried_packets,
                    carriedPacketBytes: event.activity.carried_packet_bytes,
                    carriedDatagrams: event.activity.carried_datagrams, carriedBytes: event.activity.carried_bytes,
                    repairLoads: event.activity.traffic.loads))
        case .OX_EVENT_ADDRESS_CHANGED: self = .addressChanged(session, event.address)
        case .OX_EVENT_CHALLENGE_ANSWERED:
            self = .challengeAnswered(session, token: event.token, from: event.address)
        case .OX_EVENT_MTU_ACKNOWLEDGED: self = .mtuAcknowledged(session, size: Int(event.size))
        case .OX_EVENT_MTU_BLACK_HOLE: self = .mtuBlackHole(session)
        case .OX_EVENT_CLOSED: self = .closed(session, reason: UInt8(truncatingIfNeeded: event.size))
        case .OX_EVENT_PATH_SAMPLE:
            guard let sample = event.sample else { return nil }
            self = .pathSample(PeerID(event.peer), PathID(UInt8(truncatingIfNeeded: event.path)), sample)
        case .OX_EVENT_SESSION_RETIRED: self = .sessionRetired(session)
        case .OX_EVENT_PEER_RETIRED: self = .peerRetired(PeerID(event.peer))
        case .OX_EVENT_DEVICE_LOST: self = .deviceLost
        case .OX_EVENT_POLICY_TAKEN, .OX_EVENT_POOL_LOW, .OX_EVENT_SLAB_RETIRED: return nil
        }
    }
}

/// What a session did, up to now. "Eliciting" is what wants an answer: data and keepalives, not bare feedback.
public struct SessionActivity: Equatable, Sendable {
    public var lastReceived: Instant?
    public var lastReceivedEliciting: Instant?
    public var lastSent: Instant?
    public var lastSentEliciting: Instant?
    public var numbersUsed: UInt64
    /// Inner packets that the peer was sent by now, their bytes, the datagrams that carried them, and the bytes of those.
    public var carriedPackets: UInt64
    public var carriedPacketBytes: UInt64
    public var carriedDatagrams: UInt64
    public var carriedBytes: UInt64
    /// What the path was sent by class that can be repaired, while that is watched.
    public var repairLoads: [TrafficClass: RepairLoad]
}

/// An ox_event without the object that it may carry.
struct EventFields {
    var kind: ox_event_kind
    var peer: UInt32
    var path: UInt32
    var session: UInt32
    var size: UInt32
    var token: UInt64
    var address: SocketAddress
    var activity: ox_activity
    var sample: PathSample?
    var datagram: [UInt8]

    @unsafe init(_ event: ox_event) {
        kind = unsafe event.kind
        peer = unsafe event.peer
        path = unsafe event.path
        session = unsafe event.session
        size = unsafe event.size
        token = unsafe event.token
        address = unsafe SocketAddress(event.address)
        activity = unsafe event.activity
        sample = unsafe kind == .OX_EVENT_PATH_SAMPLE ? PathSample(event.sample) : nil
        let bytes = unsafe kind == .OX_EVENT_HANDSHAKE ? withBytes(of: event.datagram) : []
        datagram = Array(bytes.prefix(Int(size)))
    }
}
