/// What is measured of a way. The raw value is the key of the report; the unit is in it.
enum TunnelFigure: String, CaseIterable {
    case tcpDown = "tcp_down_gbit_per_s"
    case tcpUp = "tcp_up_gbit_per_s"
    case tcpDownProcessor = "tcp_down_cpu_s_per_gb"
    case tcpUpProcessor = "tcp_up_cpu_s_per_gb"
    case pingMedian = "ping_p50_us"
    case pingP99 = "ping_p99_us"
    case udpSmall = "udp_64_pps"
    case udpLarge = "udp_1200_pps"
    case overloadOffered = "overload_offered_pps"
    case overloadDelivered = "overload_delivered_pps"
    case overloadShare = "overload_percent_of_peak"
    case overloadTransfer = "overload_tcp_64_kb_ms"
    case resident = "rss_mb"
    case goodput = "tcp_down_goodput_percent_of_wire"
    case foreignTCP = "foreign_cpu_tcp_percent"
    case foreignPing = "foreign_cpu_ping_percent"
    case foreignUDP = "foreign_cpu_udp_percent"
    case foreignOverload = "foreign_cpu_overload_percent"
}

/// What came out in several rounds.
struct Samples<Figure: RawRepresentable & Hashable & CaseIterable> where Figure.RawValue == String {
    private var values: [Figure: [Double]] = [:]

    mutating func add(_ figure: Figure, _ value: Double) { values[figure, default: []].append(value) }

    func median(_ figure: Figure) -> Double? { values[figure].map(Spread.init)?.median }
    func latest(_ figure: Figure) -> Double? { values[figure]?.last }
    func count(_ figure: Figure) -> Int { values[figure]?.count ?? 0 }

    /// Of each figure its median, then its least and its largest.
    var fields: [(key: String, value: Report.Value)] { fields(spread: true) }

    /// - Parameter spread: whether the least and the largest are among them.
    func fields(spread withSpread: Bool) -> [(key: String, value: Report.Value)] {
        var fields: [(key: String, value: Report.Value)] = []
        for figure in Figure.allCases {
            let spread = values[figure].map(Spread.init)
            func add(_ suffix: String, _ value: Double?) {
                fields.append((key: figure.rawValue + suffix, value: value.map { .number($0) } ?? .unknown))
            }
            add("", spread?.median)
            guard withSpread else { continue }
            add("_min", spread?.least)
            add("_max", spread?.most)
        }
        return fields
    }
}

/// The middle of some values and how far they lie apart.
struct Spread {
    let median: Double
    let least: Double
    let most: Double

    /// At least one value.
    init(_ values: [Double]) {
        let sorted = values.sorted()
        let middle = sorted.count / 2
        median = sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
        least = sorted[0]
        most = sorted[sorted.count - 1]
    }
}
