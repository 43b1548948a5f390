import OxSimulation
import Testing

/// Every packet that goes in comes out once, whole, or is counted under a name: whatever the network does.
@Suite struct RoughSeedsTests {
    @Test(arguments: UInt64(1)...64)
    func `every packet is delivered once or dropped under a name`(seed: UInt64) throws {
        let outcome = try Simulation(.rough(seed: seed)).run()
        #expect(outcome.violations == [], "seed=\(seed)")
        #expect(outcome.unexplained == [], "seed=\(seed)")
        #expect(outcome.packetsDelivered > outcome.packetsSent / 3, "seed=\(seed) \(outcome)")
        #expect(outcome.finalDelivery > 0.5, "seed=\(seed) \(outcome)")
    }

    @Test func `the same seed gives the same run`() throws {
        let first = try Simulation(.rough(seed: 7)).run()
        let second = try Simulation(.rough(seed: 7)).run()
        #expect(first == second)
    }
}
