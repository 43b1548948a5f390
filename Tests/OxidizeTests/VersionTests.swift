import FoundationEssentials
import Testing

@testable import Oxidize

struct VersionTests {
    @Test func `the program and the Makefile have the same version`() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let makefile = try String(contentsOf: root.appending(path: "Makefile"), encoding: .utf8)
        let line = makefile.split(separator: "\n").first { $0.hasPrefix("VERSION :=") }
        #expect(line?.split(separator: " ").last.map(String.init) == OxidizeVersion.current)
    }
}
