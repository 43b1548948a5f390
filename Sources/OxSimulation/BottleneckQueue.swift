import OxModel

/// The state of a bottleneck: says of each packet when its last bit is sent, or why it is dropped. As nothing overtakes in it, that is
/// known when the packet comes.
struct BottleneckQueue {
    enum Fate: Equatable {
        /// `waits`: until it is its turn. `marked`: found the queue above the threshold.
        case passes(at: Instant, waits: UInt64, marked: Bool)
        case dropped(LinkLoss)
    }

    /// Nanoseconds to send a byte, times bits a second.
    private static let byteTimesRate: UInt64 = 8_000_000_000

    private let model: Bottleneck
    private let steps: [(at: UInt64, rate: UInt64)]
    private var step = 0
    private let start: UInt64
    private var busyUntil: UInt64 = 0
    /// Of the packet sent last, what the nanosecond in which it ended still had to send.
    private var carry: UInt64 = 0
    private let traceOffset: UInt64
    private var traceCursor: UInt64 = 0
    private var tokens: UInt64 = 0
    private var tokensAt: UInt64
    /// What has not been sent yet: ends and sizes.
    private var waiting = Ring<(ends: UInt64, bytes: Int)>()
    /// Bytes of it.
    private(set) var backlog = 0

    init(_ model: Bottleneck, start: Instant) {
        self.model = model
        self.start = start.nanoseconds
        tokensAt = start.nanoseconds
        switch model.capacity {
        case .rate(let rate): steps = [(0, rate.bitsPerSecond)]
        case .steps(let given):
            steps = given.map { (start.nanoseconds + UInt64($0.at.wholeNanoseconds), $0.rate.bitsPerSecond) }
        case .trace: steps = []
        }
        if case .trace(let trace) = model.capacity {
            traceOffset = UInt64(max(0, trace.offset.wholeNanoseconds))
        } else {
            traceOffset = 0
        }
        if let policer = model.policer { tokens = UInt64(policer.burstBytes) * Self.byteTimesRate }
    }

    mutating func admit(bytes: Int, now: Instant) -> Fate {
        let now = now.nanoseconds
        forget(upTo: now)
        guard police(bytes, now) else { return .dropped(.policer) }
        let isIdle = waiting.isEmpty
        guard isIdle || backlog + bytes <= model.queueBytes else { return .dropped(.queue) }
        let marked = model.markingBytes.map { backlog >= $0 } ?? false
        let begins = isIdle ? now : max(now, busyUntil)
        let ends: UInt64
        var waits = begins - now
        if case .trace(let trace) = model.capacity {
            ends = max(now, send(bytes, by: trace, now))
            waits = ends - now
        } else {
            ends = send(bytes, from: begins, isIdle: isIdle)
        }
        busyUntil = ends
        waiting.append((ends, bytes))
        backlog += bytes
        return .passes(at: Instant(nanoseconds: ends), waits: waits, marked: marked)
    }

    private mutating func forget(upTo now: UInt64) {
        while let first = waiting.first, first.ends <= now {
            backlog -= first.bytes
            waiting.removeFirst()
        }
    }

    private mutating func police(_ bytes: Int, _ now: UInt64) -> Bool {
        guard let policer = model.policer else { return true }
        let most = UInt64(policer.burstBytes) * Self.byteTimesRate
        let rate = max(1, policer.rate.bitsPerSecond)
        let elapsed = min(now - tokensAt, most / rate + 1)
        tokens = min(most, tokens + elapsed * rate)
        tokensAt = now
        let price = UInt64(bytes) * Self.byteTimesRate
        guard tokens >= price else { return false }
        tokens -= price
        return true
    }

    /// When the last bit is sent of what begins now, at the rates of the steps.
    private mutating func send(_ bytes: Int, from begin: UInt64, isIdle: Bool) -> UInt64 {
        var work = UInt64(bytes) * Self.byteTimesRate + (isIdle ? 0 : carry)
        var at = begin
        while step + 1 < steps.count, steps[step + 1].at <= at { step += 1 }
        while true {
            let rate = steps[step].rate
            if step + 1 < steps.count {
                let room = (steps[step + 1].at - at).multipliedReportingOverflow(by: rate)
                if !room.overflow, room.partialValue < work {
                    work -= room.partialValue
                    step += 1
                    at = steps[step].at
                    continue
                }
            }
            carry = work % rate
            return at + work / rate
        }
    }

    /// Likewise by the opportunities of a trace. What is left of one serves the next packet, if that waits already.
    private mutating func send(_ bytes: Int, by trace: RateTrace, _ now: UInt64) -> UInt64 {
        let size = UInt64(RateTrace.opportunityBytes)
        traceCursor = max(traceCursor, trace.passed(now - start + traceOffset) * size)
        traceCursor += UInt64(bytes)
        return start + trace.time(of: (traceCursor - 1) / size) - traceOffset
    }
}
