import OxModel
import Testing

@testable import OxCongestion

private let start = Instant(nanoseconds: 1_000_000_000)

private func memory(_ bits: UInt64, _ roundTrip: Duration = .milliseconds(60)) -> PathMemory {
    PathMemory(maxBandwidth: Rate(bitsPerSecond: bits), minRoundTrip: roundTrip, at: start)
}

@Test func `what is remembered counts in full for 30 s, then halves every 5 minutes, and is forgotten after an hour`() {
    let known = memory(80_000_000)
    func bits(_ seconds: Int) -> UInt64? { known.aged(at: start + .seconds(seconds))?.maxBandwidth.bitsPerSecond }
    #expect(bits(0) == 80_000_000)
    #expect(bits(30) == 80_000_000)
    #expect(bits(180) == 60_000_000)
    #expect(bits(330) == 40_000_000)
    #expect(bits(630) == 20_000_000)
    #expect(bits(3_600)! > 0)
    #expect(bits(3_601) == nil)
    #expect(memory(.max).aged(at: start)?.maxBandwidth == PathMemory.highestBandwidth)
    #expect(memory(0).aged(at: start) == nil)
}

@Test func `a start from memory paces at half of what is remembered`() {
    let bbr = BBR(largestDatagram: 1_200, roundTrip: .milliseconds(60), remembered: memory(100_000_000), seed: 1, now: start)
    #expect(bbr.state == .startup)
    #expect(bbr.limits.pacingRate?.bitsPerSecond == 50_000_000)
    #expect(bbr.limits.window == 375_000)
    let without = BBR(largestDatagram: 1_200, roundTrip: .milliseconds(60), seed: 1, now: start)
    #expect(without.limits.window! < 20_000)
    // Less than nothing known would start with is of no use.
    let slow = BBR(largestDatagram: 1_200, roundTrip: .milliseconds(60), remembered: memory(1_000), seed: 1, now: start)
    #expect(slow.limits == without.limits)
}

@Test(arguments: [0.1, 1.0, 10.0])
func `a memory that is right speeds the start, and a wrong one does little harm`(_ factor: Double) {
    let point = PathPoint(bits: 50e6, milliseconds: 60)
    func delivered(_ remembered: PathMemory?) -> (bytes: Double, dropped: Double, model: PathModel) {
        var link = point.link
        link.buffer = point.bdp
        let model = PathModel(link, datagram: 2_400, extensions: .init(), remembered: remembered)
        model.run(for: .milliseconds(500))
        return (Double(model.counts.through), Double(model.counts.dropped * model.datagram), model)
    }
    let plain = delivered(nil)
    let known = delivered(memory(UInt64(50e6 * factor)))
    if factor == 1 { #expect(known.bytes >= 1.3 * plain.bytes) }
    #expect(known.bytes >= 0.9 * plain.bytes)
    #expect(known.dropped <= plain.dropped + 5 * point.bdp)
    known.model.run(for: .seconds(2))
    known.model.resetCounts()
    known.model.run(for: .seconds(3))
    #expect(Double(known.model.counts.through) >= 0.93 * 3 * point.rate)
    let learned = known.model.bbr.memory(now: known.model.instant)
    #expect(abs(Double(learned?.maxBandwidth.bytesPerSecond ?? 0) - point.rate) <= 0.05 * point.rate)
}

@Test func `a path that was never measured leaves no memory`() {
    #expect(BBR(largestDatagram: 1_200, roundTrip: .milliseconds(60), seed: 1, now: start).memory(now: start) == nil)
}

@Test func `the destination used least recently is forgotten first`() {
    var destinations = DestinationMemory<Int>()
    let capacity = DestinationMemory<Int>.capacity
    #expect(capacity == 1_024)
    for key in 0..<capacity { destinations.remember(memory(1_000_000), for: key) }
    #expect(destinations.recall(0, now: start) != nil)
    destinations.remember(memory(2_000_000), for: capacity)
    #expect(destinations.count == capacity)
    #expect(destinations.recall(0, now: start) != nil)
    #expect(destinations.recall(1, now: start) == nil)
    #expect(destinations.recall(capacity, now: start)?.maxBandwidth.bitsPerSecond == 2_000_000)
    #expect(destinations.recall(2, now: start + .seconds(3_700)) == nil)
    #expect(destinations.count == capacity - 1)
}
