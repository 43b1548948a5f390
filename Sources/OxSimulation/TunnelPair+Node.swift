import OxModel
package import Oxidize

// What a tunnel is asked while it runs.
extension TunnelPair {
    /// What `show` says of the other side.
    package func status(of side: Side) -> TunnelStatus.Peer? {
        hosts[side.rawValue].node.peerStatuses(now: now).first
    }

    /// Drops of this side, by name.
    package func drops(of side: Side) -> [String: UInt64] { hosts[side.rawValue].node.drops() }

    /// Nil: no answer within two seconds.
    package func ping(from side: Side) -> Duration? {
        var answer: Duration??
        hosts[side.rawValue].node.ping(PeerID(0), token: 0x0123_4567_89ab_cdef, now: now) { answer = $0 }
        settle(side)
        return answer ?? nil
    }

    /// Applies changed settings to a running node.
    package func reload(_ side: Side, _ change: (inout NodeSettings) -> Void) throws {
        var changed = settings[side.rawValue]
        change(&changed)
        try hosts[side.rawValue].node.apply(changed, now: now)
        settings[side.rawValue] = changed
        settle(side)
    }

    /// Ends one side as a daemon ends.
    package func shutDown(_ side: Side) {
        hosts[side.rawValue].node.shutdown(now: now)
        settle(side)
    }
}
