/// What the user wants of lost packets of a class, where that is said: outcomes alone.
public struct RepairWish: Hashable, Sendable {
    public var trafficClass: TrafficClass
    /// The share of packets that may stay lost.
    public var residual: Double?
    /// How late a repaired packet may be.
    public var lateness: Duration?
    /// Bytes that repair may add for each that is repaired.
    public var cost: Double?

    public init(_ trafficClass: TrafficClass, residual: Double? = nil, lateness: Duration? = nil, cost: Double? = nil) {
        self.trafficClass = trafficClass
        self.residual = residual
        self.lateness = lateness
        self.cost = cost
    }
}
