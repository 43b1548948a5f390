import OxCongestion
import OxModel

/// What all peers share while one of them handles something.
struct Context: Sendable {
    var local: LocalSettings
    var ids: SessionIDAllocator
    var random: any RandomNumberGenerator & Sendable
    var commands: [Command] = []
    /// What paths to addresses were like, for those who come back there.
    var destinations = DestinationMemory<Destination>()
    /// Whose session an id is, from its installation to its retirement.
    var owners: [SessionID: PeerID] = [:]
    var isShutDown = false
    /// Bytes of the ids issued. Fixed for the run: the worker reads every header by it.
    let sessionIDBytes: Int

    init(local: LocalSettings, random: some RandomNumberGenerator & Sendable) {
        self.local = local
        var random = random
        sessionIDBytes = min(max(local.sessionIDBytes, 1), 4)
        ids = SessionIDAllocator(bytes: sessionIDBytes, start: random.next(), workers: max(1, local.workers))
        self.random = random
    }

    var timers: Timers { local.timers }

    mutating func emit(_ command: Command) { commands.append(command) }

    /// `wait` and up to `retryJitter` of it more, so that many peers do not keep step.
    mutating func jittered(_ wait: Duration) -> Duration {
        let share = Double(random.next() >> 11) / Double(1 << 53) * max(timers.retryJitter, 0)
        return wait + .nanoseconds(Int64(Double(wait.wholeNanoseconds) * share))
    }

    func trustsUnencrypted(_ address: SocketAddress) -> Bool {
        local.unencryptedNetworks.contains { $0.contains(address.ip) }
    }

    func offer(_ local: SessionID, aeads: [AEAD], features: FeatureSet) -> Offer {
        Offer(
            aeads: aeads, features: features,
            sessions: [.first: RemoteSessionID(local.rawValue, byteCount: sessionIDBytes)],
            innerAddresses: self.local.innerAddresses)
    }
}
