import FoundationEssentials
package import Logging
package import OxConfiguration
import OxCore
package import OxModel
import Synchronization

/// Writes the log to standard error: for people a line with the time, for the journal one with its priority.
package struct StandardErrorLog: LogHandler {
    package enum Style: Sendable {
        /// "2026-01-02T03:04:05Z info message key=value"
        case plain
        case coloured
        /// "<6>message key=value" (sd-daemon(3)): the journal has its own clock.
        case journal

        /// What suits the standard error of this process.
        package static var current: Style {
            if let journal = CurrentProcess.environment("JOURNAL_STREAM"), journal == StandardStream.error.journalName {
                return .journal
            }
            let refused = CurrentProcess.environment("NO_COLOR").map { !$0.isEmpty } ?? false
            return StandardStream.error.isTerminal && !refused ? .coloured : .plain
        }
    }

    /// One level for all copies of a logger, so that a reload changes it everywhere.
    private final class Level: Sendable {
        let level: Mutex<Logger.Level>
        init(_ level: Logger.Level) { self.level = Mutex(level) }
    }

    package var metadata: Logger.Metadata = [:]
    private let shared: Level
    private let style: Style

    package init(_ level: Logger.Level, style: Style = .current) {
        shared = Level(level)
        self.style = style
    }

    package var logLevel: Logger.Level {
        get { shared.level.withLock { $0 } }
        nonmutating set { shared.level.withLock { $0 = newValue } }
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { _, new in new }
        StandardStream.error.write(
            StandardErrorLog.line(event.level, "\(event.message)", all, style, at: SystemClock.wall()))
    }

    package static func line(
        _ level: Logger.Level, _ message: String, _ metadata: Logger.Metadata, _ style: Style, at time: WallTime
    ) -> String {
        var text = oneLine(message)
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) { text += " \(key)=\(quotedIfNeeded("\(value)"))" }
        switch style {
        case .plain: return "\(timeStamp(time)) \(level) \(text)\n"
        case .coloured: return "\u{1b}[2m\(timeStamp(time))\u{1b}[0m \(colour(level))\(level)\u{1b}[0m \(text)\n"
        case .journal: return "<\(priority(level))>\(text)\n"
        }
    }

    private static func timeStamp(_ time: WallTime) -> String {
        Date(timeIntervalSince1970: Double(time.nanoseconds / 1_000_000_000)).formatted(.iso8601)
    }

    private static func quotedIfNeeded(_ value: String) -> String {
        let plain = !value.isEmpty && !value.contains { $0.isWhitespace || $0 == "\"" || $0 == "=" }
        return plain ? oneLine(value) : "\"" + oneLine(value).replacing("\"", with: "\\\"") + "\""
    }

    /// Nothing that was read from elsewhere forges a line or moves the cursor.
    private static func oneLine(_ text: String) -> String {
        var line = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n": line += "; "
            case _ where scalar.properties.generalCategory == .control: line += scalar.escaped(asASCII: true)
            default: line.unicodeScalars.append(scalar)
            }
        }
        return line
    }

    private static func colour(_ level: Logger.Level) -> String {
        switch level {
        case .trace, .debug: "\u{1b}[2m"
        case .info: "\u{1b}[32m"
        case .notice: "\u{1b}[36m"
        case .warning: "\u{1b}[33m"
        case .error, .critical: "\u{1b}[1;31m"
        }
    }

    /// Of syslog(3).
    private static func priority(_ level: Logger.Level) -> Int {
        switch level {
        case .trace, .debug: 7
        case .info: 6
        case .notice: 5
        case .warning: 4
        case .error: 3
        case .critical: 2
        }
    }
}

extension Configuration.LogLevel {
    package var loggerLevel: Logger.Level {
        switch self {
        case .trace: .trace
        case .debug: .debug
        case .info: .info
        case .notice: .notice
        case .warning: .warning
        case .error: .error
        case .critical: .critical
        }
    }
}
