import OxModel
import OxSimulation
import Testing

/// Losses repaired by the real controllers and the real C tunnel, in virtual time. What is asked here is what holds for a few seconds of
/// any seed; `oxbench repair` has the figures.
struct RepairSimulationTests {
    private static let delay = Duration.milliseconds(20)

    private static func run(
        _ seed: UInt64, _ trafficClass: TrafficClass, pace: Int, bytes: Int, within: Duration, seconds: Int, warmUp: Int = 5, wish: RepairWish? = nil,
        repairs: Bool = true, compresses: Bool = true, _ lose: (inout LinkModel) -> Void
    ) throws -> CongestionOutcome {
        var link = LinkModel(delay: delay)
        lose(&link)
        var scenario = CongestionScenario(
            seed: seed, duration: .seconds(seconds), warmUp: .seconds(warmUp), up: link, down: link,
            flows: [.init(.game(packetsPerSecond: pace, packetBytes: bytes), within: [delay + within])])
        scenario.classRules = [CongestionScenario.rule(trafficClass, flow: 0)]
        scenario.repairWishes = wish.map { [$0] } ?? []
        let features = [("repair", repairs), ("header-compression", compresses), ("congestion-control", false)]
        scenario.features = features.compactMap { name, isOn in SimulatedFeature.named(name).map { ($0, isOn) } }
        return try CongestionSimulation(scenario).run()
    }

    private static func game(
        _ seed: UInt64, seconds: Int = 45, repairs: Bool = true, compresses: Bool = true, _ lose: (inout LinkModel) -> Void
    ) throws -> CongestionOutcome {
        try run(
            seed, .gaming, pace: 60, bytes: 92, within: .milliseconds(50), seconds: seconds, repairs: repairs, compresses: compresses, lose)
    }

    @Test(arguments: UInt64(1)...3)
    func `a game's losses are repaired by copies, in time and at a bounded price`(_ seed: UInt64) throws {
        let off = try Self.game(seed, repairs: false) { $0.loss = 0.05 }
        let on = try Self.game(seed) { $0.loss = 0.05 }
        #expect(off.flows[0].residual(0) > 0.03)
        #expect(on.flows[0].residual(0) < 0.003, "seed=\(seed)")
        #expect(on.repairs[0].peerByCopy > 50)
        // Of what the packets take as they are, without either.
        let plain = try Self.game(seed, repairs: false, compresses: false) { $0.loss = 0.05 }
        #expect(Double(on.wireBytes) < 2.2 * Double(plain.wireBytes))
        #expect(on.drops["repair_malformed", default: 0] == 0)
        let medians = [on, off].compactMap { $0.flows[0].delays.percentile(0.5) }
        #expect(medians[0] - medians[1] < .microseconds(100))
    }

    @Test(arguments: UInt64(1)...2)
    func `short outages hurt a game less`(_ seed: UInt64) throws {
        let lose: (inout LinkModel) -> Void = { $0.outages = Outages(length: .milliseconds(20), share: 0.02) }
        let off = try Self.game(seed, seconds: 90, repairs: false, lose)
        let on = try Self.game(seed, seconds: 90, lose)
        #expect(on.flows[0].residual(0) < 0.4 * off.flows[0].residual(0), "seed=\(seed)")
    }

    @Test func `without loss repair costs no byte`() throws {
        let off = try Self.game(4, seconds: 20, repairs: false) { _ in }
        let on = try Self.game(4, seconds: 20) { _ in }
        #expect(on.wireBytes == off.wireBytes)
        #expect(on.flows[0].loss == 0)
    }

    @Test func `bulk in bursts of loss is repaired by windows within the user's price`() throws {
        let wish = RepairWish(.bulk, residual: 0.001, lateness: .milliseconds(20))
        let lose: (inout LinkModel) -> Void = {
            $0.lossBursts = GilbertElliott(badFromGood: 0.05 / 0.95 / 3, goodFromBad: 1.0 / 3)
        }
        func run(_ repairs: Bool) throws -> CongestionOutcome {
            try Self.run(
                5, .bulk, pace: 2000, bytes: 1228, within: .milliseconds(20), seconds: 11, wish: wish, repairs: repairs, lose)
        }
        let off = try run(false)
        let on = try run(true)
        #expect(off.flows[0].residual(0) > 0.03)
        #expect(on.flows[0].residual(0) < 0.004)
        #expect(on.repairs[0].peerByWindow > 100)
        #expect(Double(on.wireBytes) < 1.52 * Double(off.wireBytes))
    }

    @Test func `where there is time what is lost is sent again`() throws {
        let on = try Self.run(6, .streaming, pace: 400, bytes: 1028, within: .milliseconds(150), seconds: 20) { $0.loss = 0.02 }
        #expect(on.flows[0].residual(0) < 0.004)
        #expect(on.repairs[0].peerByResend > on.repairs[0].peerByWindow)
        #expect(on.repairs[0].bytesSpent * 15 < on.wireBytes)
    }

    @Test func `a link that turned clean costs nothing after half a minute`() throws {
        func run(_ repairs: Bool) throws -> CongestionOutcome {
            try Self.run(7, .bulk, pace: 500, bytes: 1228, within: .milliseconds(20), seconds: 50, warmUp: 40, repairs: repairs) {
                $0.loss = 0.05
                $0.lossEnds = .seconds(4)
            }
        }
        let off = try run(false)
        let on = try run(true)
        #expect(off.repairs[0].windows == 0 && on.repairs[0].windows > 300)
        #expect(Double(on.wireBytes) < 1.001 * Double(off.wireBytes))
    }
}
