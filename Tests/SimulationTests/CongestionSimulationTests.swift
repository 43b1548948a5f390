import OxModel
import OxSimulation
import Testing

/// The real controllers and tunnels over a bottleneck.
@Suite struct CongestionSimulationTests {
    private static let roundTrip = Duration.milliseconds(40)

    private func scenario(
        _ seed: UInt64, megabits: UInt64 = 10, bufferMilliseconds: Int = 40, seconds: Int, tunnels: Int = 1,
        _ flows: [CongestionScenario.Flow]
    ) -> CongestionScenario {
        let bottleneck = Bottleneck(Rate(bitsPerSecond: megabits * 1_000_000), roundTrip: .milliseconds(bufferMilliseconds))
        return CongestionScenario(
            seed: seed, duration: .seconds(seconds), warmUp: .seconds(seconds / 3),
            up: LinkModel(bottleneck: bottleneck, delay: Self.roundTrip / 2, jitter: .microseconds(200), keepsOrder: true),
            down: LinkModel(delay: Self.roundTrip / 2), tunnels: tunnels, flows: flows)
    }

    @Test func `a saturated tunnel uses the link and leaves its queue empty`() throws {
        let outcome = try CongestionSimulation(
            scenario(1, seconds: 15, [CongestionScenario.Flow(.saturating())])
        ).run()
        #expect(try #require(outcome.up.utilisation) >= 0.95)
        #expect(try #require(outcome.up.queueing.percentile(0.5)) <= Self.roundTrip * 0.25)
        #expect(outcome.up.loss(.queue) < 0.01)
    }

    @Test func `a game does not wait for the upload beside it`() throws {
        let outcome = try CongestionSimulation(
            scenario(2, bufferMilliseconds: 300, seconds: 15, [.init(.cubic), .init(.game())])
        ).run()
        let delay = try #require(outcome.flows[1].delays.percentile(0.99))
        #expect(delay <= Self.roundTrip / 2 + .milliseconds(10))
        #expect(outcome.flows[1].loss < 0.01)
        #expect(outcome.flows[0].rate(from: 5, to: 15).bitsPerSecond > 8_000_000)
    }

    @Test func `the same seed gives the same run, and its clock changes nothing`() throws {
        let flows: [CongestionScenario.Flow] = [
            .init(.saturating()), .init(.game(), .down), .init(.cubic, over: .plain),
            .init(.onOff(Rate(bitsPerSecond: 2_000_000), on: .milliseconds(300), off: .milliseconds(500)), over: .tunnel(1)),
        ]
        let scenario = scenario(3, seconds: 6, tunnels: 2, flows)
        let first = try CongestionSimulation(scenario).run()
        var ticks: UInt64 = 0
        var second = try CongestionSimulation(scenario) {
            ticks += 1
            return ticks
        }.run()
        #expect(second.controlNanoseconds > 0)
        second.controlNanoseconds = 0
        #expect(first == second)
        var other = scenario
        other.seed = 4
        #expect(try CongestionSimulation(other).run() != first)
    }

    @Test func `every feature can be turned on and off`() throws {
        for feature in SimulatedFeature.all {
            for isOn in [false, true] {
                var scenario = scenario(5, seconds: 3, [.init(.game())])
                scenario.features = [(feature, isOn)]
                let outcome = try CongestionSimulation(scenario).run()
                #expect(outcome.flows[0].delivered == outcome.flows[0].sent, "\(feature) \(isOn)")
            }
        }
        #expect(SimulatedFeature.named("batching")?.name == "batch-hold")
    }

    @Test func `headers that are compressed cross whole, and take less of the link`() throws {
        func bytesAround(_ flows: [CongestionScenario.Flow], compressed: Bool) throws -> Double {
            var scenario = scenario(8, seconds: 6, flows)
            scenario.features = [(SimulatedFeature.named("header-compression")!, compressed)]
            let outcome = try CongestionSimulation(scenario).run()
            #expect(outcome.drops.filter { $0.key.hasPrefix("header_") || $0.key == "checksum_wrong" }.values.allSatisfy { $0 == 0 })
            #expect(zip(flows, outcome.flows).allSatisfy { $0.traffic.isGreedy || $1.delivered == $1.sent })
            return (Double(outcome.wireBytes) - Double(outcome.innerBytes)) / Double(outcome.innerPackets)
        }
        for (flows, spared) in [([.init(.game())], 20), ([.init(.call)], 30), ([.init(.cubic)], 5)] as [([CongestionScenario.Flow], Double)] {
            #expect(try bytesAround(flows, compressed: true) < bytesAround(flows, compressed: false) - spared)
        }
    }

    // MARK: CUBIC

    @Test func `a plain CUBIC flow fills the buffer, and loses when it is full`() throws {
        let outcome = try CongestionSimulation(
            scenario(6, seconds: 30, tunnels: 0, [.init(.cubic, over: .plain)])
        ).run()
        #expect(try #require(outcome.up.utilisation) > 0.97)
        #expect(try #require(outcome.up.queueing.percentile(0.95)) > Self.roundTrip * 0.8)
        #expect(outcome.up.loss(.queue) > 0)
        #expect(outcome.up.loss(.queue) < 0.01)
    }

    @Test func `two plain CUBIC flows share the link`() throws {
        let flows: [CongestionScenario.Flow] = [.init(.cubic, over: .plain), .init(.cubic, over: .plain, starts: .seconds(3))]
        let outcome = try CongestionSimulation(scenario(7, seconds: 60, tunnels: 0, flows)).run()
        #expect(outcome.up.fairness(users: 2, from: .seconds(20), to: .seconds(60)) > 0.9)
    }
}
