import OxModel

/// SplitMix64: the same numbers from the same seed, on every machine. Not for secrets.
public struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    public init(seed: UInt64) { state = seed }

    public mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    /// True with this probability.
    public mutating func chance(_ probability: Double) -> Bool {
        Double(next() >> 11) / Double(1 << 53) < probability
    }

    /// Exponentially distributed around a mean, but for its first 1/64.
    mutating func lasting(_ mean: Duration) -> Duration {
        var steps = 1
        while !chance(1.0 / 64), steps < 64 * 64 { steps += 1 }
        return mean * steps / 64
    }

    /// Uniform from zero up to `most`.
    public mutating func duration(upTo most: Duration) -> Duration {
        let nanoseconds = most.wholeNanoseconds
        return nanoseconds <= 0 ? .zero : .nanoseconds(Int64.random(in: 0...nanoseconds, using: &self))
    }
}
