public import OxModel

/// What the driver must do, in order.
public enum Command: Equatable, Sendable {
    /// Start a handshake under the local id `local` (also the handshake's index) and send its initiation. Replaces an earlier one of
    /// this peer that is unanswered. The driver stamps it with a timestamp that grows.
    case sendInitiation(PeerID, local: SessionID, offer: Offer, to: SocketAddress)
    /// Answer the initiation that is being handled, and make its session's keys. Followed by `install`.
    case sendResponse(PeerID, local: SessionID, offer: Offer, to: SocketAddress)
    /// Forget the handshake this side began, for good.
    case abandonInitiation(PeerID)
    /// Hand the session to the worker: it receives from now on.
    case install(SessionParameters)
    /// Send on this session from now on. Packets that waited go out; with none waiting, a keepalive does, when asked.
    case use(SessionID, confirm: Bool)
    /// Stop, wipe the keys, free the id. Its id may be issued again once the driver says so by `sessionsRetired`.
    case retire(SessionID)
    /// Where the path's datagrams go from now on.
    case move(PeerID, PathID, to: SocketAddress)
    case challenge(SessionID, token: UInt64, to: SocketAddress)
    case sendKeepalive(SessionID)
    /// Send a padded datagram of this many UDP payload bytes, to learn whether the path carries it.
    case probeMTU(SessionID, size: Int)
    /// The largest UDP payload the path carries.
    case setMTU(PeerID, PathID, size: Int)
    /// What the path may send from now on.
    case setLimits(PeerID, PathID, PathLimits)
    /// How what the path loses is repaired from now on.
    case setRepair(PeerID, PathID, PathRepair)
    case close(SessionID, CloseReason)
    /// Look the endpoint's name up again.
    case resolveEndpoint(PeerID)
    /// Drop the packets that wait for a session: there will be none.
    case dropWaiting(PeerID)
    /// Count an initiation that is not answered, under its name.
    case refuse(PeerID, Refusal)
    case log(Notice)
}

/// Why an authentic initiation or response is not acted upon.
public enum Refusal: Equatable, Sendable {
    case replayedTimestamp
    case tooSoon
    case noCommonAEAD
    case unencryptedNotTrusted
    case noPathZero
    case unexpected
    case noFreeSession
}

/// A session as the worker needs it.
public struct SessionParameters: Equatable, Sendable {
    public var peer: PeerID
    public var path: PathID
    public var local: SessionID
    public var remote: RemoteSessionID
    public var aead: AEAD
    public var features: FeatureSet
    public var isInitiator: Bool
    public var created: Instant

    public init(
        peer: PeerID, path: PathID, local: SessionID, remote: RemoteSessionID, aead: AEAD, features: FeatureSet,
        isInitiator: Bool, created: Instant
    ) {
        self.peer = peer
        self.path = path
        self.local = local
        self.remote = remote
        self.aead = aead
        self.features = features
        self.isInitiator = isInitiator
        self.created = created
    }
}

/// Something that a person may want to read in the log. The driver words it.
public enum Notice: Equatable, Sendable {
    case handshakeStarted(PeerID, to: SocketAddress, attempt: Int)
    case handshakeCompleted(PeerID, aead: AEAD, took: Duration)
    case handshakeGivenUp(PeerID, attempts: Int)
    case sessionExpired(PeerID)
    case peerSilent(PeerID)
    case pathMoved(PeerID, PathID, from: SocketAddress?, to: SocketAddress)
    case mtuChanged(PeerID, PathID, size: Int)
    case peerClosed(PeerID, CloseReason)
    case innerAddressNotAllowed(PeerID, IPAddress)
    case endpointUnresolved(PeerID)
}
