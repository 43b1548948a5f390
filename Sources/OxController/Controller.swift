public import OxModel

/// Decides for all peers when to shake hands, which session to use, where a path leads and how large its datagrams may be
/// (Wire.md section 8). Does nothing itself: events and the time go in, commands come out.
public struct Controller: Sendable {
    private var peers: [PeerID: PeerState] = [:]
    private var context: Context
    private var deadlines = Deadlines()
    private var lastNow = Instant(nanoseconds: 0)

    /// `random` makes the tokens of challenges, which nobody may guess: the system's generator in production.
    public init(local: LocalSettings, random: some RandomNumberGenerator & Sendable) {
        context = Context(local: local, random: random)
    }

    /// The earliest time at which `advance(to:)` has something to do.
    public var deadline: Instant? { deadlines.earliest }

    /// Commands since the last call, in the order in which they are to be carried out.
    public mutating func takeCommands() -> [Command] {
        defer { context.commands.removeAll() }
        return context.commands
    }

    public mutating func add(_ peer: PeerID, _ settings: PeerSettings, now: Instant) {
        guard peers[peer] == nil else { return update(peer, settings, now: now) }
        let now = clamped(now)
        peers[peer] = PeerState(peer, settings, now: now)
        with(peer) { state, context in
            if let at = state.beginAt, at <= now { state.beginHandshake(now: now, &context) }
        }
    }

    /// A reload: sessions are kept.
    public mutating func update(_ peer: PeerID, _ settings: PeerSettings, now: Instant) {
        let now = clamped(now)
        with(peer) { state, context in state.onUpdate(settings, now: now, &context) }
    }

    /// Says goodbye to the peer, retires its sessions and forgets it.
    public mutating func remove(_ peer: PeerID, now: Instant) {
        _ = clamped(now)
        with(peer) { state, context in state.onRemoved(.removed, &context) }
        peers[peer] = nil
        context.destinations.forget { $0.peer == peer }
        deadlines.remove(peer)
    }

    /// A reload. The number of bytes of the session ids stays as it was at the start. Unencrypted sessions that are no longer
    /// trusted end.
    public mutating func updateLocal(_ local: LocalSettings) {
        context.local = local
        let now = lastNow
        for peer in peers.keys.sorted() {
            with(peer) { state, context in
                state.onTrustChanged(now: now, &context)
                state.onCongestionSettings(now: now, &context)
                state.onRepairSettings(now: now, &context)
            }
        }
    }

    public mutating func handle(_ event: Event, now: Instant) {
        let now = clamped(now)
        switch event {
        case .packetsWaiting(let peer):
            with(peer, dueAt: now) { $0.onPacketsWaiting(now: now, &$1) }
        case .initiationReceived(let peer, let timestamp, let offer, let from):
            with(peer, dueAt: now) { $0.onInitiation(timestamp, offer, from: from, now: now, &$1) }
        case .responseReceived(let peer, let local, let offer, let from):
            with(peer, dueAt: now) { $0.onResponse(local: local, offer, from: from, now: now, &$1) }
        case .cookieReceived(let peer):
            with(peer, dueAt: now) { $0.onCookie(now: now, &$1) }
        case .endpointResolved(let peer, let addresses):
            with(peer, dueAt: now) { $0.onEndpointResolved(addresses, now: now, &$1) }
        case .sessionConfirmed(let session):
            with(session, dueAt: now) { $0.onConfirmed(session, now: now, &$1) }
        case .activity(let session, let activity):
            with(session, dueAt: now) { $0.onActivity(session, activity, now: now, &$1) }
        case .addressChanged(let session, let address):
            with(session, dueAt: now) { $0.onAddressChanged(session, address, now: now, &$1) }
        case .challengeAnswered(let session, let token, let from):
            with(session, dueAt: now) { $0.onChallengeAnswered(token: token, from: from, now: now, &$1) }
        case .mtuAcknowledged(let session, let size):
            with(session, dueAt: now) { peer, context in
                peer.applyMTU(&context) { $0.onAcknowledged(size, now: now, $1) }
            }
        case .mtuBlackHole(let session):
            with(session, dueAt: now) { peer, context in
                peer.applyMTU(&context) { $0.onBlackHole(now: now, $1) }
            }
        case .pathSampled(let peer, let path, let sample):
            with(peer) { $0.onPathSample(path, sample, now: now, &$1) }
        case .pacingForecast(let peer, _, let scale):
            with(peer) { $0.onPacingForecast(scale, &$1) }
        case .lossForecast(let peer, _, let loss):
            with(peer) { $0.onLossForecast(loss, now: now, &$1) }
        case .closed(let session, let reason):
            with(session, dueAt: now) { $0.onClosed(session, reason, now: now, &$1) }
        case .installFailed(let session):
            with(session, dueAt: now) { $0.onInstallFailed(session, now: now, &$1) }
        }
    }

    /// Does what is due, once for each peer however late it is, and touches no other. Returns how many peers it touched.
    @discardableResult
    public mutating func advance(to now: Instant) -> Int {
        let now = clamped(now)
        var due: [PeerID] = []
        while let peer = deadlines.popDue(now) { due.append(peer) }
        for peer in due {
            with(peer) { state, context in state.onDeadline(now: now, &context) }
        }
        return due.count
    }

    /// The driver has wiped these sessions, so that their ids may be issued again.
    public mutating func sessionsRetired(_ ids: [SessionID]) {
        for id in ids where context.owners[id] == nil { context.ids.release(id) }
    }

    /// Closes every session, and begins and accepts none from now on.
    public mutating func shutdown(now: Instant) {
        _ = clamped(now)
        context.isShutDown = true
        for peer in peers.keys.sorted() {
            with(peer) { state, context in state.onRemoved(.shutdown, &context) }
        }
    }

    public func status(of peer: PeerID, now: Instant) -> PeerStatus? {
        peers[peer]?.status(now: max(now, lastNow))
    }

    /// Time does not go back here, even if a caller's readings cross.
    private mutating func clamped(_ now: Instant) -> Instant {
        lastNow = max(lastNow, now)
        return lastNow
    }

    private mutating func with(
        _ session: SessionID, dueAt now: Instant, _ body: (inout PeerState, inout Context) -> Void
    ) {
        guard let peer = context.owners[session] else { return }
        with(peer, dueAt: now, body)
    }

    /// Sessions whose time is over are gone before anything else happens to their peer.
    private mutating func with(
        _ peer: PeerID, dueAt now: Instant? = nil, _ body: (inout PeerState, inout Context) -> Void
    ) {
        guard let index = peers.index(forKey: peer) else { return }
        if let now { peers.values[index].retireDue(now: now, &context) }
        body(&peers.values[index], &context)
        deadlines.set(peer, to: peers.values[index].deadline(context.timers))
    }
}
