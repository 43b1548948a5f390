public import OxModel

/// The narrowest place of a link, with the queue in front of it. Bytes are those of IP packets.
public struct Bottleneck: Sendable, Equatable {
    public enum Capacity: Sendable, Equatable {
        case rate(Rate)
        /// Rates from the given times on, since the start; the first from zero. A rate of zero is an outage; the last is not zero.
        case steps([Step])
        case trace(RateTrace)
    }

    public struct Step: Sendable, Equatable {
        public var at: Duration
        public var rate: Rate

        public init(at: Duration, rate: Rate) {
            self.at = at
            self.rate = rate
        }
    }

    /// A token bucket in front of the queue: what finds too few tokens is lost.
    public struct Policer: Sendable, Equatable {
        public var rate: Rate
        public var burstBytes: Int

        public init(rate: Rate, burstBytes: Int) {
            self.rate = rate
            self.burstBytes = burstBytes
        }
    }

    public var capacity: Capacity
    /// What may wait, the packet being sent included; more is dropped at the tail. An idle link takes any packet.
    public var queueBytes: Int
    /// Packets that can be marked are, when so many bytes or more wait in front of them. Nil: the link marks none.
    public var markingBytes: Int?
    public var policer: Policer?

    public init(_ capacity: Capacity, queueBytes: Int, markingBytes: Int? = nil, policer: Policer? = nil) {
        if case .steps(let steps) = capacity {
            precondition(steps.first?.at == .zero, "the first step is at the start")
            precondition(zip(steps, steps.dropFirst()).allSatisfy { $0.at < $1.at }, "steps are in the order of time")
            precondition(steps.last.map { $0.rate > .zero } ?? false, "the last step has a rate")
        }
        self.capacity = capacity
        self.queueBytes = queueBytes
        self.markingBytes = markingBytes
        self.policer = policer
    }

    /// Over one rate, with a queue of so many times the product of bandwidth and delay, but four packets at least.
    public init(_ rate: Rate, roundTrip: Duration, queueBDP: Double = 1) {
        let bytes = Int(Double(rate.bytes(in: roundTrip)) * queueBDP)
        self.init(.rate(rate), queueBytes: max(bytes, 4 * RateTrace.opportunityBytes))
    }

    /// Of a trace: its mean.
    var highestRate: Rate {
        switch capacity {
        case .rate(let rate): rate
        case .steps(let steps): steps.map(\.rate).max() ?? .zero
        case .trace(let trace): trace.meanRate
        }
    }

    /// What can pass between two times since the start, the policer apart.
    public func capacityBytes(from begin: Duration, to end: Duration) -> Double {
        switch capacity {
        case .rate(let rate): return Double(rate.bytesPerSecond) * max(0, (end - begin).inSeconds)
        case .steps(let steps):
            var sum = 0.0
            for (index, step) in steps.enumerated() {
                let until = index + 1 < steps.count ? min(end, steps[index + 1].at) : end
                sum += Double(step.rate.bytesPerSecond) * max(0, (until - max(begin, step.at)).inSeconds)
            }
            return sum
        case .trace(let trace):
            return Double(trace.opportunities(before: end) - trace.opportunities(before: begin)) * Double(RateTrace.opportunityBytes)
        }
    }
}

/// A link's rate as mahimahi(1) has it: the milliseconds at which 1,500 bytes can pass. After the last the trace starts again.
public struct RateTrace: Sendable, Equatable {
    public static let opportunityBytes = 1500

    /// Ascending; the last one is the period.
    public let milliseconds: [UInt32]
    /// Where in the trace a run begins.
    public var offset: Duration

    /// Nil when there is nothing in it, or when it goes back in time.
    public init?(milliseconds: [UInt32], offset: Duration = .zero) {
        guard let last = milliseconds.last, last > 0,
            zip(milliseconds, milliseconds.dropFirst()).allSatisfy({ $0 <= $1 })
        else { return nil }
        self.milliseconds = milliseconds
        self.offset = offset
    }

    public var period: Duration { .milliseconds(Int64(milliseconds[milliseconds.count - 1])) }

    /// Over its period.
    public var meanRate: Rate {
        Rate(bytes: UInt64(milliseconds.count * Self.opportunityBytes), over: period) ?? .zero
    }

    /// Those before a time since the start of the run, counted from the first of the trace.
    func opportunities(before time: Duration) -> UInt64 { passed(nanoseconds(time)) }

    private func nanoseconds(_ time: Duration) -> UInt64 { UInt64(max(0, (time + offset).wholeNanoseconds)) }

    func passed(_ elapsed: UInt64) -> UInt64 {
        let period = UInt64(milliseconds[milliseconds.count - 1]) * 1_000_000
        let within = elapsed % period
        var low = 0
        var high = milliseconds.count
        while low < high {
            let middle = low + (high - low) / 2
            if UInt64(milliseconds[middle]) * 1_000_000 < within { low = middle + 1 } else { high = middle }
        }
        return elapsed / period * UInt64(milliseconds.count) + UInt64(low)
    }

    /// When, since the first of the trace, in nanoseconds.
    func time(of opportunity: UInt64) -> UInt64 {
        let count = UInt64(milliseconds.count)
        let period = UInt64(milliseconds[milliseconds.count - 1])
        return (opportunity / count * period + UInt64(milliseconds[Int(opportunity % count)])) * 1_000_000
    }
}
