import OxConfiguration
import OxCore
import OxModel

// What the outside asks of a node, on the control thread.
extension Node {
    /// By name or public key; the first peer when nil.
    func find(_ peer: String?) -> PeerID? {
        guard let peer else { return settings.order.first.flatMap { peerIDs[$0] } }
        let key = PublicKey(base64: peer) ?? settings.order.first { settings.peers[$0]?.name == peer }
        return key.flatMap { peerIDs[$0] }
    }

    func status(_ configuration: Configuration, interface: String, port: UInt16, now: Instant) -> TunnelStatus {
        let status = worker.status()
        return TunnelStatus(
            interface: interface, role: configuration.role.rawValue,
            publicKey: settings.identity.publicKey.description, listenPort: port,
            firewallMark: NetworkPlan.mark(for: configuration), uptimeS: (now - started).inSeconds,
            aeadsOffered: settings.local.aeads.map(\.name), peers: peerStatuses(now: now), drops: drops(),
            device: TunnelStatus.Port(status.device), network: TunnelStatus.Port(status.network))
    }

    /// All of it or nothing: the routes of the system change first, as they are what can fail.
    func reload(from old: Configuration, to new: Configuration, interface: String, now: Instant) -> TunnelError? {
        let mark = NetworkPlan.mark(for: old)
        do {
            let next = try NodeSettings(new, aeads: settings.local.aeads)
            if next.identity.publicKey != settings.identity.publicKey {
                return TunnelError(.configuration, "private-key in [interface] changes: that needs a restart")
            }
            if next.local.sessionIDBytes > settings.local.sessionIDBytes {
                return TunnelError(
                    .configuration, "so many more peers need longer session ids: that needs a restart")
            }
            let plans = (
                old: NetworkPlan(old, device: interface, mark: mark),
                new: NetworkPlan(new, device: interface, mark: mark)
            )
            try setup?.replace(plans.old, with: plans.new)
            do {
                try apply(next, now: now)
            } catch {
                try setup?.replace(plans.new, with: plans.old)
                throw error
            }
            return nil
        } catch {
            return TunnelError(.system, "\(error)")
        }
    }
}
