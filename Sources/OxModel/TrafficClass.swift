/// The classes of traffic, the most urgent first. Their numbers are those of the C core's `ox_class`.
public enum TrafficClass: UInt8, CaseIterable, Comparable, Sendable {
    case gaming = 0
    case realtime = 1
    case streaming = 2
    case web = 3
    case general = 4
    case bulk = 5

    public static func < (a: TrafficClass, b: TrafficClass) -> Bool { a.rawValue < b.rawValue }

    /// As people, the configuration and JSON read it.
    public var name: String {
        switch self {
        case .gaming: "gaming"
        case .realtime: "realtime"
        case .streaming: "streaming"
        case .web: "web"
        case .general: "general"
        case .bulk: "bulk"
        }
    }

    public init?(name: String) {
        guard let found = TrafficClass.allCases.first(where: { $0.name == name }) else { return nil }
        self = found
    }

    /// Such packets never wait for company, and in gaming mode not for the pacer either.
    public var isUrgent: Bool { self <= .realtime }
}
