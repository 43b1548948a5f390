import OxCongestion
import OxModel
import Testing

/// A rate and a round-trip time that the conformance cases run at.
struct PathPoint: Sendable, CustomTestStringConvertible {
    var bits: Double
    var milliseconds: Int

    var rate: Double { bits / 8 }
    var roundTrip: Duration { .milliseconds(milliseconds) }
    var bdp: Double { rate * roundTrip.inSeconds }
    /// Above some rate datagrams are taken together into aggregates of up to 64 KB, so that a BDP is about 60 of them.
    var datagram: UInt64 { UInt64(min(64_000, max(1_200, bdp / 60))) }
    /// The BDP, counted in whole datagrams, is what the cases are about.
    var link: PathModel.Link { PathModel.Link(rate: rate, roundTrip: roundTrip, buffer: max(bdp * 2, 16 * Double(datagram))) }
    /// So long that a startup, and all that a case wants, is over: in round trips and in seconds.
    func rounds(_ count: Int) -> Duration { max(roundTrip * 2, .seconds(Double(datagram) / rate * 8)) * count }
    var testDescription: String { "\(Rate(bytesPerSecond: UInt64(rate))), \(milliseconds) ms" }

    func model(_ change: (inout PathModel.Link) -> Void = { _ in }, extensions: BBR.Extensions = .none) -> PathModel {
        var link = link
        change(&link)
        return PathModel(link, datagram: datagram, extensions: extensions)
    }

    /// From 64 kbit/s to 10 Gbit/s and from 1 ms to 1 s.
    static let all: [PathPoint] = [
        PathPoint(bits: 64e3, milliseconds: 1_000), PathPoint(bits: 1e6, milliseconds: 300),
        PathPoint(bits: 10e6, milliseconds: 40), PathPoint(bits: 100e6, milliseconds: 60),
        PathPoint(bits: 1e9, milliseconds: 10), PathPoint(bits: 10e9, milliseconds: 1),
        PathPoint(bits: 10e9, milliseconds: 100), PathPoint(bits: 1e9, milliseconds: 1_000),
    ]
    /// Of at least 20 datagrams in a BDP, and rounds short enough for cases of many rounds.
    static let some: [PathPoint] = [
        PathPoint(bits: 1e6, milliseconds: 300), PathPoint(bits: 10e6, milliseconds: 40),
        PathPoint(bits: 100e6, milliseconds: 60), PathPoint(bits: 10e9, milliseconds: 20),
    ]
}

extension PathModel {
    /// Runs until a state is reached.
    func reach(_ wanted: BBR.State, within duration: Duration) -> Bool { run(for: duration) { $0.state == wanted } }

    func isNear(_ bytesPerSecond: Double, to rate: Double, _ share: Double) -> Bool {
        abs(bytesPerSecond - rate) <= share * rate
    }
}

/// Samples by hand, for what a path gives only by luck: a saturated sender, one feedback a round.
struct Script {
    var bbr: BBR
    var now = Instant(nanoseconds: 1_000_000_000)
    var delivered: UInt64 = 0
    var lost: UInt64 = 0
    var roundTrip: Duration = .milliseconds(40)
    let datagram: UInt64 = 1_200

    init(extensions: BBR.Extensions = .none, roundTrip: Duration = .milliseconds(40), remembered: PathMemory? = nil) {
        self.roundTrip = roundTrip
        bbr = BBR(
            largestDatagram: datagram, roundTrip: roundTrip, remembered: remembered, seed: 7, now: now, extensions: extensions)
    }

    /// One round trip later all that was in flight is acknowledged, at `bits` per second.
    @discardableResult
    mutating func round(
        bits: Double, inFlight: UInt64? = nil, isAppLimited: Bool = false, change: (inout PathSample) -> Void = { _ in }
    ) -> PathLimits {
        now += roundTrip
        let acked = UInt64(bits / 8 * roundTrip.inSeconds)
        var sample = PathSample()
        sample.roundTrip = roundTrip
        sample.smoothedRoundTrip = roundTrip
        sample.priorDelivered = delivered
        sample.sent = now - roundTrip
        delivered += acked
        sample.delivered = delivered
        sample.newlyAcked = acked
        sample.rate = Rate(bitsPerSecond: UInt64(bits))
        sample.rateDelivered = acked
        sample.interval = roundTrip
        sample.inFlight = inFlight ?? acked
        sample.priorInFlight = acked
        sample.inFlightAtSending = inFlight ?? acked
        sample.isAppLimited = isAppLimited
        sample.largestDatagram = datagram
        change(&sample)
        lost += sample.newlyLost
        sample.lost = lost
        return bbr.onSample(sample, now: now)
    }

    /// Rounds at one rate until a state is reached, which must be within 500.
    mutating func reach(
        _ wanted: BBR.State, bits: Double, inFlight: UInt64? = nil, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        for _ in 0..<500 where bbr.state != wanted { round(bits: bits, inFlight: inFlight) }
        let reached = bbr.state
        #expect(reached == wanted, sourceLocation: sourceLocation)
    }
}
