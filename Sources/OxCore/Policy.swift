internal import COxPacket
internal import COxTunnel
public import OxModel

/// Orders that hold for all packets until the next policy.
public struct Policy: Equatable, Sendable {
    /// Longest prefix wins. The same prefix twice: the last.
    public var routes: [(prefix: IPPrefix, peer: PeerID)]
    public var innerMTU: Int
    public var batch: Bool
    public var train: Bool
    public var coalesce: Bool
    /// The age at which a session neither sends nor receives.
    public var rejectAfter: Duration

    public init(
        routes: [(prefix: IPPrefix, peer: PeerID)], innerMTU: Int, batch: Bool, train: Bool = true, coalesce: Bool = true,
        rejectAfter: Duration
    ) {
        self.routes = routes
        self.innerMTU = innerMTU
        self.batch = batch
        self.train = train
        self.coalesce = coalesce
        self.rejectAfter = rejectAfter
    }

    public static func == (a: Policy, b: Policy) -> Bool {
        a.innerMTU == b.innerMTU && a.batch == b.batch && a.train == b.train && a.coalesce == b.coalesce
            && a.rejectAfter == b.rejectAfter && a.routes.elementsEqual(b.routes, by: ==)
    }
}

/// A policy in the form that a worker reads, with the memory it stands in.
@safe final class PublishedPolicy {
    let epoch: UInt64
    let pointer: UnsafeMutablePointer<ox_policy>
    private let routes: OpaquePointer

    init(_ policy: Policy, epoch: UInt64) throws(CoreError) {
        self.epoch = epoch
        let entries = policy.routes.map { route in
            var entry = ox_route()
            let bytes = route.prefix.address.bytes
            unsafe withUnsafeMutableBytes(of: &entry.ip) { unsafe $0.copyBytes(from: bytes) }
            entry.bits = UInt8(route.prefix.address.isV4 ? route.prefix.length + 96 : route.prefix.length)
            entry.peer = route.peer.rawValue
            return entry
        }
        let made = unsafe entries.withUnsafeBufferPointer { unsafe ox_routes_create($0.baseAddress, $0.count) }
        guard let made = unsafe made else { throw CoreError(attempt: "keep the allowed-ips", reason: .noMemory) }
        unsafe routes = made
        unsafe pointer = .allocate(capacity: 1)
        unsafe ox_policy_defaults(pointer)
        unsafe pointer.pointee.epoch = epoch
        unsafe pointer.pointee.routes = made
        unsafe pointer.pointee.inner_mtu = UInt32(min(policy.innerMTU, Int(OX_INNER_MTU)))
        unsafe pointer.pointee.batch = policy.batch
        unsafe pointer.pointee.train = policy.train
        unsafe pointer.pointee.coalesce = policy.coalesce
        unsafe pointer.pointee.reject_after_ns = UInt64(max(0, policy.rejectAfter.wholeNanoseconds))
    }

    deinit {
        unsafe pointer.deallocate()
        unsafe ox_routes_destroy(routes)
    }
}
