/// A point on the monotonic clock that keeps counting while the machine sleeps. Its zero means nothing.
public struct Instant: Hashable, Comparable, Sendable {
    public var nanoseconds: UInt64

    public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    public static func < (a: Instant, b: Instant) -> Bool { a.nanoseconds < b.nanoseconds }

    /// Saturates: there is nothing before zero and nothing after the end.
    public static func + (instant: Instant, duration: Duration) -> Instant {
        let delta = duration.wholeNanoseconds
        let (sum, overflow) =
            delta >= 0
            ? instant.nanoseconds.addingReportingOverflow(UInt64(delta))
            : instant.nanoseconds.subtractingReportingOverflow(delta.magnitude)
        if overflow { return Instant(nanoseconds: delta >= 0 ? .max : 0) }
        return Instant(nanoseconds: sum)
    }

    public static func - (instant: Instant, duration: Duration) -> Instant { instant + (.zero - duration) }

    public static func += (instant: inout Instant, duration: Duration) { instant = instant + duration }

    /// Negative when `b` is later.
    public static func - (a: Instant, b: Instant) -> Duration {
        a >= b
            ? .nanoseconds(Int64(clamping: a.nanoseconds - b.nanoseconds))
            : .zero - .nanoseconds(Int64(clamping: b.nanoseconds - a.nanoseconds))
    }
}

extension Duration {
    /// Clamped to what 64 bits hold: 292 years.
    public var wholeNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return seconds < 0 ? .min : .max }
        let (sum, sumOverflow) = scaled.addingReportingOverflow(attoseconds / 1_000_000_000)
        return sumOverflow ? (seconds < 0 ? .min : .max) : sum
    }

    public var inSeconds: Double { Double(wholeNanoseconds) / 1e9 }
    public var inMilliseconds: Double { Double(wholeNanoseconds) / 1e6 }
}

/// The civil time, for timestamps that must grow from one run of the program to the next. Never used for timers.
public struct WallTime: Hashable, Comparable, Sendable {
    /// Since 1970-01-01 00:00:00 UTC.
    public var nanoseconds: UInt64

    public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    public static func < (a: WallTime, b: WallTime) -> Bool { a.nanoseconds < b.nanoseconds }
}
