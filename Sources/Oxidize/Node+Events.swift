import OxController
import OxCore
import OxTraffic
package import OxModel

extension Node {
    static let pingTimeout = Duration.seconds(2)
    static let cookieLifetime = Duration.seconds(120)

    /// What the worker reports becomes an event of the controller.
    func handle(_ event: WorkerEvent, now: Instant) {
        switch event {
        case .packetsWaiting(let peer): controller.handle(.packetsWaiting(peer), now: now)
        case .handshake(let message, let from): handle(handshake: message, from: from, now: now)
        case .sessionConfirmed(let session): controller.handle(.sessionConfirmed(session), now: now)
        case .activity(let session, let did):
            let activity = Activity(
                lastReceived: did.lastReceived, lastSent: did.lastSent, lastSentEliciting: did.lastSentEliciting,
                lastReceivedEliciting: did.lastReceivedEliciting, numbersUsed: did.numbersUsed,
                carried: Load(
                    packets: did.carriedPackets, packetBytes: did.carriedPacketBytes, datagrams: did.carriedDatagrams,
                    bytes: did.carriedBytes),
                repairLoads: did.repairLoads)
            controller.handle(.activity(session, activity), now: now)
        case .addressChanged(let session, let address): controller.handle(.addressChanged(session, address), now: now)
        case .challengeAnswered(let session, let token, let from):
            if let ping = pings.removeValue(forKey: token) { return ping.completion(now - ping.sent) }
            controller.handle(.challengeAnswered(session, token: token, from: from), now: now)
        case .mtuAcknowledged(let session, let size): controller.handle(.mtuAcknowledged(session, size: size), now: now)
        case .mtuBlackHole(let session): controller.handle(.mtuBlackHole(session), now: now)
        case .pathSample(let peer, let path, let sample):
            controller.handle(.pathSampled(peer, path, sample), now: now)
        case .closed(let session, let reason):
            controller.handle(.closed(session, CloseReason(rawValue: reason) ?? .shutdown), now: now)
        case .sessionRetired(let session): controller.sessionsRetired([session])
        case .peerRetired(let peer): retired(peer)
        case .deviceLost:
            logger.critical("the TUN device was deleted: ending")
            isStopping = true
            shutdown(now: now)
        }
    }

    private func handle(handshake message: [UInt8], from: SocketAddress, now: Instant) {
        switch HandshakeMessageKind(message) {
        case .initiation: handle(initiation: message, from: from, now: now)
        case .response: handle(response: message, from: from, now: now)
        case .cookieReply: handle(cookieReply: message, now: now)
        case nil: count("datagram_type")
        }
    }

    private func handle(initiation message: [UInt8], from: SocketAddress, now: Instant) {
        let initiation: OxCore.Handshake.Initiation
        do {
            initiation = try OxCore.Handshake.read(initiation: message, local: settings.identity)
        } catch {
            return count(error.reason == .badFormat ? "handshake_refused" : "handshake_stranger")
        }
        guard let peer = peerIDs[initiation.remote] else { return count("handshake_stranger") }
        guard let stamp = initiation.payload.timestamp else { return count("handshake_refused") }
        answering = Answering(state: initiation.handshake, from: from)
        controller.handle(
            .initiationReceived(
                peer, timestamp: Timestamp(seconds: stamp.seconds, nanoseconds: stamp.nanoseconds),
                offer: Offer(initiation.payload), from: from), now: now)
        carryOut(now: now)
        answering = nil
    }

    private func handle(response message: [UInt8], from: SocketAddress, now: Instant) {
        guard let index = OxCore.Handshake.index(of: message), let peer = handshakes[index],
            let handshake = peers[peer]?.handshake, handshake.index == index
        else { return count("handshake_unexpected") }
        guard let payload = try? handshake.state.read(response: message, local: settings.identity) else {
            return count("unauthenticated")
        }
        responseFrom = from
        controller.handle(
            .responseReceived(peer, local: handshake.local, offer: Offer(payload), from: from), now: now)
        carryOut(now: now)
        responseFrom = nil
        // Answered, whatever the controller made of it: its keys are spent.
        forgetHandshake(of: peer, if: index)
    }

    private func handle(cookieReply message: [UInt8], now: Instant) {
        guard let index = OxCore.Handshake.index(of: message), let peer = handshakes[index],
            let handshake = peers[peer]?.handshake, let key = peers[peer]?.publicKey
        else { return count("handshake_unexpected") }
        guard let cookie = try? handshake.state.read(cookieReply: message, remote: key) else {
            return count("unauthenticated")
        }
        peers[peer]?.cookie = (cookie, now)
        controller.handle(.cookieReceived(peer), now: now)
    }

    func forgetHandshake(of peer: PeerID, if index: UInt32? = nil) {
        guard let current = peers[peer]?.handshake?.index, index == nil || index == current else { return }
        peers[peer]?.handshake = nil
        handshakes[current] = nil
    }

    // MARK: Ping

    /// Measures the round trip through the tunnel's own challenge. Nil to `completion`: no answer within two seconds, or no session.
    package func ping(_ peer: PeerID, token: UInt64, now: Instant, completion: @escaping (Duration?) -> Void) {
        guard let session = controller.status(of: peer, now: now)?.session else { return completion(nil) }
        pings[token] = Ping(sent: now, peer: peer, completion: completion)
        worker(of: peer).order(.challenge(session.local, token: token, to: nil))
        wake()
    }

    func expirePings(now: Instant) {
        for (token, ping) in pings where ping.sent + Node.pingTimeout <= now {
            pings[token] = nil
            ping.completion(nil)
        }
    }
}

extension Offer {
    init(_ payload: HandshakePayload) {
        self.init(
            aeads: payload.aeads.compactMap(AEAD.init(rawValue:)), features: FeatureSet(rawValue: payload.features),
            sessions: payload.sessions, innerAddresses: payload.addresses)
    }

    func payload(timestamp: Timestamp?) -> HandshakePayload {
        HandshakePayload(
            timestamp: timestamp.map { ($0.seconds, $0.nanoseconds) }, aeads: aeads.map(\.rawValue),
            features: features.rawValue, sessions: sessions, addresses: innerAddresses)
    }
}
