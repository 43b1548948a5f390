import OxModel

/// The sending end of a transfer without end, after RFC 9438. Each transmission has a number of its own, as in QUIC: what is lost goes
/// out again under a new one, so that the loss of a repetition is seen like any other (RFC 9002 section 6.1.1).
struct CubicSender: TransferSender {
    /// RFC 9438 section 4.6 and 5.
    private static let beta = 0.7
    private static let c = 0.4
    /// Section 4.3: what makes it as fast as Reno on the average.
    private static let alpha = 3 * (1 - beta) / (1 + beta)
    /// RFC 9002 section 6.1.1.
    private static let reorderThreshold: UInt64 = 3
    private static let timeoutLeast: UInt64 = 200_000_000

    private struct Transmission {
        var sent: UInt64
        var isOpen: Bool
    }

    /// In packets.
    private(set) var window = 10.0
    private var slowStartThreshold = Double.infinity
    private var windowMax = 0.0
    private var windowEstimate = 0.0
    /// Window just before it was reduced last.
    private var windowPrior = 0.0
    private var epoch: UInt64?
    private var k = 0.0

    private var flight = Ring<Transmission>()
    private var first: UInt64 = 0
    private(set) var next: UInt64 = 0
    private(set) var inFlight = 0
    private(set) var lost: UInt64 = 0
    private var largest: UInt64?
    /// A loss of what was sent before this is of the reduction that has been made.
    private var recovery: UInt64 = 0

    private var smoothed: UInt64 = 0
    private var variance: UInt64 = 0
    private var progressAt: UInt64 = 0
    private var backoff: UInt64 = 0

    /// The number of the packet that may leave now, if one may.
    mutating func send(now: Instant) -> UInt64? {
        guard Double(inFlight) + 1 <= max(1, window) else { return nil }
        if inFlight == 0 { progressAt = now.nanoseconds }
        flight.append(Transmission(sent: now.nanoseconds, isOpen: true))
        inFlight += 1
        next += 1
        return next - 1
    }

    mutating func acknowledged(_ number: UInt64, now: Instant) {
        guard number >= first, number < next, flight[Int(number - first)].isOpen else { return }
        flight[Int(number - first)].isOpen = false
        inFlight -= 1
        measure(now.nanoseconds - flight[Int(number - first)].sent)
        largest = max(largest ?? 0, number)
        progressAt = now.nanoseconds
        backoff = 0
        if number >= recovery { grow(now: now.nanoseconds) }
    }

    /// To be called after a run of `acknowledged`: what is overtaken by so many is lost.
    mutating func settle(now: Instant) {
        guard let largest else { return }
        while first < next, !flight.isEmpty {
            guard let oldest = flight.first else { return }
            if oldest.isOpen {
                guard first + Self.reorderThreshold <= largest else { return }
                lost += 1
                inFlight -= 1
                if first >= recovery { reduce() }
            }
            flight.removeFirst()
            first += 1
        }
    }

    var departure: Instant? { nil }

    var deadline: Instant? { inFlight == 0 ? nil : Instant(nanoseconds: progressAt + timeout) }

    /// Nothing has come for so long that all is taken for lost (RFC 6298).
    mutating func expire(now: Instant) {
        guard let deadline, deadline <= now else { return }
        lost += UInt64(inFlight)
        inFlight = 0
        flight = Ring()
        first = next
        reduce()
        window = 1
        backoff = min(backoff + 1, 8)
        progressAt = now.nanoseconds
    }

    private var timeout: UInt64 {
        let base = smoothed == 0 ? 1_000_000_000 : max(Self.timeoutLeast, smoothed + 4 * variance)
        return base << backoff
    }

    private mutating func measure(_ sample: UInt64) {
        if smoothed == 0 {
            smoothed = sample
            variance = sample / 2
        } else {
            let apart = smoothed > sample ? smoothed - sample : sample - smoothed
            variance = (3 * variance + apart) / 4
            smoothed = (7 * smoothed + sample) / 8
        }
    }

    private mutating func grow(now: UInt64) {
        if window < slowStartThreshold {
            window += 1
            return
        }
        if epoch == nil { begin(now) }
        let seconds = Double(now - (epoch ?? now)) / 1e9
        windowEstimate += (windowEstimate >= windowPrior ? 1 : Self.alpha) / window
        if cubic(seconds) < windowEstimate {
            window = max(window, windowEstimate)
        } else {
            let target = min(max(cubic(seconds + Double(smoothed) / 1e9), window), 1.5 * window)
            window += (target - window) / window
        }
    }

    /// Section 4.2, so long after its begin.
    private func cubic(_ seconds: Double) -> Double {
        Self.c * (seconds - k) * (seconds - k) * (seconds - k) + windowMax
    }

    /// Section 4.2: the curve begins anew.
    private mutating func begin(_ now: UInt64) {
        epoch = now
        if windowMax < window { windowMax = window }
        k = Self.cubeRoot((windowMax - window) / Self.c)
        windowEstimate = window
    }

    /// Sections 4.6 and 4.7.
    private mutating func reduce() {
        recovery = next
        epoch = nil
        windowPrior = window
        windowMax = window < windowMax ? window * (1 + Self.beta) / 2 : window
        slowStartThreshold = max(2, window * Self.beta)
        window = slowStartThreshold
    }

    /// Newton's method, from above: of numbers that are not negative.
    private static func cubeRoot(_ value: Double) -> Double {
        guard value > 0 else { return 0 }
        var root = max(1, value)
        for _ in 0..<100 {
            let closer = (2 * root + value / (root * root)) / 3
            if root - closer < 1e-9 * root { return closer }
            root = closer
        }
        return root
    }
}
