public import OxModel

/// What came of a congestion scenario. Times are since its start, which is when all tunnels were connected.
public struct CongestionOutcome: Sendable, Equatable {
    public var seed: UInt64
    public var duration: Duration
    public var warmUp: Duration
    public var up: LinkOutcome
    public var down: LinkOutcome
    /// In the order of the scenario.
    public var flows: [FlowOutcome]
    /// After the warm-up, of both ends of all tunnels: turns of workers, datagrams sent, their bytes with IP and UDP headers, and
    /// inner packets, and the bytes of those as they came.
    public var turns: UInt64
    public var datagrams: UInt64
    public var wireBytes: UInt64
    public var innerPackets: UInt64
    public var innerBytes: UInt64
    /// What repair did for what each tunnel's client sent, from the start on.
    public var repairs: [RepairCounts]
    /// Drops of all nodes, by name.
    public var drops: [String: UInt64]
    /// What the controllers of all ends used after the warm-up, as the caller's clock has it; zero without one.
    public var controlNanoseconds: UInt64
    /// How often they had cause to decide anything: events of the workers, and deadlines.
    public var controls: UInt64

    public func link(_ direction: CongestionScenario.Direction) -> LinkOutcome { direction == .up ? up : down }
}

/// A direction of the link.
public struct LinkOutcome: Sendable, Equatable {
    static let bin = Duration.nanoseconds(Int64(LinkMeter.binNanoseconds))

    let meter: LinkMeter
    let model: LinkModel
    let warmUp: Duration
    let duration: Duration

    /// Of what the link could carry, the share that it did. Nil where it has no bottleneck.
    public var utilisation: Double? { utilisation(from: warmUp, to: duration) }

    public func utilisation(from begin: Duration, to end: Duration) -> Double? {
        guard let capacity = model.bottleneck?.capacityBytes(from: begin, to: end), capacity > 0 else { return nil }
        let bytes = meter.leftBins.map { LinkMeter.sum($0, from: begin, to: end) }.reduce(0, +)
        return Double(bytes) / capacity
    }

    /// How long packets waited in front of the bottleneck.
    public var queueing: DelayHistogram { meter.waits }
    /// Of the packets that came, those that were lost; and for one reason.
    public var loss: Double { share(LinkLoss.allCases) }
    public func loss(_ why: LinkLoss) -> Double { share([why]) }
    public var marked: UInt64 { meter.marked }

    private func share(_ why: [LinkLoss]) -> Double {
        let lost = why.map { meter.lostPackets[$0] ?? 0 }.reduce(0, +)
        return meter.packetsOffered == 0 ? 0 : Double(lost) / Double(meter.packetsOffered)
    }

    /// Bytes that queue and policer dropped in a time, from the start on.
    public func droppedBytes(from begin: Duration, to end: Duration) -> UInt64 {
        LinkMeter.sum(meter.droppedBins, from: begin, to: end)
    }

    /// What a user got of the link on average: tunnels first, then plain flows.
    public func rate(ofUser user: Int, from begin: Duration, to end: Duration) -> Rate {
        guard user < meter.leftBins.count else { return .zero }
        return Rate(bytes: LinkMeter.sum(meter.leftBins[user], from: begin, to: end), over: end - begin) ?? .zero
    }

    /// What came to the link on average.
    public func offeredRate(from begin: Duration, to end: Duration) -> Rate {
        Rate(bytes: LinkMeter.sum(meter.offeredBins, from: begin, to: end), over: end - begin) ?? .zero
    }

    /// How long after `step` what comes to the link is, over a second, within `tolerance` of `rate` for the first time. Nil: never.
    public func adaptation(to rate: Rate, after step: Duration, tolerance: Double = 0.1) -> Duration? {
        var begin = step
        while begin + .seconds(1) <= duration {
            let offered = offeredRate(from: begin, to: begin + .seconds(1))
            let ratio = Double(offered.bytesPerSecond) / Double(rate.bytesPerSecond)
            if abs(ratio - 1) <= tolerance { return begin - step }
            begin += Self.bin
        }
        return nil
    }

    /// Jain's index of what so many users got: 1 for the same each, 1 / users for all to one.
    public func fairness(users: Int, from begin: Duration, to end: Duration) -> Double {
        let rates = (0..<users).map { Double(rate(ofUser: $0, from: begin, to: end).bytesPerSecond) }
        let squares = rates.map { $0 * $0 }.reduce(0, +)
        let sum = rates.reduce(0, +)
        return squares == 0 ? 1 : sum * sum / (Double(users) * squares)
    }
}

/// One flow, at its receiver. Bytes are those of its own IP packets.
public struct FlowOutcome: Sendable, Equatable {
    /// By seconds since the start.
    public internal(set) var bytesBySecond: [UInt64] = []
    /// From the sender to the receiver, of the packets that count as `delivered`.
    public internal(set) var delays = DelayHistogram()
    /// Packets that were sent after the warm-up, early enough to arrive; those of them that did, and behind a newer one.
    public internal(set) var sent: UInt64 = 0
    public internal(set) var delivered: UInt64 = 0
    public internal(set) var late: UInt64 = 0
    /// Of `delivered`, those within each of the flow's `within`.
    public internal(set) var inTime: [UInt64] = []

    /// The share that did not arrive within the flow's `within` of this index.
    public func residual(_ index: Int) -> Double { sent == 0 ? 0 : 1 - Double(inTime[index]) / Double(sent) }

    public var loss: Double { sent == 0 ? 0 : 1 - Double(delivered) / Double(sent) }

    public func rate(from begin: Int, to end: Int) -> Rate {
        let bytes = bytesBySecond.dropFirst(begin).prefix(end - begin).reduce(0, +)
        return Rate(bytes: bytes, over: .seconds(end - begin)) ?? .zero
    }

    mutating func arrived(
        bytes: Int, after delay: UInt64, within bounds: [UInt64], second: Int, isMeasured: Bool, isLate: Bool
    ) {
        if bytesBySecond.count <= second {
            bytesBySecond += [UInt64](repeating: 0, count: second + 1 - bytesBySecond.count)
        }
        bytesBySecond[second] += UInt64(bytes)
        guard isMeasured else { return }
        delivered += 1
        if isLate { late += 1 }
        for (index, bound) in bounds.enumerated() where delay <= bound { inTime[index] += 1 }
        delays.add(delay)
    }
}
