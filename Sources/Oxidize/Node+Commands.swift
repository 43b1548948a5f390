import OxController
import OxCore
package import OxModel

extension Node {
    /// What the controller decided becomes handshakes and orders.
    func carryOut(now: Instant) {
        // Carrying out may make the controller say more; it comes to an end, as none of it makes an event by itself.
        while true {
            let commands = controller.takeCommands()
            if commands.isEmpty { return }
            for command in commands { carryOut(command, now: now) }
        }
    }

    private func carryOut(_ command: Command, now: Instant) {
        switch command {
        case .sendInitiation(let peer, let local, let offer, let to):
            sendInitiation(peer, local, offer, to, now: now)
        case .sendResponse(let peer, let local, let offer, let to):
            sendResponse(peer, local, offer, to, now: now)
        case .abandonInitiation(let peer): forgetHandshake(of: peer)
        case .install(let parameters): install(parameters, now: now)
        case .use(let session, let confirm): worker(of: session).order(.useSession(session, confirm: confirm))
        case .retire(let session): worker(of: session).order(.removeSession(session))
        case .move(let peer, let path, let to): worker(of: peer).order(.movePath(peer, path, to: to))
        case .challenge(let session, let token, let to): worker(of: session).order(.challenge(session, token: token, to: to))
        case .sendKeepalive(let session): worker(of: session).order(.keepalive(session))
        case .probeMTU(let session, let size): worker(of: session).order(.probe(session, size: size))
        case .setMTU(let peer, let path, let size): worker(of: peer).order(.setMTU(peer, path, size: size))
        case .setLimits(let peer, let path, let limits): worker(of: peer).order(.setLimits(peer, path, limits))
        case .setRepair(let peer, let path, let repair): worker(of: peer).order(.setRepair(peer, path, repair))
        case .close(let session, let reason): worker(of: session).order(.close(session, reason: reason.rawValue))
        case .resolveEndpoint(let peer): lookUp(peer)
        case .dropWaiting(let peer): worker(of: peer).order(.dropStaged(peer))
        case .refuse(let peer, let refusal): note(refusal, of: peer)
        case .log(let notice): log(notice)
        }
    }

    private func sendInitiation(
        _ peer: PeerID, _ local: SessionID, _ offer: Offer, _ to: SocketAddress, now: Instant
    ) {
        guard let entry = peers[peer], let preshared = settings.peers[entry.publicKey]?.preshared else { return }
        forgetHandshake(of: peer)
        let index = UInt32(truncatingIfNeeded: random.next())
        do {
            let handshake = try OxCore.Handshake(
                initiatingFrom: settings.identity, to: entry.publicKey, preshared: preshared, index: index,
                payload: offer.payload(timestamp: stamps.next(wall)), cookie: freshCookie(entry, now: now))
            peers[peer]?.handshake = (handshake, index, local)
            handshakes[index] = peer
            workers[0].order(.handshake(handshake.sent, to: to))
        } catch {
            logger.error("\(error)", metadata: ["peer": "\(name(of: peer))"])
        }
    }

    private func sendResponse(_ peer: PeerID, _ local: SessionID, _ offer: Offer, _ to: SocketAddress, now: Instant) {
        guard let entry = peers[peer], let preshared = settings.peers[entry.publicKey]?.preshared,
            let answering
        else { return }
        do {
            try answering.state.respond(
                preshared: preshared, index: local.rawValue, payload: offer.payload(timestamp: nil),
                cookie: freshCookie(entry, now: now))
            workers[0].order(.handshake(answering.state.sent, to: to))
        } catch {
            // Without an answer there are no keys for the session that follows.
            self.answering = nil
            logger.error("\(error)", metadata: ["peer": "\(name(of: peer))"])
        }
    }

    private func freshCookie(_ entry: PeerEntry, now: Instant) -> [UInt8]? {
        guard let cookie = entry.cookie, cookie.received + Node.cookieLifetime > now else { return nil }
        return cookie.bytes
    }

    private func install(_ parameters: OxController.SessionParameters, now: Instant) {
        let from = parameters.isInitiator ? responseFrom : answering?.from
        let state = parameters.isInitiator ? peers[parameters.peer]?.handshake?.state : answering?.state
        guard let state else { return refuse(parameters.local, now: now) }
        do {
            try worker(of: parameters.peer).add(
                Worker.SessionParameters(
                    peer: parameters.peer, path: parameters.path, local: parameters.local, remote: parameters.remote,
                    aead: parameters.aead, features: parameters.features.rawValue, created: parameters.created,
                    trusted: parameters.aead == .none ? from : nil),
                keysOf: state)
            sessionsInstalled += 1
        } catch {
            logger.critical("\(error)", metadata: ["peer": "\(name(of: parameters.peer))"])
            refuse(parameters.local, now: now)
        }
    }

    /// The worker does not have the session that the controller believes in.
    private func refuse(_ session: SessionID, now: Instant) {
        controller.handle(.installFailed(session), now: now)
        controller.sessionsRetired([session])
    }

    private func note(_ refusal: Refusal, of peer: PeerID) {
        count(refusal.verdict)
        logger.debug("a handshake was refused: \(refusal.sentence)", metadata: ["peer": "\(name(of: peer))"])
    }

    /// What people call the peer.
    package func name(of peer: PeerID) -> String {
        guard let key = peers[peer]?.publicKey else { return "\(peer.rawValue)" }
        return settings.peers[key]?.name ?? key.shortDescription
    }

    private func log(_ notice: Notice) {
        let line = NoticeText(notice)
        logger.log(level: line.level, "\(line.sentence)", metadata: ["peer": "\(name(of: line.peer))"])
    }
}

extension Refusal {
    /// The counter that it goes under.
    var verdict: String {
        switch self {
        case .replayedTimestamp: "handshake_replayed"
        case .tooSoon: "handshake_rate"
        case .unexpected: "handshake_unexpected"
        case .noCommonAEAD, .unencryptedNotTrusted, .noPathZero, .noFreeSession: "handshake_refused"
        }
    }

    var sentence: String {
        switch self {
        case .replayedTimestamp: "its timestamp is not newer than the last one; is the peer's clock behind?"
        case .tooSoon: "it came too soon after the last one"
        case .noCommonAEAD: "both sides have no AEAD in common"
        case .unencryptedNotTrusted: "it wants no encryption, and unencrypted-networks does not list its address"
        case .noPathZero: "it names no session for path 0"
        case .unexpected: "nobody waits for it"
        case .noFreeSession: "every session id is in use"
        }
    }
}
