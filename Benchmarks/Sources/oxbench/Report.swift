import ArgumentParser
import CLabBase

/// What every command prints.
struct Report {
    /// A value of a flat result. Its unit is in its key.
    enum Value: Equatable {
        case integer(UInt64)
        case number(Double)
        case text(String)
        case flag(Bool)
        /// Could not be known in this run.
        case unknown
    }

    /// Keys in the order in which they are to be read.
    struct Result: ExpressibleByDictionaryLiteral, Sequence {
        private(set) var fields: [(key: String, value: Value)]

        init(_ fields: [(key: String, value: Value)]) { self.fields = fields }
        init(dictionaryLiteral elements: (String, Value)...) { fields = elements.map { (key: $0.0, value: $0.1) } }

        func makeIterator() -> IndexingIterator<[(key: String, value: Value)]> { fields.makeIterator() }
    }

    let command: String
    let commit: String
    let machine: String
    let results: [Result]

    /// A report of this machine and of the commit that this program was built from.
    init(command: String, results: [Result]) {
        self.command = command
        self.commit = unsafe String(cString: lab_commit())
        self.machine = unsafe String(cString: lab_machine())
        self.results = results
    }

    /// More results than this are printed one a line.
    private static let columnsMost = 6

    func write(json: Bool) {
        print(json ? self.json : results.count > Self.columnsMost ? rows : table)
    }
}

/// The option that every command has.
struct ReportOptions: ParsableArguments {
    @Flag(help: "Print one JSON object instead of a table.")
    var json = false
}

// MARK: - JSON

extension Report {
    var json: String {
        let rows = results.map { result in
            "    {" + result.map { "\(Self.quote($0.key)): \($0.value.json)" }.joined(separator: ", ") + "}"
        }
        return """
            {
              "command": \(Self.quote(command)),
              "commit": \(Self.quote(commit)),
              "machine": \(Self.quote(machine)),
              "results": [
            \(rows.joined(separator: ",\n"))
              ]
            }
            """
    }

    fileprivate static func quote(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}

extension Report.Value {
    fileprivate var json: String {
        switch self {
        case .text(let text): Report.quote(text)
        case .number(let number) where !number.isFinite: "null"
        case .unknown: "null"
        default: plain
        }
    }

    var plain: String {
        switch self {
        case .integer(let integer): "\(integer)"
        // Three places are a nanosecond in a microsecond; more would be noise.
        case .number(let number): number.isFinite ? "\((number * 1000).rounded() / 1000)" : "-"
        case .text(let text): text
        case .flag(let flag): "\(flag)"
        case .unknown: "-"
        }
    }
}

// MARK: - Table

extension Report {
    /// One line a key, one column a result: results have many keys and are few.
    var table: String {
        var lines = ["\(command)   \(machine)   commit \(commit)"]
        guard let first = results.first else { return lines[0] }
        let keys = first.map(\.key)
        let columns = results.map { result in
            keys.map { key in result.first { $0.key == key }?.value.plain ?? "-" }
        }
        let keyWidth = keys.map(\.count).max() ?? 0
        let widths = columns.map { column in column.map(\.count).max() ?? 0 }
        for (row, key) in keys.enumerated() {
            var line = key + String(repeating: " ", count: keyWidth - key.count)
            for (column, width) in zip(columns, widths) {
                line += "   " + String(repeating: " ", count: width - column[row].count) + column[row]
            }
            lines.append(line)
        }
        return lines.joined(separator: "\n")
    }
}
