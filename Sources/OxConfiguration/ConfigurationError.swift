/// One thing that is wrong in a configuration file, and what to do about it.
public struct ConfigurationError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The file as it was named.
    public let file: String
    /// Counted from 1. Always a line that the file has; nil when the file could not be read, and then the message names it.
    public let line: Int?
    public let message: String
    public let remedy: String
    /// This user may not read something.
    public let isPermission: Bool

    public init(file: String, line: Int?, message: String, remedy: String, isPermission: Bool = false) {
        self.file = file
        self.line = line
        self.message = message
        self.remedy = remedy
        self.isPermission = isPermission
    }

    /// As compilers print it: "relay.toml:12: unknown key 'alowed-ips' in [[peer]]; did you mean 'allowed-ips'?"
    public var description: String { (line.map { "\(file):\($0): " } ?? "") + "\(message); \(remedy)" }
}

/// Everything that is wrong in a configuration file, in the order of its lines: at least one error.
public struct ConfigurationErrors: Error, Equatable, Sendable, CustomStringConvertible {
    public let errors: [ConfigurationError]

    init(_ errors: [ConfigurationError]) {
        precondition(!errors.isEmpty)
        let inOrder = errors.enumerated().sorted {
            ($0.element.line ?? 0, $0.offset) < ($1.element.line ?? 0, $1.offset)
        }
        self.errors = inOrder.map(\.element)
    }

    /// Nothing is wrong but that this user may not read it.
    public var isPermission: Bool { errors.allSatisfy(\.isPermission) }

    /// A line for each.
    public var description: String { errors.map(\.description).joined(separator: "\n") }
}

/// A value from the file as an error message shows it: on one line, not endless.
func quoted(_ text: some StringProtocol, most: Int = 60) -> String {
    var shown = ""
    for scalar in text.unicodeScalars.prefix(most) {
        shown += isPrintable(scalar) ? String(scalar) : scalar.escaped(asASCII: true)
    }
    if text.unicodeScalars.count > most { shown += "…" }
    return "'\(shown)'"
}

/// Whether the character shows itself and leaves the line and its direction alone.
func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: false
    default: true
    }
}

/// The candidate that a mistyped word most likely meant: at most a third of it differs. WireGuard's spelling
/// (`AllowedIPs`) is no difference.
package func nearest(to word: String, among candidates: [String]) -> String? {
    let typed = plain(word)
    guard typed.count <= 64 else { return nil }
    let distances = candidates.map { (candidate: $0, distance: editDistance(typed, plain($0))) }
    guard let best = distances.min(by: { $0.distance < $1.distance }),
        best.distance <= max(1, plain(best.candidate).count / 3)
    else { return nil }
    return best.candidate
}

private func plain(_ word: String) -> [Character] {
    word.lowercased().filter { $0 != "-" && $0 != "_" && $0 != " " }.map { $0 }
}

/// Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment).
func editDistance(_ a: [Character], _ b: [Character]) -> Int {
    var beforeLast: [Int] = []
    var last = Array(0...b.count)
    for i in 0..<a.count {
        var row = [i + 1]
        for j in 0..<b.count {
            var cost = min(last[j] + (a[i] == b[j] ? 0 : 1), last[j + 1] + 1, row[j] + 1)
            if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { cost = min(cost, beforeLast[j - 1] + 1) }
            row.append(cost)
        }
        beforeLast = last
        last = row
    }
    return last[b.count]
}
