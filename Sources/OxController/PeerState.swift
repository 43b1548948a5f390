import OxModel

/// One peer: its sessions, the handshake under way, where its path leads, and what is due when.
struct PeerState: Sendable {
    /// Sessions of one peer that may be alive together: the one in use, its predecessor, and two that the peer may yet choose.
    static let sessionsMost = 4
    /// Addresses of one name that are tried.
    static let endpointsMost = 8
    /// Inner addresses of one peer that are worth a word in the log.
    static let noticesMost = 8

    let id: PeerID
    var settings: PeerSettings
    /// Where to find the peer by configuration, best first.
    var endpoints: [SocketAddress]
    /// Where the path's datagrams go: where the peer was last shown to be.
    var address: SocketAddress?

    /// Oldest first.
    var sessions: [Session] = []
    /// The one to send on.
    var current: SessionID?
    var handshake: Handshake?
    /// When to begin a handshake without being asked.
    var beginAt: Instant?
    var lastInitiationSent: Instant?
    var lastInitiationAccepted: Instant?
    var greatestTimestamp: Timestamp?
    var resolveNotBefore: Instant?
    /// Packets wait for a session, and an address is being looked up for them.
    var packetsWait = false
    /// The configured endpoint has changed, so that it counts for more than where the peer was.
    var prefersEndpoints = false

    var traffic = Traffic()
    var challenge: Challenge?
    var waitingMove: WaitingMove?
    var challengeNotBefore: Instant?
    var mtu: PathMTU?
    var mtuNoticed: Int?
    var congestion: PathCongestion?
    var repairing: PathRepairing?

    var lastHandshake: Instant?
    var handshakeTook: Duration?
    var noticedInnerAddresses: Set<IPAddress> = []

    init(_ id: PeerID, _ settings: PeerSettings, now: Instant) {
        self.id = id
        self.settings = settings
        endpoints = settings.endpoint.map { [$0] } ?? []
        if wantsSession { beginAt = now }
    }

    /// Whether there shall be a session even while no packet asks for one.
    var wantsSession: Bool { settings.connectsAtStart || settings.persistentKeepalive != nil }

    var currentSession: Session? { current.flatMap(session) }

    func session(_ id: SessionID) -> Session? { sessions.first { $0.id == id } }

    func index(of id: SessionID?) -> Int? { id.flatMap { id in sessions.firstIndex { $0.id == id } } }

    /// The earliest of everything that this peer waits for. Each line has its counterpart in `onDeadline`.
    func deadline(_ timers: Timers) -> Instant? {
        var earliest: Instant?
        func consider(_ at: Instant?) {
            guard let at else { return }
            earliest = min(earliest ?? at, at)
        }
        for session in sessions { consider(session.retireAt) }
        consider(handshake?.nextAt)
        consider(beginAt)
        if let session = currentSession {
            consider(session.rekeyAt(timers))
            consider(silenceAt(timers))
            consider(keepaliveAt(session, timers))
            consider(challengeAt)
            consider(mtu?.deadline)
        }
        return earliest
    }

    mutating func onDeadline(now: Instant, _ context: inout Context) {
        retireDue(now: now, &context)
        if let handshake, handshake.nextAt <= now { onHandshakeUnanswered(now: now, &context) }
        if let beginAt, beginAt <= now { beginHandshake(now: now, &context) }
        guard let session = currentSession else { return }
        if let at = session.rekeyAt(context.timers), at <= now { onRekeyDue(now: now, &context) }
        if let at = silenceAt(context.timers), at <= now { onSilent(now: now, &context) }
        if let at = keepaliveAt(session, context.timers), at <= now { sendKeepalive(now: now, &context) }
        if let at = challengeAt, at <= now { onChallengeDue(now: now, &context) }
        applyMTU(&context) { mtu, timers in mtu.onDeadline(now: now, timers) }
    }

    /// A reload. Sessions are kept, whatever changed.
    mutating func onUpdate(_ new: PeerSettings, now: Instant, _ context: inout Context) {
        let old = settings
        settings = new
        noticedInnerAddresses = []
        if new.endpoint != old.endpoint {
            endpoints = new.endpoint.map { [$0] } ?? []
            if !endpoints.isEmpty {
                prefersEndpoints = true
                if wantsSession || current != nil || handshake != nil { beginAt = now }
                if let handshake { abandon(handshake, &context) }
            }
        }
        if wantsSession, current == nil, handshake == nil, beginAt == nil { beginAt = now }
        if !wantsSession, current == nil, !packetsWait { beginAt = nil }
    }

    /// Ends everything, telling the peer why.
    mutating func onRemoved(_ reason: CloseReason, _ context: inout Context) {
        if let current { context.emit(.close(current, reason)) }
        while let session = sessions.first { retire(session.id, &context) }
        if let handshake { abandon(handshake, &context) }
        beginAt = nil
        forgetWaiting(&context)
    }

    /// Packets that wait are dropped, as there will be no session for them soon.
    mutating func forgetWaiting(_ context: inout Context) {
        packetsWait = false
        context.emit(.dropWaiting(id))
    }

    func status(now: Instant) -> PeerStatus {
        let session = currentSession
        return PeerStatus(
            state: session != nil ? .connected : handshake != nil || beginAt != nil ? .connecting : .idle,
            session: session.map {
                PeerStatus.CurrentSession(
                    local: $0.id, remote: $0.remote, aead: $0.aead, features: $0.features,
                    isInitiator: $0.isInitiator, age: now - $0.created)
            },
            handshakeAttempt: handshake?.attempt, endpoint: address ?? endpoints.first,
            lastHandshake: lastHandshake, handshakeTook: handshakeTook, mtu: mtu?.size ?? PathMTU.base,
            isSilent: traffic.isSilent, congestion: congestion?.status,
            isGaming: congestion?.bbr.isGaming ?? false, repair: repairing?.controller.status(now: now))
    }
}
