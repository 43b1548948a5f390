import OxModel

/// One session, from its installation to its retirement.
struct Session: Sendable {
    /// A session that was replaced goes on receiving for so long: what is under way has arrived by then.
    static let grace = Duration.seconds(15)
    /// Sessions begun by either side this close together come from handshakes that crossed.
    static let crossing = Duration.seconds(2)
    /// Of two such sessions the peer is followed to the one it uses after so long.
    static let patience = Duration.seconds(4)

    let id: SessionID
    let remote: RemoteSessionID
    let aead: AEAD
    let features: FeatureSet
    let isInitiator: Bool
    let created: Instant
    /// Where its handshake came from.
    let from: SocketAddress
    /// Its age does not allow it to live longer.
    let rejectAt: Instant
    var retireAt: Instant
    /// The other side is known to have the keys.
    var isConfirmed: Bool
    var lastReceived: Instant?
    var numbersUsed: UInt64 = 0
    /// The time to replace it has come. It is replaced as soon as it is used.
    var isRekeyDue = false

    init(
        id: SessionID, remote: RemoteSessionID, aead: AEAD, features: FeatureSet, isInitiator: Bool,
        created: Instant, from: SocketAddress, rejectAfter: Duration
    ) {
        self.id = id
        self.remote = remote
        self.aead = aead
        self.features = features
        self.isInitiator = isInitiator
        self.created = created
        self.from = from
        rejectAt = created + rejectAfter
        retireAt = rejectAt
        isConfirmed = isInitiator
    }

    /// The initiator replaces it first; the responder does when the initiator has not.
    func rekeyAt(_ timers: Timers) -> Instant? {
        if isRekeyDue { return nil }
        return created + (isInitiator ? timers.rekeyAfter : timers.rekeyByResponderAfter)
    }

    /// Two sessions whose handshakes crossed have one order, and it is the same on both sides.
    func wins(over other: Session) -> Bool { idsByRole > other.idsByRole }

    private var idsByRole: (UInt32, UInt32) {
        isInitiator ? (id.rawValue, remote.rawValue) : (remote.rawValue, id.rawValue)
    }

    func crossed(_ other: Session) -> Bool {
        let apart = created > other.created ? created - other.created : other.created - created
        return isInitiator != other.isInitiator && apart <= Session.crossing
    }
}

extension PeerState {
    mutating func install(_ session: Session, _ context: inout Context) {
        sessions.append(session)
        context.owners[session.id] = id
        context.emit(
            .install(
                SessionParameters(
                    peer: id, path: .first, local: session.id, remote: session.remote, aead: session.aead,
                    features: session.features, isInitiator: session.isInitiator, created: session.created)))
    }

    /// Retires a session if there are as many as there may be: rather one that the peer never used than a predecessor.
    mutating func makeRoom(_ context: inout Context) {
        guard sessions.count >= PeerState.sessionsMost else { return }
        let victim = sessions.first { !$0.isConfirmed } ?? sessions.first { $0.id != current }
        if let victim { retire(victim.id, &context) }
    }

    /// The first authenticated datagram of a session that the peer began.
    mutating func onConfirmed(_ confirmed: SessionID, now: Instant, _ context: inout Context) {
        guard let index = index(of: confirmed), !sessions[index].isConfirmed else { return }
        sessions[index].isConfirmed = true
        sessions[index].lastReceived = now
        let session = sessions[index]
        let took = now - session.created
        handshakeTook = took
        context.emit(.log(.handshakeCompleted(id, aead: session.aead, took: took)))
        if let rival = currentSession, session.crossed(rival) ? !session.wins(over: rival) : session.created < rival.created {
            sessions[index].retireAt = min(session.retireAt, now + Session.grace)
            lastHandshake = now
            heard(now: now, &context)
            // So that the peer learns which one is used here even if its first datagram was lost.
            return sendKeepalive(now: now, &context)
        }
        adopt(confirmed, confirm: false, now: now, &context)
        if address != session.from { onAddressChanged(confirmed, session.from, now: now, &context) }
    }

    /// From now on this session is the one to send on.
    mutating func adopt(_ adopted: SessionID, confirm: Bool, now: Instant, _ context: inout Context) {
        guard let session = session(adopted) else { return }
        beginAt = nil
        packetsWait = false
        prefersEndpoints = false
        lastHandshake = now
        if let handshake { abandon(handshake, &context) }
        for index in sessions.indices where sessions[index].id != adopted {
            guard sessions[index].created <= session.created || sessions[index].isConfirmed else { continue }
            sessions[index].retireAt = min(sessions[index].retireAt, now + Session.grace)
        }
        // Without encryption an address is as good as its handshake, and no other may ever get the plaintext.
        if session.aead == .none || address == nil { move(to: session.from, now: now, &context) }
        if congestion == nil { startCongestion(leaving: nil, now: now, &context) }
        send(on: adopted, confirm: confirm, &context)
        continueRepair(now: now, &context)
        if confirm { traffic.onSent(now) }
        heard(now: now, &context)
    }

    /// It lives as long as its age allows, even if its end was near while another was in use.
    private mutating func send(on session: SessionID, confirm: Bool, _ context: inout Context) {
        guard let index = index(of: session) else { return }
        sessions[index].retireAt = sessions[index].rejectAt
        current = session
        context.emit(.use(session, confirm: confirm))
    }

    /// Sessions whose time is over go. A predecessor stays longer while the peer may still depend on it.
    mutating func retireDue(now: Instant, _ context: inout Context) {
        let hadCurrent = current != nil
        for session in sessions where session.retireAt <= now {
            if session.rejectAt > now, session.id != current, isStillNeeded(session, now: now) {
                sessions[index(of: session.id)!].retireAt = min(session.rejectAt, now + Session.grace)
            } else {
                retire(session.id, &context)
            }
        }
        if hadCurrent, current == nil { onCurrentGone(isExpiry: true, now: now, &context) }
    }

    /// The peer sent on it a moment ago, or has not shown yet that it knows the one that replaced it.
    private func isStillNeeded(_ session: Session, now: Instant) -> Bool {
        guard session.isConfirmed else { return false }
        if let last = session.lastReceived, last + Session.grace > now { return true }
        guard let current = currentSession else { return false }
        return current.isInitiator && current.lastReceived == nil
    }

    mutating func retire(_ retired: SessionID, _ context: inout Context) {
        guard let index = index(of: retired) else { return }
        sessions.remove(at: index)
        if current == retired { current = nil }
        context.owners[retired] = nil
        context.emit(.retire(retired))
    }

    /// The session in use has gone. Another that still lives takes its place; otherwise the next packet begins anew.
    mutating func onCurrentGone(isExpiry: Bool, now: Instant, _ context: inout Context) {
        let isUsable = { (session: Session) in session.isConfirmed && (session.aead != .none || session.from == self.address) }
        if let other = sessions.last(where: isUsable) {
            return send(on: other.id, confirm: false, &context)
        }
        if isExpiry { context.emit(.log(.sessionExpired(id))) }
        traffic = Traffic()
        challenge = nil
        waitingMove = nil
        mtu?.onSessionLost()
        endCongestion(now: now, &context)
        endRepair(&context)
        if isExpiry, wantsSession, handshake == nil { beginAt = now }
    }

    /// The peer sends on a session that is not the one in use here. After handshakes that crossed both sides keep the one
    /// that wins, unless the peer does not have it.
    mutating func followPeer(_ session: Session, now: Instant, _ context: inout Context) {
        guard let sending = currentSession, let received = session.lastReceived, session.isConfirmed,
            session.aead != .none, session.crossed(sending)
        else { return }
        let lastOnCurrent = max(sending.lastReceived ?? sending.created, sending.created)
        guard session.wins(over: sending) || received > lastOnCurrent + Session.patience else { return }
        if let replaced = index(of: sending.id) {
            sessions[replaced].retireAt = min(sending.rejectAt, now + Session.grace)
        }
        send(on: session.id, confirm: false, &context)
    }

    mutating func onRekeyDue(now: Instant, _ context: inout Context) {
        guard let index = index(of: current) else { return }
        sessions[index].isRekeyDue = true
        let isInUse = traffic.lastUseful.map { $0 + context.timers.keepaliveAfter > now } ?? false
        if isInUse || wantsSession { beginHandshake(now: now, &context) }
    }

    mutating func onClosed(_ closed: SessionID, _ reason: CloseReason, now: Instant, _ context: inout Context) {
        context.emit(.log(.peerClosed(id, reason)))
        if reason == .superseded {
            end(closed, now: now, &context)
        } else {
            // A goodbye that was delayed says nothing of sessions that began after its own.
            guard let ended = session(closed)?.created else { return }
            for session in sessions where session.created <= ended { retire(session.id, &context) }
            if current == nil { onCurrentGone(isExpiry: false, now: now, &context) }
        }
        guard current == nil else { return }
        if !wantsSession, let handshake { abandon(handshake, &context) }
        if wantsSession, handshake == nil { beginAt = now + context.jittered(PeerState.pauseAfterClose) }
    }

    /// This session alone, for another reason than its age.
    private mutating func end(_ ended: SessionID, now: Instant, _ context: inout Context) {
        let wasCurrent = ended == current
        retire(ended, &context)
        if wasCurrent { onCurrentGone(isExpiry: false, now: now, &context) }
    }

    /// The peer believes in it until its packets find no answer; this side tries anew when there may be memory again.
    mutating func onInstallFailed(_ failed: SessionID, now: Instant, _ context: inout Context) {
        end(failed, now: now, &context)
        guard current == nil else { return }
        forgetWaiting(&context)
        if wantsSession, handshake == nil { beginAt = now + context.jittered(context.timers.retryMost) }
    }

    /// A peer that closed is likely to be restarting.
    static let pauseAfterClose = Duration.seconds(1)

    /// Unencrypted sessions end when this side's configuration no longer trusts where they lead.
    mutating func onTrustChanged(now: Instant, _ context: inout Context) {
        let lost = sessions.filter { $0.aead == .none && !context.trustsUnencrypted($0.from) }
        guard !lost.isEmpty else { return }
        let hadCurrent = current != nil
        for session in lost {
            context.emit(.close(session.id, .superseded))
            retire(session.id, &context)
        }
        guard hadCurrent, current == nil else { return }
        onCurrentGone(isExpiry: false, now: now, &context)
        if current == nil, wantsSession, handshake == nil { beginAt = now }
    }
}
