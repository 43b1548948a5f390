/// BBR.max_bw_filter: of the current and the previous ProbeBW cycle (BBR.MaxBwFilterLen = 2).
struct BandwidthFilter: Sendable {
    private var previous = 0.0
    private var current = 0.0
    /// BBR.cycle_count
    private(set) var cycle: UInt64 = 0

    var maximum: Double { max(previous, current) }

    mutating func update(_ rate: Double) { current = max(current, rate) }

    /// AdvanceMaxBwFilter(). A cycle without samples replaces none: what is known stays.
    mutating func advance() {
        cycle += 1
        guard current > 0 else { return }
        previous = current
        current = 0
    }

    /// What was measured is known to be wrong.
    mutating func reset(to rate: Double) {
        previous = 0
        current = rate
    }
}

/// An exact maximum over a window of integer time, for UpdateWindowedMaxFilter(): entries whose age is at most the window count.
/// One entry a time is kept at most, so that a window of 10 rounds needs 11.
struct WindowedMaximum: Sendable {
    private var entries: [(value: Double, time: UInt64)] = []

    mutating func update(_ value: Double, time: UInt64, window: UInt64) -> Double {
        entries.removeAll { $0.value <= value || time - min($0.time, time) > window }
        if entries.last?.time != time { entries.append((value, time)) }
        return entries.first?.value ?? value
    }
}

/// SplitMix64: waits need to differ between paths, not to be hard to guess.
struct ProbeDice: Sendable {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// From 0 up to 1.
    mutating func unit() -> Double { Double(next() >> 11) / 9_007_199_254_740_992 }
}
