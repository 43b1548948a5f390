import OxConfiguration
import Testing

@testable import Oxidize

struct WorkerPlanTests {
    private func plan(
        _ keys: String = "", relayWithPeers peers: Int? = nil, allowed: Range<Int> = 0..<8
    ) throws -> WorkerPlan {
        let isRelay = peers != nil
        let peers = peers.map { [String](repeating: "", count: $0) } ?? ["endpoint = \"192.0.2.1:1\""]
        let configuration = try configuration(interface: keys, relay: isRelay ? "" : nil, peers: peers)
        return try WorkerPlan(configuration, allowed: Array(allowed))
    }

    @Test func `a client has one worker, on any CPU`() throws {
        #expect(try plan().cpus == [nil])
    }

    @Test(arguments: [(1, 8, 1), (3, 8, 3), (9, 8, 4), (9, 1, 1), (9, 64, 8), (0, 8, 1)])
    func `a relay has one for two CPUs, but no more than peers`(peers: Int, cpus: Int, workers: Int) throws {
        let plan = try plan(relayWithPeers: peers, allowed: 0..<cpus)
        #expect(plan.cpus == (workers == 1 ? [nil] : (0..<workers).map { $0 }))
    }

    @Test func `several workers share the CPUs that there are`() throws {
        #expect(try plan("workers = 3", allowed: 4..<6).cpus == [4, 5, 4])
        #expect(try plan("workers = 1", allowed: 4..<6).cpus == [nil])
    }

    @Test func `CPUs that are named are taken, and say how many workers`() throws {
        #expect(try plan("cpus = [3, 1]").cpus == [3, 1])
        #expect(try plan("cpus = [3]\nworkers = 1").cpus == [3])
        let error = #expect(throws: TunnelError.self) { try plan("cpus = [9]") }
        #expect(error?.description.contains("cpus names 9, which this process may not use") == true)
    }

    @Test(arguments: [(1, 1, 1), (16, 1, 1), (17, 1, 2), (4096, 1, 2), (4097, 1, 3), (1, 16, 1), (17, 16, 2), (16, 2, 1), (17, 2, 2)])
    func `session ids are as long as the peers of one worker need`(peers: Int, workers: Int, bytes: Int) {
        #expect(NodeSettings.sessionIDBytes(peers: peers, workers: workers) == bytes)
    }
}
