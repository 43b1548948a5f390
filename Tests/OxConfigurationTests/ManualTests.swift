import FoundationEssentials
import Testing

@testable import OxConfiguration

struct ManualTests {
    static let page = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "share/man/oxidize.toml.5")

    /// The manual's text of each table, from its heading to the next.
    static func sections() throws -> [String: String] {
        let text = try String(contentsOf: page, encoding: .utf8)
        var sections: [String: String] = [:]
        for part in text.split(separator: "\n.Ss ") {
            let heading = part.prefix { $0 != "\n" }
            for table in ConfigurationKey.Table.allCases where heading.contains(table.header) {
                sections[table.rawValue] = String(part)
            }
        }
        return sections
    }

    @Test func `the manual names every key with its default and whether a reload applies it`() throws {
        let sections = try Self.sections()
        for key in ConfigurationKey.all {
            let section = try #require(sections[key.table.rawValue], "no section for \(key.table.header)")
            let items = section.split(separator: "\n.It Ic ")
            let item = try #require(
                items.first { $0.prefix { $0 != " " && $0 != "\n" } == key.name }, "\(key.table.header) \(key.name)")
            let hasDefault = key.defaultValue == nil ? item.contains("equired") : item.contains("Default:")
            #expect(hasDefault, "\(key.table.header) \(key.name)")
            #expect(item.contains(key.reload == .live ? "Reload: applied" : "Reload: needs a restart"), "\(key.name)")
        }
    }

    @Test func `the manual names no key that does not exist`() throws {
        for (table, section) in try Self.sections() {
            let names = section.split(separator: "\n.It Ic ").dropFirst().map { String($0.prefix { $0 != " " && $0 != "\n" }) }
            let known = ConfigurationKey.all.filter { $0.table.rawValue == table }.map(\.name)
            #expect(names == known)
        }
    }

    @Test func `the manual's examples are valid`() throws {
        let text = try String(contentsOf: Self.page, encoding: .utf8)
        let examples = text.split(separator: "\n.Bd -literal -offset indent\n").dropFirst()
            .map { String($0.prefix(upTo: $0.firstRange(of: "\n.Ed")?.lowerBound ?? $0.endIndex)) }
            .filter { $0.hasPrefix("[interface]") }
        #expect(examples.count == 2)
        for example in examples {
            _ = try Configuration.parse(text: example, file: "ox0.toml") { _ in
                ConfigurationFile(text: Sample.key(1), permissions: 0o600)
            }
        }
    }
}
