import OxModel

/// Delays, counted in bins of less than one percent of their length: what a percentile needs, whatever their number.
public struct DelayHistogram: Sendable, Equatable {
    private static let subBits = 7
    private var bins: [UInt64] = []
    public private(set) var count: UInt64 = 0
    private var sum = 0.0

    public init() {}

    mutating func add(_ nanoseconds: UInt64) {
        let bin = Self.bin(nanoseconds)
        if bins.count <= bin { bins += [UInt64](repeating: 0, count: bin + 1 - bins.count) }
        bins[bin] += 1
        count += 1
        sum += Double(nanoseconds)
    }

    /// Nil when there is none.
    public var mean: Duration? { count == 0 ? nil : .nanoseconds(Int64(sum / Double(count))) }

    /// The least delay that this share of all do not exceed, to within a bin. Nil when there is none.
    public func percentile(_ share: Double) -> Duration? {
        guard count > 0 else { return nil }
        let rank = max(1, min(count, UInt64((share * Double(count)).rounded(.up))))
        var passed: UInt64 = 0
        for (bin, number) in bins.enumerated() where number > 0 {
            if passed + number >= rank {
                let (first, width) = Self.range(bin)
                let within = Double(rank - passed) / Double(number)
                return .nanoseconds(Int64(min(Double(first) + (Double(width) - 1) * within, 9e18)))
            }
            passed += number
        }
        return nil
    }

    private static func bin(_ value: UInt64) -> Int {
        let magnitude = 64 - value.leadingZeroBitCount
        guard magnitude > subBits else { return Int(value) }
        let shift = magnitude - subBits - 1
        return (shift + 1) << subBits + Int(value >> UInt64(shift)) - 1 << subBits
    }

    /// The least value of a bin, and how many it stands for.
    private static func range(_ bin: Int) -> (first: UInt64, width: UInt64) {
        let shift = bin >> subBits - 1
        guard shift >= 0 else { return (UInt64(bin), 1) }
        let mantissa = UInt64(bin & (1 << subBits - 1) | 1 << subBits)
        return (mantissa << UInt64(shift), 1 << UInt64(shift))
    }
}
