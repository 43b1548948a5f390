internal import COxBase
internal import COxTunnel
internal import COxWorker
public import OxModel

/// What the control thread tells a worker to do, but for the objects that it hands over (see Worker).
public enum Order: Sendable {
    case removePeer(PeerID)
    case removeSession(SessionID)
    case useSession(SessionID, confirm: Bool)
    case movePath(PeerID, PathID, to: SocketAddress)
    case setMTU(PeerID, PathID, size: Int)
    /// What the path may send from now on.
    case setLimits(PeerID, PathID, PathLimits)
    /// How what the path loses is repaired from now on.
    case setRepair(PeerID, PathID, PathRepair)
    /// Nil: to where the path leads already.
    case challenge(SessionID, token: UInt64, to: SocketAddress?)
    case keepalive(SessionID)
    case probe(SessionID, size: Int)
    case close(SessionID, reason: UInt8)
    case handshake([UInt8], to: SocketAddress)
    case dropStaged(PeerID)
    case stopReading

    var fields: OrderFields {
        switch self {
        case .removePeer(let peer): OrderFields(.OX_ORDER_REMOVE_PEER, peer: peer)
        case .removeSession(let session): OrderFields(.OX_ORDER_REMOVE_SESSION, session: session)
        case .useSession(let session, let confirm):
            OrderFields(.OX_ORDER_USE_SESSION, session: session, size: confirm ? 1 : 0)
        case .movePath(let peer, let path, let address):
            OrderFields(.OX_ORDER_MOVE_PATH, peer: peer, path: path, address: address)
        case .setMTU(let peer, let path, let size):
            OrderFields(.OX_ORDER_SET_MTU, peer: peer, path: path, size: size)
        case .setLimits(let peer, let path, let limits):
            OrderFields(.OX_ORDER_SET_LIMITS, peer: peer, path: path, limits: limits)
        case .setRepair(let peer, let path, let repair):
            OrderFields(.OX_ORDER_SET_REPAIR, peer: peer, path: path, repair: repair)
        case .challenge(let session, let token, let address):
            OrderFields(.OX_ORDER_CHALLENGE, session: session, token: token, address: address)
        case .keepalive(let session): OrderFields(.OX_ORDER_KEEPALIVE, session: session)
        case .probe(let session, let size): OrderFields(.OX_ORDER_PROBE, session: session, size: size)
        case .close(let session, let reason): OrderFields(.OX_ORDER_CLOSE, session: session, size: Int(reason))
        case .handshake(let bytes, let address):
            OrderFields(.OX_ORDER_HANDSHAKE, size: bytes.count, address: address, datagram: bytes)
        case .dropStaged(let peer):
            OrderFields(.OX_ORDER_DROP_STAGED, peer: peer, size: Int(ox_verdict.OX_DROP_NO_SESSION.rawValue))
        case .stopReading: OrderFields(.OX_ORDER_STOP_READING)
        }
    }
}

/// An ox_order without the object that it may carry.
struct OrderFields {
    var kind: ox_order_kind
    var peer: PeerID?
    var path: PathID?
    var session: SessionID?
    var size: Int
    var token: UInt64
    var address: SocketAddress?
    var limits: PathLimits?
    var repair: PathRepair?
    var datagram: [UInt8]

    init(
        _ kind: ox_order_kind, peer: PeerID? = nil, path: PathID? = nil, session: SessionID? = nil, size: Int = 0,
        token: UInt64 = 0, address: SocketAddress? = nil, limits: PathLimits? = nil, repair: PathRepair? = nil,
        datagram: [UInt8] = []
    ) {
        self.kind = kind
        self.peer = peer
        self.path = path
        self.session = session
        self.size = size
        self.token = token
        self.address = address
        self.limits = limits
        self.repair = repair
        self.datagram = datagram
    }

    @unsafe func core(object: UnsafeMutableRawPointer?) -> ox_order {
        var order = unsafe ox_order()
        unsafe order.kind = kind
        unsafe order.peer = peer?.rawValue ?? 0
        unsafe order.path = UInt32(path?.rawValue ?? 0)
        unsafe order.session = session?.rawValue ?? 0
        unsafe order.size = UInt32(size)
        unsafe order.token = token
        unsafe order.object = object
        unsafe order.address = address?.core ?? ox_address()
        if let limits { unsafe order.limits = ox_path_limits(limits) }
        if let repair { unsafe order.repair = ox_path_repair(repair) }
        unsafe withUnsafeMutableBytes(of: &order.datagram) { unsafe $0.copyBytes(from: datagram) }
        return unsafe order
    }
}
