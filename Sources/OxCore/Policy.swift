internal import COxFlow
internal import COxPacket
internal import COxQueue
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
    /// Classes, and flows within them, take turns; otherwise packets wait in the order in which they came.
    public var fairQueue: Bool
    /// The first that matches says what class a packet is of. As many as `classRulesMost` count.
    public var classRules: [ClassRule]
    /// The age at which a session neither sends nor receives.
    public var rejectAfter: Duration

    public init(
        routes: [(prefix: IPPrefix, peer: PeerID)], innerMTU: Int, batch: Bool, train: Bool = true, coalesce: Bool = true,
        fairQueue: Bool = true, classRules: [ClassRule] = [], rejectAfter: Duration
    ) {
        self.routes = routes
        self.innerMTU = innerMTU
        self.batch = batch
        self.train = train
        self.coalesce = coalesce
        self.fairQueue = fairQueue
        self.classRules = classRules
        self.rejectAfter = rejectAfter
    }

    public static func == (a: Policy, b: Policy) -> Bool {
        a.innerMTU == b.innerMTU && a.batch == b.batch && a.train == b.train && a.coalesce == b.coalesce
            && a.fairQueue == b.fairQueue && a.classRules == b.classRules && a.rejectAfter == b.rejectAfter
            && a.routes.elementsEqual(b.routes, by: ==)
    }
}

/// A policy in the form that a worker reads, with the memory it stands in.
@safe final class PublishedPolicy {
    let epoch: UInt64
    let pointer: UnsafeMutablePointer<ox_policy>
    private let routes: OpaquePointer
    private let rules: UnsafeMutableBufferPointer<ox_class_rule>

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
        let rules = policy.classRules.prefix(Int(OX_CLASS_RULES_MAX)).map { ox_class_rule($0) }
        unsafe self.rules = .allocate(capacity: rules.count)
        _ = unsafe self.rules.initialize(from: rules)
        unsafe pointer = .allocate(capacity: 1)
        unsafe ox_policy_defaults(pointer)
        unsafe pointer.pointee.epoch = epoch
        unsafe pointer.pointee.routes = made
        unsafe pointer.pointee.inner_mtu = UInt32(min(policy.innerMTU, Int(OX_INNER_MTU)))
        unsafe pointer.pointee.batch = policy.batch
        unsafe pointer.pointee.train = policy.train
        unsafe pointer.pointee.coalesce = policy.coalesce
        unsafe pointer.pointee.queue.fair = policy.fairQueue
        unsafe pointer.pointee.rules = UnsafePointer(self.rules.baseAddress)
        unsafe pointer.pointee.rule_count = UInt32(rules.count)
        unsafe pointer.pointee.reject_after_ns = UInt64(max(0, policy.rejectAfter.wholeNanoseconds))
    }

    deinit {
        unsafe pointer.deallocate()
        unsafe rules.deallocate()
        unsafe ox_routes_destroy(routes)
    }
}

extension ox_class_rule {
    init(_ rule: ClassRule) {
        self.init()
        class_ = rule.trafficClass.rawValue
        `protocol` = rule.transport ?? 0
        dscp = rule.dscp.map { $0 | 0x80 } ?? 0
        port_first = rule.ports?.lowerBound ?? 0
        port_last = rule.ports?.upperBound ?? 0
        guard let network = rule.prefix else { return }
        prefix_bits = UInt8(network.address.isV4 ? network.length + 96 : network.length)
        let bytes = network.address.bytes
        unsafe withUnsafeMutableBytes(of: &prefix) { unsafe $0.copyBytes(from: bytes) }
    }
}
