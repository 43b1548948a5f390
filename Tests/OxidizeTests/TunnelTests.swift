import OxConfiguration
import OxCore
import Testing

@testable import Oxidize

@Suite struct TunnelTests {
    @Test func `a start that failed can be repeated, with the same keys and the same reason`() throws {
        let directory = ScratchDirectory()
        let journal = NetworkJournal.path("ox0", directory.path)
        // It fails here, before anything in the system is touched.
        #expect(try Subprocess.run("tee", [journal], input: "nonsense").exitCode == 0)
        let client = try Client(
            configuration(peers: ["endpoint = \"192.0.2.1:7\"\nallowed-ips = [\"10.0.0.0/8\"]"]),
            stateDirectory: directory.path)
        for _ in 0..<2 {
            let error = #expect(throws: TunnelError.self) { try client.start() }
            #expect(error?.description.contains(journal) == true, "\(error?.description ?? "")")
        }
    }
}
