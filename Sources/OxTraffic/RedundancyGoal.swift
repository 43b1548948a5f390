public import OxModel

/// What somebody wants of the packets of a class: outcomes, not how they come about.
public struct RedundancyGoal: Hashable, Sendable {
    /// The share of packets that may stay lost.
    public var residual: Double
    /// How late a repaired packet may be. Nil: before a TCP inside takes it for lost.
    public var lateness: Duration?
    /// Bytes that repair may add, for each byte that is repaired: nil for `sparseCap` and `denseCap`.
    public var cost: Double?

    public init(residual: Double, lateness: Duration?, cost: Double? = nil) {
        self.residual = residual
        self.lateness = lateness
        self.cost = cost
    }

    public static let sparseCap = 2.0
    public static let denseCap = 0.5

    /// What those want who say nothing.
    public static func preset(_ trafficClass: TrafficClass) -> RedundancyGoal {
        switch trafficClass {
        case .gaming: RedundancyGoal(residual: 0.001, lateness: .milliseconds(50))
        case .realtime: RedundancyGoal(residual: 0.001, lateness: .milliseconds(60))
        case .streaming: RedundancyGoal(residual: 0.005, lateness: .milliseconds(150))
        case .web, .general, .bulk: RedundancyGoal(residual: 0.005, lateness: nil)
        }
    }

    /// What is wanted of a class.
    public init(_ trafficClass: TrafficClass, wish: RepairWish?) {
        let preset = RedundancyGoal.preset(trafficClass)
        self.init(
            residual: wish?.residual ?? preset.residual, lateness: wish?.lateness ?? preset.lateness,
            cost: wish?.cost ?? preset.cost)
    }

    var sparseCost: Double { min(cost ?? Self.sparseCap, Self.sparseCap) }
    var denseCost: Double { min(cost ?? Self.denseCap, Self.denseCap) }

    /// A TCP sender takes what is a quarter of a round trip late for lost (RFC 8985 section 6.2); some patience is in all of them.
    func deadline(roundTrip: Duration?) -> Duration {
        lateness ?? max(Self.patience, (roundTrip ?? .zero) / 4)
    }

    private static let patience = Duration.milliseconds(20)
}
