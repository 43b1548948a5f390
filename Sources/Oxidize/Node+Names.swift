import OxController
package import OxConfiguration
package import OxModel

// Endpoints that are given by name.
extension Node {
    /// A name that a reload brought and that did not resolve is looked up again after this long.
    static let nameRetry = Duration.seconds(5)

    /// Looks the peer's name up, unless that is under way.
    func lookUp(_ peer: PeerID) {
        guard let key = peers[peer]?.publicKey, let endpoint = settings.peers[key]?.endpoint,
            lookups[peer] != endpoint
        else { return }
        lookups[peer] = endpoint
        resolve(peer, endpoint)
    }

    /// The answer of a lookup, empty when the name does not resolve. An answer to what is no longer asked is forgotten.
    package func resolved(_ peer: PeerID, _ endpoint: Endpoint, _ addresses: [SocketAddress], now: Instant) {
        if lookups[peer] == endpoint { lookups[peer] = nil }
        guard let key = peers[peer]?.publicKey, settings.peers[key]?.endpoint == endpoint else { return }
        if renamed[peer] != nil, let first = addresses.first {
            renamed[peer] = nil
            settings.peers[key]?.settings.endpoint = first
            if let changed = settings.peers[key]?.settings { controller.update(peer, changed, now: now) }
        }
        controller.handle(.endpointResolved(peer, addresses), now: now)
        carryOut(now: now)
        wake()
    }

    /// A reload gave the peer another name: where it leads counts for more than where the peer is now.
    func lookUpNew(nameOf peer: PeerID, now: Instant) {
        renamed[peer] = now + Node.nameRetry
        lookUp(peer)
    }

    /// New names that have not resolved yet: there may be no handshake whose failure would ask for them.
    func retryNames(now: Instant) {
        for (peer, at) in renamed where at <= now { lookUpNew(nameOf: peer, now: now) }
    }
}
