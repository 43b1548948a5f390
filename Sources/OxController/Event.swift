public import OxModel
public import OxTraffic

/// What happened, as the controller is told of it.
public enum Event: Equatable, Sendable {
    /// Packets wait for a session with this peer.
    case packetsWaiting(PeerID)
    /// An authentic initiation, decrypted. The driver keeps its half-done handshake until the call returns.
    case initiationReceived(PeerID, timestamp: Timestamp, offer: Offer, from: SocketAddress)
    /// An authentic response to the initiation that this side sent under `local`.
    case responseReceived(PeerID, local: SessionID, offer: Offer, from: SocketAddress)
    /// The peer is under load and answered with a cookie; the driver keeps it for the next initiation.
    case cookieReceived(PeerID)
    /// The first authenticated datagram of a session arrived: the other side has the keys.
    case sessionConfirmed(SessionID)
    /// At most four times a second for a session in use.
    case activity(SessionID, Activity)
    /// An authenticated, newest datagram came from an address that is not the path's.
    case addressChanged(SessionID, SocketAddress)
    /// The answer to a challenge arrived from this address.
    case challengeAnswered(SessionID, token: UInt64, from: SocketAddress)
    /// A probe of this size (UDP payload bytes) was acknowledged.
    case mtuAcknowledged(SessionID, size: Int)
    /// Datagrams larger than the base size vanish while smaller ones arrive.
    case mtuBlackHole(SessionID)
    /// What feedback, or a timer, says of a path.
    case pathSampled(PeerID, PathID, PathSample)
    /// A predictor expects the path to carry this much more or less soon; heard only where predictive pacing is on.
    case pacingForecast(PeerID, PathID, scale: Double)
    /// A predictor expects the path to lose this share soon; nil: it has no opinion any more.
    case lossForecast(PeerID, PathID, Double?)
    /// The peer ended the session.
    case closed(SessionID, CloseReason)
    /// The driver could not make the session's keys: the worker does not have it.
    case installFailed(SessionID)
    /// Addresses that the endpoint's name stands for now, best first. Empty when it does not resolve.
    case endpointResolved(PeerID, [SocketAddress])
}

/// What a session did since the last report.
public struct Activity: Equatable, Sendable {
    /// Any authenticated datagram arrived, and when.
    public var lastReceived: Instant?
    /// Any datagram was sent, and when.
    public var lastSent: Instant?
    /// Something that wants an answer was sent (data, not a bare feedback), and when.
    public var lastSentEliciting: Instant?
    /// Something that wants an answer arrived (data, not a bare feedback or keepalive), and when.
    public var lastReceivedEliciting: Instant?
    /// Packet numbers spent.
    public var numbersUsed: UInt64
    /// All that the peer was sent since the start, and what carried it; its interval means nothing.
    public var carried: Load
    /// What the path was sent by class that can be repaired.
    public var repairLoads: [TrafficClass: RepairLoad]

    public init(
        lastReceived: Instant? = nil, lastSent: Instant? = nil, lastSentEliciting: Instant? = nil,
        lastReceivedEliciting: Instant? = nil, numbersUsed: UInt64 = 0, carried: Load = Load(),
        repairLoads: [TrafficClass: RepairLoad] = [:]
    ) {
        self.lastReceived = lastReceived
        self.lastSent = lastSent
        self.lastSentEliciting = lastSentEliciting
        self.lastReceivedEliciting = lastReceivedEliciting
        self.numbersUsed = numbersUsed
        self.carried = carried
        self.repairLoads = repairLoads
    }
}

/// Numbers of the wire (Wire.md section 6.8).
public enum CloseReason: UInt8, Sendable {
    case shutdown = 0
    case removed = 1
    case superseded = 2
}
