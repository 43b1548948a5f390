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

    func status(_ configuration: Configuration, _ parts: Tunnel.Parts, now: Instant) -> TunnelStatus {
        let workers = workerStatuses()
        return TunnelStatus(
            interface: parts.interface, pid: CurrentProcess.id, role: configuration.role.rawValue,
            publicKey: settings.identity.publicKey.description, listenPort: parts.port,
            firewallMark: parts.mark, uptimeS: (now - started).inSeconds,
            aeadsOffered: settings.local.aeads.map(\.name), aeadsOfferedReason: parts.aeads.reason,
            aeads: parts.aeads.candidates.map(TunnelStatus.AEADCost.init), peers: peerStatuses(now: now), drops: drops(),
            device: TunnelStatus.Port.sum(workers.map(\.device)), network: TunnelStatus.Port.sum(workers.map(\.network)),
            workers: workers, numaNodes: Machine.numaNodes)
    }

    /// All of it or nothing: the routes of the system change first, as they are what can fail.
    ///
    /// - Returns: the peers whose preshared key is another one now.
    func reload(
        from old: Configuration, to new: Configuration, _ parts: Tunnel.Parts, now: Instant
    ) -> Result<Set<PublicKey>, TunnelError> {
        do {
            let next = try NodeSettings(new, aeads: settings.local.aeads, workers: workers.count)
            if next.identity.publicKey != settings.identity.publicKey {
                throw TunnelError(.configuration, "private-key in [interface] changes: that needs a restart")
            }
            if next.local.sessionIDBytes > settings.local.sessionIDBytes {
                throw TunnelError(.configuration, "so many more peers need longer session ids: that needs a restart")
            }
            let plans = (old: parts.plan(of: old), new: parts.plan(of: new))
            try setup?.replace(plans.old, with: plans.new)
            do {
                return .success(try apply(next, now: now))
            } catch {
                try setup?.replace(plans.new, with: plans.old)
                throw error
            }
        } catch let error as TunnelError {
            return .failure(error)
        } catch {
            return .failure(TunnelError(.system, "\(error)"))
        }
    }
}
