import OxModel
import Testing

struct InstantTests {
    @Test func `instants and durations add up`() {
        let start = Instant(nanoseconds: 1_000)
        #expect(start + .nanoseconds(5) == Instant(nanoseconds: 1_005))
        #expect(start - .microseconds(1) == Instant(nanoseconds: 0))
        #expect(start + .nanoseconds(-1_000) == Instant(nanoseconds: 0))
        #expect(Instant(nanoseconds: 7) - start == .nanoseconds(-993))
        #expect(start - Instant(nanoseconds: 7) == .nanoseconds(993))
        var moving = start
        moving += .seconds(1)
        #expect(moving == Instant(nanoseconds: 1_000_001_000) && start < moving)
    }

    @Test func `time saturates at both of its ends`() {
        let first = Instant(nanoseconds: 0)
        let last = Instant(nanoseconds: .max)
        #expect(first - .nanoseconds(1) == first)
        #expect(last + .nanoseconds(1) == last)
        #expect(last - first == .nanoseconds(Int64.max))
        #expect(first - last == .zero - .nanoseconds(Int64.max))
        #expect(first + .seconds(Int64.max) == Instant(nanoseconds: UInt64(Int64.max)))
        #expect(last + .seconds(Int64.min) == Instant(nanoseconds: .max - UInt64(Int64.max) - 1))
    }

    @Test func `a duration is clamped to what 64 bits of nanoseconds hold`() {
        #expect(Duration.milliseconds(1_500).wholeNanoseconds == 1_500_000_000)
        #expect(Duration.milliseconds(-1_500).wholeNanoseconds == -1_500_000_000)
        #expect(Duration(secondsComponent: 0, attosecondsComponent: 999_999_999).wholeNanoseconds == 0)
        #expect(Duration.nanoseconds(Int64.max).wholeNanoseconds == .max)
        #expect(Duration.nanoseconds(Int64.min).wholeNanoseconds == .min)
        #expect((Duration.nanoseconds(Int64.max) + .nanoseconds(1)).wholeNanoseconds == .max)
        #expect(Duration.seconds(Int64.max).wholeNanoseconds == .max)
        #expect(Duration.seconds(Int64.min).wholeNanoseconds == .min)
        #expect(Duration.milliseconds(1_500).inSeconds == 1.5)
        #expect(Duration.microseconds(-1_500).inMilliseconds == -1.5)
    }

    @Test func `a remote session id and an AEAD keep the numbers of the wire`() {
        #expect(AEAD.allCases.map(\.rawValue) == [0, 1, 2])
        #expect(AEAD.allCases.map(\.name) == ["none", "chacha20-poly1305", "aes-256-gcm"])
        #expect(PeerID(1) < PeerID(2) && SessionID(1) < SessionID(2) && PathID.first < PathID(1))
    }
}
