import OxModel

/// The question whether the peer is where its datagrams seem to come from.
struct Challenge: Sendable {
    let token: UInt64
    let session: SessionID
    let address: SocketAddress
    var sent: Int
    var nextAt: Instant
}

/// An address that is asked next: it appeared while another was being asked.
struct WaitingMove: Sendable {
    let session: SessionID
    let address: SocketAddress
}

extension PeerState {
    var challengeAt: Instant? { challenge?.nextAt ?? (waitingMove == nil ? nil : challengeNotBefore) }

    mutating func onAddressChanged(
        _ session: SessionID, _ to: SocketAddress, now: Instant, _ context: inout Context
    ) {
        guard let sending = currentSession, let changed = self.session(session), changed.isConfirmed,
            sending.aead != .none, changed.aead != .none, to != address
        else { return }
        // Of an older session only while the peer has not shown that it knows the newer.
        guard session == current || sending.lastReceived == nil else { return }
        if challenge?.address == to { return }
        if challenge != nil || challengeNotBefore.map({ $0 > now }) ?? false {
            waitingMove = WaitingMove(session: session, address: to)
        } else {
            send(token: context.random.next(), session, to, sent: 1, now: now, &context)
        }
    }

    /// Time to ask again, or to ask another address: never more often than `challengeRetry`, whatever appears on the path.
    mutating func onChallengeDue(now: Instant, _ context: inout Context) {
        let due = challenge
        challenge = nil
        if let waiting = waitingMove {
            waitingMove = nil
            guard waiting.address != address, let session = alive(waiting.session) else { return }
            send(token: context.random.next(), session, waiting.address, sent: 1, now: now, &context)
        } else if let due, due.sent < context.timers.challengeTries, let session = alive(due.session) {
            send(token: due.token, session, due.address, sent: due.sent + 1, now: now, &context)
        }
    }

    private func alive(_ session: SessionID) -> SessionID? { self.session(session)?.id ?? current }

    private mutating func send(
        token: UInt64, _ session: SessionID, _ to: SocketAddress, sent: Int, now: Instant, _ context: inout Context
    ) {
        let nextAt = now + context.timers.challengeRetry
        challengeNotBefore = nextAt
        challenge = Challenge(token: token, session: session, address: to, sent: sent, nextAt: nextAt)
        context.emit(.challenge(session, token: token, to: to))
    }

    mutating func onChallengeAnswered(
        token: UInt64, from: SocketAddress, now: Instant, _ context: inout Context
    ) {
        guard let asked = challenge, asked.token == token, asked.address == from,
            currentSession.map({ $0.aead != .none }) ?? false
        else { return }
        challenge = nil
        move(to: from, now: now, &context)
        heard(now: now, &context)
    }

    mutating func move(to: SocketAddress, now: Instant, _ context: inout Context) {
        guard to != address else { return }
        // Nothing may leave unencrypted for there.
        if let sending = currentSession, sending.aead == .none, !context.trustsUnencrypted(to) {
            retire(sending.id, &context)
        }
        let from = address
        address = to
        challenge = nil
        waitingMove = nil
        context.emit(.move(id, .first, to: to))
        context.emit(.log(.pathMoved(id, .first, from: from, to: to)))
        mtu = PathMTU(to: to)
        mtuNoticed = nil
        context.emit(.setMTU(id, .first, size: PathMTU.base))
        // Another port of the same address is the same path behind another NAT entry.
        guard from?.ip != to.ip else { return }
        startCongestion(leaving: from, now: now, &context)
        startRepair(now: now, &context)
    }

    mutating func applyMTU(
        _ context: inout Context, _ step: (inout PathMTU, Timers) -> [PathMTU.Effect]
    ) {
        guard var machine = mtu else { return }
        let effects = step(&machine, context.timers)
        mtu = machine
        for effect in effects {
            switch effect {
            case .set(let size): context.emit(.setMTU(id, .first, size: size))
            case .probe(let size): if let current { context.emit(.probeMTU(current, size: size)) }
            case .found(let size):
                guard size != mtuNoticed else { continue }
                mtuNoticed = size
                context.emit(.log(.mtuChanged(id, .first, size: size)))
            }
        }
    }
}
