/// Data in time. Bytes are those of UDP payload unless something else is said.
public struct Rate: Hashable, Comparable, Sendable, CustomStringConvertible {
    public var bytesPerSecond: UInt64

    public init(bytesPerSecond: UInt64) { self.bytesPerSecond = bytesPerSecond }
    public init(bitsPerSecond: UInt64) { bytesPerSecond = bitsPerSecond / 8 }

    public static let zero = Rate(bytesPerSecond: 0)

    /// Saturates.
    public var bitsPerSecond: UInt64 {
        let (bits, overflow) = bytesPerSecond.multipliedReportingOverflow(by: 8)
        return overflow ? .max : bits
    }

    /// Nil for no time at all.
    public init?(bytes: UInt64, over duration: Duration) {
        let nanoseconds = duration.wholeNanoseconds
        guard nanoseconds > 0 else { return nil }
        self.init(bytesPerSecond: UInt64(min(Double(bytes) * 1e9 / Double(nanoseconds), 1e18)))
    }

    public static func < (a: Rate, b: Rate) -> Bool { a.bytesPerSecond < b.bytesPerSecond }

    /// Saturates; the factor is not negative.
    public static func * (rate: Rate, factor: Double) -> Rate {
        Rate(bytesPerSecond: UInt64(min(max(Double(rate.bytesPerSecond) * factor, 0), 1e18)))
    }

    /// Bytes in so long. Saturates.
    public func bytes(in duration: Duration) -> UInt64 {
        let seconds = max(0, Double(duration.wholeNanoseconds) / 1e9)
        return UInt64(min(Double(bytesPerSecond) * seconds, 1e18))
    }

    /// How long so many bytes take; nil at rate zero.
    public func time(for bytes: UInt64) -> Duration? {
        guard bytesPerSecond > 0 else { return nil }
        return .nanoseconds(Int64(min(Double(bytes) * 1e9 / Double(bytesPerSecond), 9e18)))
    }

    /// "20.5 Mbit/s".
    public var description: String {
        let bits = Double(bitsPerSecond)
        let (value, unit) = bits >= 1e9 ? (bits / 1e9, "Gbit/s") : bits >= 1e6 ? (bits / 1e6, "Mbit/s") : (bits / 1e3, "kbit/s")
        let tenths = (value * 10).rounded() / 10
        return "\(tenths) \(unit)"
    }
}
