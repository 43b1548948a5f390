package import Logging
package import OxConfiguration
import OxController
package import OxCore
package import OxModel

/// One end of a tunnel without its threads and its clock: a controller, its workers, and the handshakes between them. Production
/// and simulation drive the same one.
///
/// All of it belongs to one control thread, but for `turn` and `wait` of its workers.
package final class Node {
    /// Peers belong to one of them each (`worker(of:)`); handshakes come to the first and leave from it.
    package let workers: [Worker]
    /// The CPU of each; nil for any.
    let cpus: [Int?]
    var settings: NodeSettings
    var controller: Controller
    var peers: [PeerID: PeerEntry] = [:]
    var peerIDs: [PublicKey: PeerID] = [:]
    /// Peers that the worker still holds although they were removed: their slots are taken.
    var leaving: Set<PeerID> = []
    /// Slots below `slotsUsed` that are free again.
    private var freeSlots: [PeerID] = []
    private var slotsUsed: UInt32 = 0
    /// Names that are being looked up: one of a peer at a time.
    var lookups: [PeerID: Endpoint] = [:]
    /// Peers whose name a reload changed and that is not known to lead anywhere yet, and when it is looked up again.
    var renamed: [PeerID: Instant] = [:]
    /// Which peer a handshake that this side began is with, by the index of its initiation: random, so that strangers cannot
    /// answer in the peer's place.
    var handshakes: [UInt32: PeerID] = [:]
    var random: any RandomNumberGenerator & Sendable
    /// The initiation that is being handled: its other half is needed to answer it.
    var answering: Answering?
    var responseFrom: SocketAddress?
    var stamps = TimestampSource()
    /// What was refused above the worker, under the names of verdicts.
    var refusals: [String: UInt64] = [:]
    var pings: [UInt64: Ping] = [:]
    var wall = WallTime(nanoseconds: 0)
    let logger: Logger
    let resolve: (PeerID, Endpoint) -> Void
    let started: Instant
    /// What was changed in the system for it; nil in simulation.
    var setup: NetworkSetup?
    var isStopping = false
    /// Sessions that were handed to the worker since the start.
    package internal(set) var sessionsInstalled = 0

    static let peersMost: UInt32 = 1 << 16

    struct PeerEntry {
        var publicKey: PublicKey
        var handshake: (state: OxCore.Handshake, index: UInt32, local: SessionID)?
        var cookie: (bytes: [UInt8], received: Instant)?
    }

    struct Answering {
        var state: OxCore.Handshake
        var from: SocketAddress
    }

    struct Ping {
        var sent: Instant
        var peer: PeerID
        var completion: (Duration?) -> Void
    }

    /// - Parameters:
    ///   - random: makes challenge tokens, which must not be guessed.
    ///   - resolve: looks a name up in its own time; the answer comes back through `resolved`.
    package init(
        _ settings: NodeSettings, workers setups: [WorkerSetup], random: some RandomNumberGenerator & Sendable,
        logger: Logger, now: Instant, resolve: @escaping (PeerID, Endpoint) -> Void
    ) throws(CoreError) {
        precondition(setups.count == settings.local.workers)
        self.settings = settings
        self.logger = logger
        self.resolve = resolve
        started = now
        self.random = random
        var made: [Worker] = []
        for (index, setup) in setups.enumerated() {
            made.append(
                try Worker(
                    identity: settings.identity, sessionIDBytes: settings.local.sessionIDBytes, device: setup.device,
                    network: setup.network, memory: setup.memory,
                    place: Worker.Place(index: index, of: setups.count, busyPoll: setup.busyPoll)))
        }
        try Worker.connect(made)
        workers = made
        cpus = setups.map(\.cpu)
        controller = Controller(local: settings.local, random: random)
    }

    /// With one worker.
    package convenience init(
        _ settings: NodeSettings, device: Port, network: Port, random: some RandomNumberGenerator & Sendable,
        logger: Logger, now: Instant, resolve: @escaping (PeerID, Endpoint) -> Void
    ) throws(CoreError) {
        try self.init(
            settings, workers: [WorkerSetup(device: device, network: network)], random: random, logger: logger, now: now,
            resolve: resolve)
    }

    func worker(of peer: PeerID) -> Worker { workers[peer.worker(of: workers.count)] }
    func worker(of session: SessionID) -> Worker { workers[session.worker(of: workers.count)] }
    func wake() { for worker in workers { worker.wake() } }

    /// Brings the configured peers in. To be called once, before the first `control`.
    ///
    /// - Parameter addresses: of endpoints that are names and have been looked up.
    package func start(addresses: ResolvedEndpoints = [:], now: Instant) throws(CoreError) {
        for key in settings.order {
            let found = settings.peers[key]?.endpoint.flatMap { addresses[$0] } ?? []
            if let first = found.first { settings.peers[key]?.settings.endpoint = first }
            try add(key, now: now)
            if found.count > 1, let peer = peerIDs[key] { controller.handle(.endpointResolved(peer, found), now: now) }
        }
        try publishPolicy()
        carryOut(now: now)
        wake()
    }

    /// Reads what the worker reports, decides, and gives orders.
    package func control(now: Instant, wall: WallTime) {
        self.wall = wall
        for worker in workers {
            worker.clearEvents()
            while let event = worker.nextEvent() {
                handle(event, now: now)
                carryOut(now: now)
            }
        }
        controller.advance(to: now)
        retryNames(now: now)
        expirePings(now: now)
        carryOut(now: now)
        wake()
    }

    /// When `control` is due, if nothing happens before.
    package func deadline(now: Instant) -> Instant? {
        var earliest = controller.deadline
        if workers.contains(where: \.hasBacklog) { earliest = min(earliest ?? now + .milliseconds(1), now + .milliseconds(1)) }
        for ping in pings.values {
            let due = ping.sent + Node.pingTimeout
            earliest = min(earliest ?? due, due)
        }
        for due in renamed.values { earliest = min(earliest ?? due, due) }
        return earliest
    }

    /// Says goodbye to everyone. The worker sends it at its next turn.
    package func shutdown(now: Instant) {
        for worker in workers { worker.order(.stopReading) }
        controller.shutdown(now: now)
        carryOut(now: now)
        wake()
    }

    /// Ends everything that waits, under its name: packets for a session, and halves of packets, which end with their sessions.
    package func forgetWaiting(now: Instant) {
        for peer in peers.keys.sorted() {
            worker(of: peer).order(.dropStaged(peer))
            controller.remove(peer, now: now)
        }
        carryOut(now: now)
    }

    func count(_ name: String) { refusals[name, default: 0] += 1 }

    // MARK: Peers

    private func add(_ key: PublicKey, now: Instant) throws(CoreError) {
        guard let peer = settings.peers[key] else { return }
        let slot = freeSlots.last ?? PeerID(slotsUsed)
        guard slot.rawValue < Node.peersMost else {
            throw CoreError(attempt: "add a 65,537th peer", reason: .noMemory)
        }
        try worker(of: slot).add(slot)
        if freeSlots.popLast() == nil { slotsUsed += 1 }
        peers[slot] = PeerEntry(publicKey: key)
        peerIDs[key] = slot
        controller.add(slot, peer.settings, now: now)
    }

    /// The worker holds the peer no longer: its slot may be another's.
    func retired(_ peer: PeerID) {
        if leaving.remove(peer) != nil { freeSlots.append(peer) }
    }

    private func remove(_ key: PublicKey, now: Instant) {
        guard let id = peerIDs.removeValue(forKey: key) else { return }
        controller.remove(id, now: now)
        carryOut(now: now)
        peers[id] = nil
        lookups[id] = nil
        renamed[id] = nil
        leaving.insert(id)
        worker(of: id).order(.removePeer(id))
    }

    private func publishPolicy() throws(CoreError) {
        var routes: [(prefix: IPPrefix, peer: PeerID)] = []
        for key in settings.order {
            guard let id = peerIDs[key], let peer = settings.peers[key] else { continue }
            routes += peer.settings.allowedIPs.map { ($0, id) }
        }
        try Worker.publish(
            Policy(
                routes: routes, innerMTU: settings.innerMTU, batch: settings.batch, train: settings.train,
                coalesce: settings.coalesce, fairQueue: settings.fairQueue, classRules: settings.classRules,
                rejectAfter: settings.local.timers.rejectAfter), to: workers)
    }

    /// A reload: applies the difference. Peers that it does not touch lose no packet.
    ///
    /// - Returns: the peers whose preshared key is another one now.
    @discardableResult
    package func apply(_ new: NodeSettings, now: Instant) throws(CoreError) -> Set<PublicKey> {
        let old = settings
        settings = new
        settings.identity = old.identity
        settings.local.sessionIDBytes = old.local.sessionIDBytes
        settings.local.workers = old.local.workers
        for key in old.order where new.peers[key] == nil { remove(key, now: now) }
        controller.updateLocal(settings.local)
        var replaced: Set<PublicKey> = []
        for key in new.order {
            guard let id = peerIDs[key], let before = old.peers[key] else {
                try add(key, now: now)
                continue
            }
            if change(id, key, from: before, now: now) { replaced.insert(key) }
        }
        try publishPolicy()
        carryOut(now: now)
        wake()
        return replaced
    }

    /// True when the preshared key is another one.
    private func change(_ id: PeerID, _ key: PublicKey, from old: NodeSettings.Peer, now: Instant) -> Bool {
        guard var peer = settings.peers[key] else { return false }
        let isRenamed = peer.endpoint != old.endpoint
        // What the same name was found to mean still holds.
        if !isRenamed, peer.settings.endpointHasName { peer.settings.endpoint = old.settings.endpoint }
        settings.peers[key] = peer
        if isRenamed { renamed[id] = nil }
        if old.settings != peer.settings { controller.update(id, peer.settings, now: now) }
        if isRenamed, peer.settings.endpointHasName { lookUpNew(nameOf: id, now: now) }
        guard old.preshared != peer.preshared else { return false }
        logger.notice("the preshared key of \(name(of: id)) changes with the next handshake")
        return true
    }
}

/// TAI64N labels that grow, even when the civil time does not.
struct TimestampSource {
    private var last = Timestamp(seconds: 0, nanoseconds: 0)

    /// TAI64 counts from 2^62, and was 10 seconds ahead of UTC in 1970: later leap seconds do not matter for an order.
    mutating func next(_ wall: WallTime) -> Timestamp {
        let now = Timestamp(
            seconds: (1 << 62) + 10 + wall.nanoseconds / 1_000_000_000,
            nanoseconds: UInt32(wall.nanoseconds % 1_000_000_000))
        let after =
            last.nanoseconds == 999_999_999
            ? Timestamp(seconds: last.seconds + 1, nanoseconds: 0)
            : Timestamp(seconds: last.seconds, nanoseconds: last.nanoseconds + 1)
        last = max(now, after)
        return last
    }
}
