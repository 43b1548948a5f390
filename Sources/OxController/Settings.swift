public import OxModel
public import OxTraffic

/// What the controller knows of one peer.
public struct PeerSettings: Equatable, Sendable {
    public var publicKey: PublicKey
    /// Where to find it at first. Nil for a peer that only comes to us.
    public var endpoint: SocketAddress?
    /// Whether the endpoint was given by name, and so can be looked up again.
    public var endpointHasName: Bool
    /// Begin a handshake at once, and keep a session at all times.
    public var connectsAtStart: Bool
    public var persistentKeepalive: Duration?
    public var allowedIPs: [IPPrefix]

    public init(
        publicKey: PublicKey, endpoint: SocketAddress? = nil, endpointHasName: Bool = false,
        connectsAtStart: Bool = false, persistentKeepalive: Duration? = nil, allowedIPs: [IPPrefix] = []
    ) {
        self.publicKey = publicKey
        self.endpoint = endpoint
        self.endpointHasName = endpointHasName
        self.connectsAtStart = connectsAtStart
        self.persistentKeepalive = persistentKeepalive
        self.allowedIPs = allowedIPs
    }
}

/// What the controller knows of its own side.
public struct LocalSettings: Equatable, Sendable {
    /// AEADs this machine runs well, best first: never `.none`, which trust alone adds.
    public var aeads: [AEAD]
    public var features: FeatureSet
    public var innerAddresses: [IPAddress]
    /// Outer networks to and from which datagrams may go unencrypted, if the other side says the same.
    public var unencryptedNetworks: [IPPrefix]
    /// Bytes of the session ids issued here, 1 to 4: ids are below 256 to their power.
    public var sessionIDBytes: Int
    /// Workers that share the peers, and with them the session ids. Fixed for the run.
    public var workers: Int
    public var timers: Timers
    public var congestion: CongestionSettings
    public var repair: RepairSettings

    public init(
        aeads: [AEAD] = [.chaCha20Poly1305], features: FeatureSet = [.batch, .split, .train, .repair, .headerCompression],
        innerAddresses: [IPAddress] = [], unencryptedNetworks: [IPPrefix] = [], sessionIDBytes: Int = 2,
        workers: Int = 1, timers: Timers = Timers(), congestion: CongestionSettings = CongestionSettings(),
        repair: RepairSettings = RepairSettings()
    ) {
        self.aeads = aeads
        self.features = features
        self.innerAddresses = innerAddresses
        self.unencryptedNetworks = unencryptedNetworks
        self.sessionIDBytes = sessionIDBytes
        self.workers = workers
        self.timers = timers
        self.congestion = congestion
        self.repair = repair
    }
}

/// What is done about losses, in sessions in which both ends can do it.
public struct RepairSettings: Equatable, Sendable {
    public var isOn: Bool
    /// Of classes that are left out the preset holds.
    public var goals: [TrafficClass: RedundancyGoal]

    public init(isOn: Bool = true, goals: [TrafficClass: RedundancyGoal] = [:]) {
        self.isOn = isOn
        self.goals = goals
    }
}

/// How paths find the rate at which they send.
public struct CongestionSettings: Equatable, Sendable {
    /// Off: what comes in goes out at once.
    public var isOn: Bool
    /// Nil: while there is gaming or realtime traffic.
    public var isGaming: Bool?
    /// Whether packets wait for company in their datagrams.
    public var hold: BatchingPolicy.Mode
    /// Forecasts may scale the pacing.
    public var heedsForecasts: Bool

    public init(
        isOn: Bool = true, isGaming: Bool? = nil, hold: BatchingPolicy.Mode = .off, heedsForecasts: Bool = false
    ) {
        self.isOn = isOn
        self.isGaming = isGaming
        self.hold = hold
        self.heedsForecasts = heedsForecasts
    }
}

/// The times of the protocol (Wire.md section 8).
public struct Timers: Equatable, Sendable {
    /// A session older than this is replaced by its initiator while it is in use.
    public var rekeyAfter: Duration = .seconds(120)
    /// The responder begins a handshake itself when the initiator has not by then.
    public var rekeyByResponderAfter: Duration = .seconds(140)
    /// A session older than this neither sends nor receives; the worker enforces it too.
    public var rejectAfter: Duration = .seconds(180)
    /// Packet numbers after which a session is replaced.
    public var rekeyAfterNumbers: UInt64 = 1 << 60
    /// The first retry of an initiation; each further one waits twice as long, up to `retryMost`.
    public var retryFirst: Duration = .milliseconds(500)
    public var retryMost: Duration = .seconds(5)
    /// Up to this share of a wait is added at random.
    public var retryJitter: Double = 0.3
    /// Give up a handshake nobody answers after this long, until packets want one again.
    public var giveUpAfter: Duration = .seconds(90)
    /// Initiations of one peer are answered at most this often.
    public var initiationSpacing: Duration = .milliseconds(20)
    /// Data went out and nothing came back for this long: begin a new handshake.
    public var silenceAfter: Duration = .seconds(5)
    /// A session in use for receiving sends something at least this often.
    public var keepaliveAfter: Duration = .seconds(10)
    /// A challenge is repeated this often, and given up after `challengeTries`.
    public var challengeRetry: Duration = .milliseconds(250)
    public var challengeTries: Int = 5
    /// Whether paths are searched for more than the base MTU.
    public var searchesMTU = true
    public var mtuProbeWait: Duration = .seconds(1)
    /// A path's MTU is looked for again after this long.
    public var mtuSearchAgain: Duration = .seconds(600)

    public init() {}

    /// AES-GCM wears out sooner: RFC 9001 appendix B.1.1 allows 2^28 packets of this size. The session is replaced at half of that.
    func rekeyAfterNumbers(_ aead: AEAD) -> UInt64 {
        aead == .aes256GCM ? min(rekeyAfterNumbers, 1 << 27) : rekeyAfterNumbers
    }
}
