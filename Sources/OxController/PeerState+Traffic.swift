import OxModel

/// What a peer's sessions did, together: which of them carried it does not matter for silence and keepalives.
struct Traffic: Sendable {
    private(set) var lastReceived: Instant?
    private(set) var lastSent: Instant?
    /// Anything but keepalives and feedback, in either direction.
    private(set) var lastUseful: Instant?
    /// Something that wants an answer was sent then, and nothing came back since.
    private(set) var unansweredSince: Instant?
    /// Something that wants an answer arrived then, and nothing was sent since.
    private(set) var owesSince: Instant?
    private(set) var isSilent = false

    mutating func onActivity(_ activity: Activity) {
        if let at = activity.lastSent { onSent(at) }
        if let at = activity.lastReceived { onReceived(at) }
        if let at = activity.lastSentEliciting {
            onSent(at)
            lastUseful = max(lastUseful ?? at, at)
            if unansweredSince == nil, lastReceived.map({ at > $0 }) ?? true { unansweredSince = at }
        }
        if let at = activity.lastReceivedEliciting {
            lastUseful = max(lastUseful ?? at, at)
            if owesSince == nil, lastSent.map({ at > $0 }) ?? true { owesSince = at }
        }
    }

    mutating func onSent(_ at: Instant) {
        lastSent = max(lastSent ?? at, at)
        if let owes = owesSince, owes <= at { owesSince = nil }
    }

    mutating func onReceived(_ at: Instant) {
        guard lastReceived.map({ at > $0 }) ?? true else { return }
        lastReceived = at
        isSilent = false
        if let since = unansweredSince, since <= at { unansweredSince = nil }
    }

    mutating func onSilent() {
        isSilent = true
        unansweredSince = nil
    }
}

extension PeerState {
    mutating func onActivity(_ session: SessionID, _ activity: Activity, now: Instant, _ context: inout Context) {
        guard let index = index(of: session) else { return }
        let wasUseful = traffic.lastUseful
        onCarried(activity.carried, now: now, &context)
        onRepairLoads(activity.repairLoads, now: now, &context)
        traffic.onActivity(activity.until(now))
        if let at = activity.lastReceived {
            sessions[index].lastReceived = max(sessions[index].lastReceived ?? at, at)
            if !traffic.isSilent { resumeMTU(now: now, &context) }
        }
        sessions[index].numbersUsed = max(sessions[index].numbersUsed, activity.numbersUsed)
        guard session == current else { return followPeer(sessions[index], now: now, &context) }
        let isWornOut = sessions[index].numbersUsed >= context.timers.rekeyAfterNumbers(sessions[index].aead)
        let isUsedAgain = sessions[index].isRekeyDue && traffic.lastUseful != wasUseful
        if isWornOut || isUsedAgain { beginHandshake(now: now, &context) }
    }

    /// Something authentic arrived.
    mutating func heard(now: Instant, _ context: inout Context) {
        traffic.onReceived(now)
        resumeMTU(now: now, &context)
    }

    private mutating func resumeMTU(now: Instant, _ context: inout Context) {
        guard current != nil else { return }
        applyMTU(&context) { mtu, timers in mtu.onResumed(now: now, timers) }
    }

    func silenceAt(_ timers: Timers) -> Instant? { traffic.unansweredSince.map { $0 + timers.silenceAfter } }

    /// The peer may have restarted without its keys, or the path may be dead: a handshake finds out.
    mutating func onSilent(now: Instant, _ context: inout Context) {
        let wasSilent = traffic.isSilent
        traffic.onSilent()
        if !wasSilent {
            context.emit(.log(.peerSilent(id)))
            resolve(now: now, &context)
            applyMTU(&context) { mtu, _ in mtu.onSilence() }
        }
        beginHandshake(now: now, &context)
    }

    func keepaliveAt(_ session: Session, _ timers: Timers) -> Instant? {
        let passive = traffic.owesSince.map { $0 + timers.keepaliveAfter }
        let persistent = settings.persistentKeepalive.map { (traffic.lastSent ?? session.created) + max($0, .seconds(1)) }
        guard let passive, let persistent else { return passive ?? persistent }
        return min(passive, persistent)
    }

    mutating func sendKeepalive(now: Instant, _ context: inout Context) {
        guard let current else { return }
        traffic.onSent(now)
        context.emit(.sendKeepalive(current))
    }
}

extension Activity {
    /// Nothing can have happened later than it is reported.
    func until(_ now: Instant) -> Activity {
        var bounded = self
        bounded.lastReceived = lastReceived.map { min($0, now) }
        bounded.lastSent = lastSent.map { min($0, now) }
        bounded.lastSentEliciting = lastSentEliciting.map { min($0, now) }
        bounded.lastReceivedEliciting = lastReceivedEliciting.map { min($0, now) }
        return bounded
    }
}
