/// What a packet must be for its class to be known beforehand. All that is stated must hold, and something is; of several rules
/// the first that does counts.
public struct ClassRule: Hashable, Sendable {
    public var trafficClass: TrafficClass
    /// IPv4's protocol, or the last next header of IPv6: 1 to 255.
    public var transport: UInt8?
    /// The source or the destination port, of TCP and UDP: 1 to 65535.
    public var ports: ClosedRange<UInt16>?
    /// The source or the destination address lies in it. Its host bits are zero, its length is not.
    public var prefix: IPPrefix?
    /// 0 to 63.
    public var dscp: UInt8?

    public init(
        _ trafficClass: TrafficClass, transport: UInt8? = nil, ports: ClosedRange<UInt16>? = nil, prefix: IPPrefix? = nil,
        dscp: UInt8? = nil
    ) {
        self.trafficClass = trafficClass
        self.transport = transport
        self.ports = ports
        self.prefix = prefix
        self.dscp = dscp
    }

    /// Whether the two hold for the same packets.
    public func matchesLike(_ other: ClassRule) -> Bool {
        transport == other.transport && ports == other.ports && prefix == other.prefix && dscp == other.dscp
    }
}
