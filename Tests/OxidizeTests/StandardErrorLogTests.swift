import Logging
import OxModel
import Testing

@testable import Oxidize

struct StandardErrorLogTests {
    private let time = WallTime(nanoseconds: 1_767_323_045_999_999_999)

    private func line(
        _ message: String, _ metadata: Logger.Metadata = [:], _ style: StandardErrorLog.Style = .plain
    ) -> String { StandardErrorLog.line(.info, message, metadata, style, at: time) }

    @Test func `a line for people has the time`() {
        #expect(line("up", ["peer": "a", "mtu": "1452"]) == "2026-01-02T03:04:05Z info up mtu=1452 peer=a\n")
    }

    @Test func `a line for the journal has its priority and no time`() {
        #expect(line("up", ["peer": "a"], .journal) == "<6>up peer=a\n")
        #expect(StandardErrorLog.line(.critical, "x", [:], .journal, at: time) == "<2>x\n")
    }

    @Test func `nothing forges a line, a field or a colour`() {
        #expect(line("a\nb\u{1b}[2J").hasSuffix(" info a; b\\u{1B}[2J\n"))
        #expect(line("m", ["peer": "a b\" c=d\n"]).hasSuffix(" m peer=\"a b\\\" c=d; \"\n"))
        #expect(line("m", ["peer": ""]).hasSuffix(" peer=\"\"\n"))
    }

    @Test func `all copies of a logger follow one level`() {
        let log = StandardErrorLog(.info, style: .plain)
        let logger = Logger(label: "test", factory: { _ in log })
        #expect(logger.logLevel == .info)
        log.logLevel = .debug
        #expect(logger.logLevel == .debug)
    }
}
