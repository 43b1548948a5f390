public import OxModel

/// What was learned of a path, for the next time that it is met.
public struct PathMemory: Equatable, Sendable {
    /// BBR.max_bw
    public var maxBandwidth: Rate
    /// BBR.min_rtt
    public var minRoundTrip: Duration
    /// When it was true.
    public var at: Instant

    /// It counts in full for so long,
    public static let freshFor = Duration.seconds(30)
    /// then half as much with each of these,
    public static let halvesEvery = Duration.seconds(300)
    /// and not at all after this.
    public static let forgottenAfter = Duration.seconds(3600)
    /// No memory starts a path faster than this.
    public static let highestBandwidth = Rate(bitsPerSecond: 10_000_000_000)

    public init(maxBandwidth: Rate, minRoundTrip: Duration, at: Instant) {
        self.maxBandwidth = maxBandwidth
        self.minRoundTrip = minRoundTrip
        self.at = at
    }

    /// What it is worth now; nil once it is forgotten.
    public func aged(at now: Instant) -> PathMemory? {
        let age = max(.zero, now - at)
        guard age <= PathMemory.forgottenAfter, maxBandwidth > .zero, minRoundTrip > .zero else { return nil }
        var aged = self
        aged.maxBandwidth = min(maxBandwidth, PathMemory.highestBandwidth)
        if age > PathMemory.freshFor {
            let halvings = (age - PathMemory.freshFor).inSeconds / PathMemory.halvesEvery.inSeconds
            // Between whole halvings in a straight line.
            let whole = Int(halvings)
            let scale = (1 - (halvings - Double(whole)) / 2) / Double(1 << whole)
            aged.maxBandwidth = aged.maxBandwidth * scale
        }
        return aged.maxBandwidth > .zero ? aged : nil
    }
}

/// Memories by destination, the least recently used forgotten first.
public struct DestinationMemory<Key: Hashable & Sendable>: Sendable {
    public static var capacity: Int { 1024 }

    private var entries: [Key: Entry] = [:]
    private var uses: UInt64 = 0

    private struct Entry: Sendable {
        var memory: PathMemory
        var use: UInt64
    }

    public init() {}

    public var count: Int { entries.count }

    public mutating func remember(_ memory: PathMemory, for key: Key) {
        if entries[key] == nil, entries.count >= Self.capacity,
            let oldest = entries.min(by: { $0.value.use < $1.value.use })?.key
        {
            entries[oldest] = nil
        }
        uses += 1
        entries[key] = Entry(memory: memory, use: uses)
    }

    /// Destinations that must not be remembered any more.
    public mutating func forget(where isForgotten: (Key) -> Bool) {
        entries = entries.filter { !isForgotten($0.key) }
    }

    /// Nil for a destination that is unknown or was met too long ago. As it was learned: BBR ages it.
    public mutating func recall(_ key: Key, now: Instant) -> PathMemory? {
        guard let entry = entries[key] else { return nil }
        guard entry.memory.aged(at: now) != nil else {
            entries[key] = nil
            return nil
        }
        uses += 1
        entries[key] = Entry(memory: entry.memory, use: uses)
        return entry.memory
    }
}
