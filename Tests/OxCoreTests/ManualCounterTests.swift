import FoundationEssentials
import OxCore
import Testing

@Suite struct ManualCounterTests {
    @Test(arguments: ["share/man/oxidize.1", "Sources/Oxidize/Oxidize.docc/Wire.md"])
    func `the manual and the specification name every way in which a packet can end`(page: String) throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let text = try String(contentsOf: root.appending(path: page), encoding: .utf8)
        for name in WorkerStatus.dropNames {
            #expect(text.contains("\n.It Ic \(name)\n") || text.contains("\n| `\(name)` |"), "\(name)")
        }
    }
}
