public import OxCongestion
public import OxModel
public import OxTraffic

/// What `show` says of a peer.
public struct PeerStatus: Equatable, Sendable {
    public enum State: Equatable, Sendable {
        /// No session, and none wanted.
        case idle
        /// No session yet; a handshake is under way or about to be.
        case connecting
        case connected
    }

    public struct CurrentSession: Equatable, Sendable {
        public var local: SessionID
        public var remote: RemoteSessionID
        public var aead: AEAD
        public var features: FeatureSet
        public var isInitiator: Bool
        public var age: Duration
    }

    public var state: State
    /// The session on which this side sends.
    public var session: CurrentSession?
    /// The attempt that waits for an answer, from 1 on.
    public var handshakeAttempt: Int?
    /// Where datagrams go, or would go first.
    public var endpoint: SocketAddress?
    public var lastHandshake: Instant?
    /// From the first initiation to the end, on this side.
    public var handshakeTook: Duration?
    /// The largest UDP payload that the path carries, as far as is known.
    public var mtu: Int
    /// Something was sent that wants an answer, and nothing came back.
    public var isSilent: Bool
    /// Of the path, while there is a session and congestion control is on.
    public var congestion: BBR.Status?
    public var isGaming: Bool
    /// Of the path, while there is a session in which both ends can repair losses.
    public var repair: RedundancyController.Status?
}
