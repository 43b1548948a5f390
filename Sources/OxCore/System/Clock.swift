internal import Glibc
public import OxModel

/// The real clock: nothing else of the Swift code reads one.
public enum SystemClock {
    /// Counts while the machine sleeps.
    public static func now() -> Instant { Instant(nanoseconds: nanoseconds(of: CLOCK_BOOTTIME)) }

    public static func wall() -> WallTime { WallTime(nanoseconds: nanoseconds(of: CLOCK_REALTIME)) }

    private static func nanoseconds(of clock: clockid_t) -> UInt64 {
        var time = timespec()
        let refused = unsafe clock_gettime(clock, &time)
        precondition(refused == 0, "Linux has this clock since 2.6.39")
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
