internal import COxCrypto
internal import COxPacket
internal import COxTunnel
internal import COxWorker
public import OxModel

/// The data path of one thread. `turn` and `wait` belong to the thread that turns it, all else to one control thread; they
/// may be the same.
@safe public final class Worker: @unchecked Sendable {
    private let pointer: OpaquePointer
    private let identity: Identity
    private let memory: BufferMemory
    /// What is in the worker's hands, for it to be read and, in the end, freed.
    private var peers: [PeerID: OpaquePointer] = unsafe [:]
    private var sessions: [SessionID: OpaquePointer] = unsafe [:]
    private var policies: [PublishedPolicy] = []
    private var epoch: UInt64 = 0
    /// The event that `hasEvents` saw.
    private var found: WorkerEvent?
    /// Orders that the worker was given in all. What is new wants a turn.
    public private(set) var ordersGiven: UInt64 = 0
    /// Orders that found the queue full. Their order is kept.
    private var backlog: [ox_order] = unsafe []
    /// Orders were queued of which the worker may not know.
    private var hasOrdered = false

    /// Which of how many workers of one end it is, and how long it looks for packets before it sleeps.
    public struct Place: Sendable {
        public var index: Int
        public var count: Int
        public var busyPoll: Duration?

        public init(index: Int = 0, of count: Int = 1, busyPoll: Duration? = nil) {
            self.index = index
            self.count = count
            self.busyPoll = busyPoll
        }
    }

    public init(
        identity: Identity, sessionIDBytes: Int, device: Port, network: Port, memory: BufferMemory = BufferMemory(),
        place: Place = Place()
    ) throws(CoreError) {
        self.identity = identity
        self.memory = memory
        var parameters = unsafe ox_worker_parameters(
            session_id_bytes: UInt32(sessionIDBytes), small_buffers: 0, large_buffers: 0,
            node: memory.node ?? -1, huge_pages: memory.hugePages, worker: UInt32(place.index),
            workers: UInt32(place.count), busy_poll_ns: UInt64(max(0, (place.busyPoll ?? .zero).wholeNanoseconds)),
            identity: identity.pointer, device: device.release(), network: network.release())
        guard let made = unsafe ox_worker_create(&parameters) else {
            unsafe ox_port_close(parameters.device)
            unsafe ox_port_close(parameters.network)
            throw CoreError(attempt: "start a worker", reason: .noMemory)
        }
        unsafe pointer = made
    }

    /// Has the workers of one end hand packets over to each other: all of them, by their indices, before the first turn.
    public static func connect(_ workers: [Worker]) throws(CoreError) {
        let pointers = unsafe workers.map { unsafe Optional($0.pointer) }
        let connected = unsafe pointers.withUnsafeBufferPointer {
            unsafe ox_worker_connect($0.baseAddress, UInt32($0.count))
        }
        guard connected else { throw CoreError(attempt: "connect the workers", reason: .noMemory) }
    }

    /// Of connected workers all must have stopped turning.
    deinit {
        unsafe ox_worker_destroy(pointer)
        for unsafe session in unsafe sessions.values { unsafe ox_session_destroy(session) }
        for unsafe peer in unsafe peers.values { unsafe ox_peer_destroy(peer) }
    }

    // MARK: The worker's thread

    /// One bounded round of work. `again`: there may be more at once; `next`: when a timer is due.
    public func turn(now: Instant) -> (again: Bool, next: Instant?) {
        var next: UInt64 = 0
        let again = unsafe ox_worker_turn(pointer, now.nanoseconds, &next)
        return (again, next == .max ? nil : Instant(nanoseconds: next))
    }

    /// Sleeps until there is work, or so long. Nil: for as long as it takes.
    public func wait(_ timeout: Duration?) {
        unsafe ox_worker_wait(pointer, timeout.map { UInt64(max(0, $0.wholeNanoseconds)) } ?? .max)
    }

    // MARK: The control thread

    public func order(_ order: Order) { unsafe enqueue(order.fields, object: nil) }

    public func add(_ peer: PeerID) throws(CoreError) {
        guard let made = unsafe ox_peer_create(peer.rawValue) else {
            throw CoreError(attempt: "add a peer", reason: .noMemory)
        }
        unsafe peers[peer] = made
        unsafe enqueue(OrderFields(.OX_ORDER_ADD_PEER), object: UnsafeMutableRawPointer(made))
    }

    public struct SessionParameters: Sendable {
        public var peer: PeerID
        public var path: PathID
        public var local: SessionID
        public var remote: RemoteSessionID
        public var aead: AEAD
        public var features: UInt32
        public var created: Instant
        /// With no encryption: the only address it is spoken with.
        public var trusted: SocketAddress?

        public init(
            peer: PeerID, path: PathID, local: SessionID, remote: RemoteSessionID, aead: AEAD, features: UInt32,
            created: Instant, trusted: SocketAddress?
        ) {
            self.peer = peer
            self.path = path
            self.local = local
            self.remote = remote
            self.aead = aead
            self.features = features
            self.created = created
            self.trusted = trusted
        }
    }

    /// Installs the session of a finished handshake.
    public func add(_ parameters: SessionParameters, keysOf handshake: Handshake) throws(CoreError) {
        let keys = unsafe try handshake.takeKeys(aead: parameters.aead)
        var core = ox_session_parameters(
            peer: parameters.peer.rawValue, path: UInt32(parameters.path.rawValue), local: parameters.local.rawValue,
            remote: parameters.remote.rawValue, remote_bytes: UInt32(parameters.remote.byteCount),
            features: parameters.features, replay_window: 0, created_ns: parameters.created.nanoseconds,
            trusted: parameters.trusted?.core ?? ox_address())
        guard let made = unsafe ox_session_create(&core, keys) else {
            throw CoreError(attempt: "add a session", reason: .noMemory)
        }
        unsafe sessions[parameters.local] = made
        let fields = OrderFields(.OX_ORDER_ADD_SESSION, session: parameters.local)
        unsafe enqueue(fields, object: UnsafeMutableRawPointer(made))
    }

    public func publish(_ policy: Policy) throws(CoreError) { try Worker.publish(policy, to: [self]) }

    /// To all workers of one end; its routes are in memory once.
    public static func publish(_ policy: Policy, to workers: [Worker]) throws(CoreError) {
        let epoch = (workers.map(\.epoch).max() ?? 0) + 1
        let published = try PublishedPolicy(policy, epoch: epoch)
        for worker in workers {
            worker.epoch = epoch
            worker.policies.append(published)
            unsafe worker.enqueue(
                OrderFields(.OX_ORDER_SET_POLICY), object: UnsafeMutableRawPointer(published.pointer))
        }
    }

    /// Ends the worker's sleep after a run of orders; does nothing without any.
    public func wake() {
        drainBacklog()
        guard hasOrdered else { return }
        hasOrdered = false
        unsafe ox_worker_wake(pointer)
    }

    /// Ends the worker's sleep in any case.
    public func interrupt() { unsafe ox_worker_wake(pointer) }

    /// Whether orders wait for room in the queue: `wake` again soon.
    public var hasBacklog: Bool { unsafe !backlog.isEmpty }

    /// Whether `nextEvent` has one.
    public var hasEvents: Bool {
        if found == nil { found = nextEvent() }
        return found != nil
    }

    public func nextEvent() -> WorkerEvent? {
        if let first = found.take() { return first }
        var event = unsafe ox_event()
        while unsafe ox_worker_event(pointer, &event) {
            let fields = unsafe EventFields(event)
            unsafe settle(fields, event.object)
            if let event = WorkerEvent(fields) { return event }
        }
        return nil
    }

    /// Readable when there are events; to be cleared before they are read.
    public var eventDescriptor: CInt { unsafe ox_worker_event_descriptor(pointer) }
    public func clearEvents() { unsafe ox_worker_clear_events(pointer) }

    public func status() -> WorkerStatus {
        var report = ox_worker_report()
        unsafe ox_worker_status(pointer, &report)
        return WorkerStatus(report)
    }

    public func traffic(of peer: PeerID) -> PeerTraffic? {
        guard let pointer = unsafe peers[peer] else { return nil }
        var report = ox_peer_report()
        unsafe ox_peer_status(pointer, &report)
        return PeerTraffic(report)
    }

    /// Frees what came back.
    private func settle(_ event: EventFields, _ object: UnsafeMutableRawPointer?) {
        switch event.kind {
        case .OX_EVENT_SESSION_RETIRED:
            unsafe sessions[SessionID(event.session)] = nil
            unsafe ox_session_destroy(OpaquePointer(object))
        case .OX_EVENT_PEER_RETIRED:
            unsafe peers[PeerID(event.peer)] = nil
            unsafe ox_peer_destroy(OpaquePointer(object))
        case .OX_EVENT_POOL_LOW:
            grow(event.size)
        case .OX_EVENT_SLAB_RETIRED:
            unsafe discard(OpaquePointer(object!))
        case .OX_EVENT_POLICY_TAKEN:
            policies.removeAll { $0.epoch < event.token }
        default: break
        }
    }

    /// A slab more, while that is within the limit and there is memory.
    private func grow(_ kind: UInt32) {
        guard let kind = ox_buf_class(rawValue: kind), memory.growth.take(BufferMemory.slabBytes) else { return }
        var parameters = ox_slab_parameters(
            class_: kind, buffers: UInt32(BufferMemory.slabBytes / BufferMemory.bytes(of: kind)), node: memory.node ?? -1,
            huge: memory.hugePages)
        guard let slab = unsafe ox_slab_create(&parameters) else { return memory.growth.giveBack(BufferMemory.slabBytes) }
        unsafe enqueue(OrderFields(.OX_ORDER_ADD_SLAB), object: UnsafeMutableRawPointer(slab))
    }

    private func discard(_ slab: OpaquePointer) {
        memory.growth.giveBack(BufferMemory.slabBytes)
        unsafe ox_slab_destroy(slab)
    }

    private func enqueue(_ fields: OrderFields, object: UnsafeMutableRawPointer?) {
        drainBacklog()
        ordersGiven += 1
        hasOrdered = true
        var order = unsafe fields.core(object: object)
        if unsafe !backlog.isEmpty || !ox_worker_order(pointer, &order) { unsafe backlog.append(order) }
    }

    private func drainBacklog() {
        var sent = 0
        while unsafe sent < backlog.count, unsafe ox_worker_order(pointer, &backlog[sent]) { sent += 1 }
        guard sent > 0 else { return }
        hasOrdered = true
        unsafe backlog.removeFirst(sent)
    }
}
