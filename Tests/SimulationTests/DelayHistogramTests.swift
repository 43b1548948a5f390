import OxModel
import Testing

@testable import OxSimulation

@Suite struct DelayHistogramTests {
    @Test func `percentiles are within a percent`() throws {
        var histogram = DelayHistogram()
        for microseconds in UInt64(1)...10_000 { histogram.add(microseconds * 1000) }
        for (share, expected) in [(0.5, 5.0), (0.95, 9.5), (0.99, 9.9), (1.0, 10.0)] {
            let found = try #require(histogram.percentile(share)).inMilliseconds
            #expect(abs(found / expected - 1) < 0.01, "\(share)")
        }
        #expect(histogram.mean == .nanoseconds(5_000_500))
        #expect(DelayHistogram().percentile(0.5) == nil)
    }

    @Test(arguments: [0, 1, 127, 128, 255, 256, 12_345, 1 << 62] as [UInt64])
    func `one value is every percentile of itself, to within a bin`(value: UInt64) throws {
        var histogram = DelayHistogram()
        histogram.add(value)
        let found = Double(try #require(histogram.percentile(0.5)).wholeNanoseconds)
        #expect(abs(found - Double(value)) <= Double(value) / 128)
    }
}
