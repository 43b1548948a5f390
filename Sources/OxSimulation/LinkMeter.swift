import OxModel

/// What a direction of a link has seen since the meter was last reset, and its course in time since the start.
struct LinkMeter: Sendable, Equatable {
    /// Of the courses below.
    static let binNanoseconds: UInt64 = 100_000_000

    private let start: UInt64
    private(set) var packetsOffered: UInt64 = 0
    private(set) var bytesOffered: UInt64 = 0
    private(set) var lostPackets: [LinkLoss: UInt64] = [:]
    private(set) var waits = DelayHistogram()
    var marked: UInt64 = 0
    /// Bytes that came, by bins; and that the queue or the policer dropped.
    private(set) var offeredBins: [UInt64] = []
    private(set) var droppedBins: [UInt64] = []
    /// Bytes that left the bottleneck and were not lost behind it, by users and bins of when.
    private(set) var leftBins: [[UInt64]] = []

    init(start: Instant) {
        self.start = start.nanoseconds
    }

    /// Counts anew from here on; the courses go on.
    mutating func reset() {
        packetsOffered = 0
        bytesOffered = 0
        lostPackets = [:]
        waits = DelayHistogram()
        marked = 0
    }

    mutating func offered(_ bytes: Int, user: Int, now: Instant) {
        packetsOffered += 1
        bytesOffered += UInt64(bytes)
        Self.add(bytes, to: &offeredBins, bin(now))
    }

    mutating func lost(_ bytes: Int, _ why: LinkLoss, now: Instant) {
        lostPackets[why, default: 0] += 1
        if why == .queue || why == .policer { Self.add(bytes, to: &droppedBins, bin(now)) }
    }

    mutating func waited(_ nanoseconds: UInt64) { waits.add(nanoseconds) }

    mutating func left(_ bytes: Int, user: Int, at: Instant) {
        while leftBins.count <= user { leftBins.append([]) }
        Self.add(bytes, to: &leftBins[user], bin(at))
    }

    private func bin(_ at: Instant) -> Int { Int((at.nanoseconds - start) / Self.binNanoseconds) }

    private static func add(_ bytes: Int, to bins: inout [UInt64], _ bin: Int) {
        if bins.count <= bin { bins += [UInt64](repeating: 0, count: bin + 1 - bins.count) }
        bins[bin] += UInt64(bytes)
    }

    /// Of the bins from `begin` up to `end`, both in whole bins since the start.
    static func sum(_ bins: [UInt64], from begin: Duration, to end: Duration) -> UInt64 {
        let first = Int(begin.wholeNanoseconds / Int64(binNanoseconds))
        let last = min(bins.count, Int(end.wholeNanoseconds / Int64(binNanoseconds)))
        return first < last ? bins[first..<last].reduce(0, +) : 0
    }
}
