import OxModel

/// A handshake that this side began and that is not answered yet.
struct Handshake: Sendable {
    /// An initiation that brought a cookie is repeated this soon, with the cookie.
    static let cookieWait = Duration.milliseconds(50)
    /// A name is looked up again each time so many initiations went unanswered.
    static let attemptsPerResolution = 3

    let local: SessionID
    let began: Instant
    /// Tried in turn.
    var targets: [SocketAddress]
    var nextTarget = 0
    var attempt = 0
    var to: SocketAddress
    var aeads: [AEAD] = []
    var nextAt: Instant
    /// The attempt that a cookie last hastened. A cookie in answer to it does not hasten the one after it.
    var hastenedAttempt = 0
    var gaveUp = false
}

// Initiator's part (Wire.md section 8).
extension PeerState {
    mutating func onPacketsWaiting(now: Instant, _ context: inout Context) {
        if let current { return context.emit(.use(current, confirm: false)) }
        packetsWait = true
        guard handshake == nil else { return }
        // The peer was answered a moment ago and is about to confirm. Should it not, this side begins itself.
        if let last = sessions.last, last.created + context.timers.retryFirst > now {
            let at = last.created + context.timers.retryFirst
            beginAt = min(beginAt ?? at, at)
            return
        }
        beginHandshake(now: now, &context)
    }

    /// Begins one unless one is under way. Without an address to send to, looks one up, or says that there will be no session.
    mutating func beginHandshake(now: Instant, _ context: inout Context) {
        beginAt = nil
        guard handshake == nil, !context.isShutDown else { return }
        if let last = lastInitiationSent, last + context.timers.retryFirst > now {
            beginAt = last + context.timers.retryFirst
            return
        }
        let known = prefersEndpoints ? nil : address
        let targets = (known.map { [$0] } ?? []) + endpoints.filter { $0 != known }
        guard let target = targets.first else { return onNoTarget(now: now, &context) }
        guard let local = context.ids.issue(for: id) else {
            if current == nil { forgetWaiting(&context) }
            if wantsSession { beginAt = now + context.jittered(context.timers.retryMost) }
            return
        }
        handshake = Handshake(local: local, began: now, targets: targets, to: target, nextAt: now)
        sendInitiation(now: now, &context)
    }

    private mutating func onNoTarget(now: Instant, _ context: inout Context) {
        guard settings.endpointHasName else { return forgetWaiting(&context) }
        resolve(now: now, &context)
        if wantsSession { beginAt = now + context.jittered(context.timers.retryMost) }
    }

    mutating func resolve(now: Instant, _ context: inout Context) {
        guard settings.endpointHasName, resolveNotBefore.map({ $0 <= now }) ?? true else { return }
        resolveNotBefore = now + context.timers.retryFirst
        context.emit(.resolveEndpoint(id))
    }

    private mutating func sendInitiation(now: Instant, _ context: inout Context) {
        guard var handshake else { return }
        handshake.attempt += 1
        handshake.to = handshake.targets[handshake.nextTarget % handshake.targets.count]
        handshake.nextTarget = (handshake.nextTarget + 1) % handshake.targets.count
        handshake.aeads = Negotiation.offered(
            context.local.aeads, isTrusted: context.trustsUnencrypted(handshake.to))
        handshake.nextAt = now + retryWait(handshake, &context)
        if !wantsSession { handshake.nextAt = min(handshake.nextAt, handshake.began + context.timers.giveUpAfter) }
        self.handshake = handshake
        lastInitiationSent = now
        let offer = context.offer(handshake.local, aeads: handshake.aeads, features: context.local.features)
        context.emit(.sendInitiation(id, local: handshake.local, offer: offer, to: handshake.to))
        context.emit(.log(.handshakeStarted(id, to: handshake.to, attempt: handshake.attempt)))
    }

    private func retryWait(_ handshake: Handshake, _ context: inout Context) -> Duration {
        let timers = context.timers
        let doublings = min(handshake.attempt - 1, 16)
        let wait = handshake.gaveUp ? timers.retryMost : min(timers.retryFirst * (1 << doublings), timers.retryMost)
        return context.jittered(wait)
    }

    mutating func onHandshakeUnanswered(now: Instant, _ context: inout Context) {
        guard let handshake else { return }
        if handshake.began + context.timers.giveUpAfter <= now {
            if !handshake.gaveUp {
                context.emit(.log(.handshakeGivenUp(id, attempts: handshake.attempt)))
                if current == nil { forgetWaiting(&context) }
                self.handshake?.gaveUp = true
            }
            if !wantsSession { return abandon(handshake, &context) }
        }
        if handshake.attempt % Handshake.attemptsPerResolution == 0 { resolve(now: now, &context) }
        sendInitiation(now: now, &context)
    }

    mutating func onCookie(now: Instant, _ context: inout Context) {
        guard let handshake, handshake.attempt > handshake.hastenedAttempt else { return }
        let soon = now + context.jittered(Handshake.cookieWait)
        guard soon < handshake.nextAt else { return }
        self.handshake?.nextAt = soon
        self.handshake?.hastenedAttempt = handshake.attempt + 1
        // The cookie belongs to the address that sent it.
        let count = handshake.targets.count
        self.handshake?.nextTarget = (handshake.nextTarget + count - 1) % count
    }

    mutating func onEndpointResolved(_ addresses: [SocketAddress], now: Instant, _ context: inout Context) {
        guard !addresses.isEmpty else {
            context.emit(.log(.endpointUnresolved(id)))
            if current == nil, handshake == nil, packetsWait { forgetWaiting(&context) }
            return
        }
        endpoints = Array(addresses.prefix(PeerState.endpointsMost))
        guard let handshake else {
            if current == nil, wantsSession || packetsWait { beginHandshake(now: now, &context) }
            return
        }
        self.handshake?.targets = endpoints
        if let tried = endpoints.firstIndex(of: handshake.to) {
            self.handshake?.nextTarget = (tried + 1) % endpoints.count
        } else {
            self.handshake?.nextTarget = 0
            sendInitiation(now: now, &context)
        }
    }

    mutating func onResponse(
        local: SessionID, _ offer: Offer, from: SocketAddress, now: Instant, _ context: inout Context
    ) {
        guard let handshake, handshake.local == local, offer.aeads.count == 1, let aead = offer.aeads.first,
            handshake.aeads.contains(aead), aead != .none || context.trustsUnencrypted(from)
        else { return context.emit(.refuse(id, .unexpected)) }
        guard let remote = offer.sessions[.first] else { return context.emit(.refuse(id, .noPathZero)) }
        self.handshake = nil
        makeRoom(&context)
        install(
            Session(
                id: local, remote: remote, aead: aead, features: offer.features.intersection(context.local.features),
                isInitiator: true, created: now, from: from, rejectAfter: context.timers.rejectAfter),
            &context)
        // An answer from where the question went shows that the peer is there. One from elsewhere shows only that it was there
        // first seen, which is as good as anything while no session lives.
        if current == nil || from == handshake.to { move(to: from, now: now, &context) }
        note(offer.innerAddresses, &context)
        handshakeTook = now - handshake.began
        context.emit(.log(.handshakeCompleted(id, aead: aead, took: now - handshake.began)))
        adopt(local, confirm: true, now: now, &context)
        if address != from { onAddressChanged(local, from, now: now, &context) }
    }

    mutating func abandon(_ handshake: Handshake, _ context: inout Context) {
        self.handshake = nil
        context.emit(.abandonInitiation(id))
        context.ids.release(handshake.local)
    }
}

// Responder's part.
extension PeerState {
    mutating func onInitiation(
        _ timestamp: Timestamp, _ offer: Offer, from: SocketAddress, now: Instant, _ context: inout Context
    ) {
        do throws(Refusal) {
            try accept(timestamp, offer, from: from, now: now, &context)
        } catch {
            context.emit(.refuse(id, error))
        }
    }

    private mutating func accept(
        _ timestamp: Timestamp, _ offer: Offer, from: SocketAddress, now: Instant, _ context: inout Context
    ) throws(Refusal) {
        if context.isShutDown { throw .unexpected }
        if let greatest = greatestTimestamp, timestamp <= greatest { throw .replayedTimestamp }
        // Even if refused below: what was seen once is a replay the next time.
        greatestTimestamp = timestamp
        if let last = lastInitiationAccepted, last + context.timers.initiationSpacing > now { throw .tooSoon }
        guard let remote = offer.sessions[.first] else { throw .noPathZero }
        let aead = try Negotiation.aead(
            initiator: offer.aeads, responder: context.local.aeads, isTrusted: context.trustsUnencrypted(from))
        guard let local = context.ids.issue(for: id) else { throw .noFreeSession }
        lastInitiationAccepted = now
        makeRoom(&context)
        let features = offer.features.intersection(context.local.features)
        context.emit(
            .sendResponse(id, local: local, offer: context.offer(local, aeads: [aead], features: features), to: from))
        install(
            Session(
                id: local, remote: remote, aead: aead, features: features, isInitiator: false, created: now,
                from: from, rejectAfter: context.timers.rejectAfter),
            &context)
        if current == nil { move(to: from, now: now, &context) }
        note(offer.innerAddresses, &context)
    }

    /// The peer calls itself by addresses that it may not use here: the likeliest reason why nothing passes.
    private mutating func note(_ innerAddresses: [IPAddress], _ context: inout Context) {
        for inner in innerAddresses where !settings.allowedIPs.contains(where: { $0.contains(inner) }) {
            guard noticedInnerAddresses.count < PeerState.noticesMost,
                noticedInnerAddresses.insert(inner).inserted
            else { continue }
            context.emit(.log(.innerAddressNotAllowed(id, inner)))
        }
    }
}
