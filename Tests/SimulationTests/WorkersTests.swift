import OxSimulation
import Testing

/// A relay of several workers, which turn one after the other.
@Suite struct WorkersTests {
    @Test(arguments: [2, 3, 16])
    func `packets reach the worker that has the peer, whichever read them`(workers: Int) throws {
        var scenario = Scenario(seed: 3, duration: .seconds(4), clients: 3, superPackets: 0.2)
        scenario.relayWorkers = workers
        let outcome = try Simulation(scenario).run()
        scenario.relayWorkers = 1
        let alone = try Simulation(scenario).run()
        #expect(outcome.drops["session_unknown"] == alone.drops["session_unknown"])
        #expect(outcome.violations == [])
        #expect(outcome.unexplained == [])
        #expect(outcome.packetsDelivered > outcome.packetsSent * 98 / 100, "\(outcome)")
        #expect(outcome.drops["handoff_full"] == nil)
    }

    @Test(arguments: UInt64(1)...8)
    func `every packet is delivered once or dropped under a name`(seed: UInt64) throws {
        var scenario = Scenario.rough(seed: seed)
        scenario.relayWorkers = 2
        let outcome = try Simulation(scenario).run()
        #expect(outcome.violations == [], "seed=\(seed)")
        #expect(outcome.unexplained == [], "seed=\(seed)")
        #expect(outcome.packetsDelivered > outcome.packetsSent / 3, "seed=\(seed) \(outcome)")
        #expect(outcome.finalDelivery > 0.5, "seed=\(seed) \(outcome)")
    }
}
