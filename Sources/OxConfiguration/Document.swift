import TOMLKit

/// A TOML text as plain values, with the line of each. The only place that knows TOMLKit.
///
/// TOMLKit never gives back the strings that it hands out. So that no key stays in memory for as long as the program runs,
/// secrets are cut out of the text before TOMLKit sees it and put back afterwards.
struct Document {
    indirect enum Node {
        case table([String: Node])
        case array([Node])
        case string(String)
        /// A string that was cut out: it stood, plainly written, under the name of a secret key.
        case secret(String)
        case integer(Int)
        case boolean(Bool)
        /// A type that no key has: a float, a date or a time.
        case other(String)

        /// With its article, for messages.
        var typeName: String {
            switch self {
            case .table: "a table"
            case .array: "an array"
            case .string, .secret: "a string"
            case .integer: "an integer"
            case .boolean: "a boolean"
            case .other(let name): "a \(name)"
            }
        }

        var holdsTables: Bool {
            switch self {
            case .table: true
            case .array(let elements): if case .table? = elements.first { true } else { false }
            default: false
            }
        }
    }

    private(set) var root: [String: Node] = [:]
    let lineCount: Int
    private let lines: [[String]: Int]

    struct SyntaxError: Error {
        let line: Int
        let message: String
        let remedy: String
    }

    init(_ text: String) throws(SyntaxError) {
        var bytes = Array(text.utf8)
        defer { for index in bytes.indices { bytes[index] = 0 } }
        lineCount = bytes.reduce(1) { $0 + ($1 == UInt8(ascii: "\n") ? 1 : 0) }
        try Document.refuseZeroCharacters(bytes)
        let scan = TOMLScanner(bytes)
        lines = scan.lines
        if let refusal = scan.refusal { throw refusal }
        let secrets = scan.secrets.mapValues { String(decoding: bytes[$0], as: UTF8.self) }
        for range in scan.secrets.values {
            for index in range { bytes[index] = UInt8(ascii: "x") }
        }
        do {
            let table = try TOMLTable(string: String(decoding: bytes, as: UTF8.self))
            defer { table.clear() }
            root = Document.convert(table, at: [], secrets)
        } catch let error as TOMLParseError {
            throw SyntaxError(
                line: min(max(error.source.begin.line, 1), lineCount),
                message: "this is not TOML: \(Document.sentence(error.description))",
                remedy: "correct the line, or look at oxidize.toml(5) for an example")
        } catch {
            throw SyntaxError(line: 1, message: "this is not TOML", remedy: "look at oxidize.toml(5) for an example")
        }
    }

    /// The line of a path or, when it is not known, of the nearest table or array around it.
    func line(of path: [String]) -> Int {
        var known = path
        while !known.isEmpty {
            if let line = lines[known] { return min(line, lineCount) }
            known.removeLast()
        }
        return 1
    }

    /// TOMLKit ends texts and strings at a zero character, and would silently ignore the rest.
    private static func refuseZeroCharacters(_ bytes: [UInt8]) throws(SyntaxError) {
        var line = 1
        for index in bytes.indices {
            switch bytes[index] {
            case UInt8(ascii: "\n"): line += 1
            case 0: break
            case UInt8(ascii: "\\"):
                let escape = String(decoding: bytes[index...].prefix(10), as: UTF8.self)
                guard escape.hasPrefix("\\u0000") || escape.hasPrefix("\\U00000000") else { continue }
            default: continue
            }
            if bytes[index] == UInt8(ascii: "\n") { continue }
            throw SyntaxError(
                line: line, message: "the text has a zero character", remedy: "remove it; no value needs one")
        }
    }

    /// On one line and without a full stop, to be part of a sentence.
    private static func sentence(_ text: String) -> String {
        var shown = ""
        for scalar in text.unicodeScalars.prefix(200) {
            shown += isPrintable(scalar) ? String(scalar) : scalar.escaped(asASCII: true)
        }
        while let last = shown.last, last == "." || last == " " { shown.removeLast() }
        return shown.isEmpty ? "it cannot be read" : shown
    }

    private static func convert(
        _ table: TOMLTable, at path: [String], _ secrets: [[String]: String]
    ) -> [String: Node] {
        var nodes: [String: Node] = [:]
        for key in table.keys {
            if let value = table[key] { nodes[key] = convert(value, at: path + [key], secrets) }
        }
        return nodes
    }

    private static func convert(
        _ value: any TOMLValueConvertible, at path: [String], _ secrets: [[String]: String]
    ) -> Node {
        switch value.type {
        case .table: .table(value.table.map { convert($0, at: path, secrets) } ?? [:])
        case .array:
            .array((value.array.map { Array($0) } ?? []).enumerated().map { index, element in
                convert(element, at: path + ["#\(index)"], secrets)
            })
        case .string: secrets[path].map { .secret($0) } ?? .string(value.string ?? "")
        case .int: .integer(value.int ?? 0)
        case .bool: .boolean(value.bool ?? false)
        case .double, .date, .time, .dateTime: .other(value.type.description)
        }
    }
}
