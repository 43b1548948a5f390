/// Finds what TOMLKit does not tell: on which line each key stands, and where the secrets are. Where a file is not TOML it may
/// stop early, as TOMLKit then reports the place itself. It refuses only what TOMLKit 0.6.0 must not see, for TOMLKit takes its
/// assertions to hold there: they end the program, or are assumed when they are compiled out.
///
/// A path names tables and keys from the outside in, with "#0", "#1", ... for the elements of arrays:
/// `["peer", "#1", "allowed-ips", "#0"]`.
struct TOMLScanner {
    private(set) var lines: [[String]: Int] = [:]
    /// Where the characters of secret values are, without their quotes. Only plain strings on one line are found.
    private(set) var secrets: [[String]: Range<Int>] = [:]
    /// What TOMLKit must not see. Scanning stopped there.
    private(set) var refusal: Document.SyntaxError?

    private let bytes: [UInt8]
    private var position = 0
    private var line = 1
    private var table: [String] = []
    private var elementCounts: [[String]: Int] = [:]

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        let byteOrderMark: [UInt8] = [0xef, 0xbb, 0xbf]
        if bytes.starts(with: byteOrderMark) { position = byteOrderMark.count }
        while skipBlank(newlines: true) {
            if next == UInt8(ascii: "[") { header() } else { keyAndValue(in: table) }
            skipLine()
        }
    }

    private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func advance(_ count: Int = 1) {
        for _ in 0..<count where position < bytes.count {
            if bytes[position] == UInt8(ascii: "\n") { line += 1 }
            position += 1
        }
    }

    private mutating func stop() { position = bytes.count }

    private mutating func refuse(_ line: Int, _ message: String, _ remedy: String) {
        if refusal == nil { refusal = Document.SyntaxError(line: line, message: message, remedy: remedy) }
        stop()
    }

    /// False at the end of the text.
    private mutating func skipBlank(newlines: Bool) -> Bool {
        while let byte = next {
            switch byte {
            case UInt8(ascii: " "), UInt8(ascii: "\t"): advance()
            case UInt8(ascii: "\n") where newlines, UInt8(ascii: "\r") where newlines: advance()
            case UInt8(ascii: "#"): skipLine()
            default: return true
            }
        }
        return false
    }

    private mutating func skipLine() {
        while let byte = next, byte != UInt8(ascii: "\n") { advance() }
    }

    /// `[table]` or `[[array of tables]]`
    private mutating func header() {
        let start = line
        advance()
        let isElement = next == UInt8(ascii: "[")
        if isElement { advance() }
        _ = skipBlank(newlines: false)
        guard let first = next, isBareKey(first) || isQuote(first) || first == UInt8(ascii: "]") else {
            return refuse(
                start, "this is not TOML: a table's name is missing or begins with a wrong character",
                "write [name], or [[name]] where there can be many")
        }
        let keys = dottedKey()
        guard !keys.isEmpty, isShallow(keys.count, at: start) else { return }
        var path = resolve(keys.dropLast())
        path.append(keys[keys.count - 1])
        note(path, start)
        if isElement {
            let index = elementCounts[path, default: 0]
            elementCounts[path] = index + 1
            path.append("#\(index)")
            note(path, start)
        } else if let count = elementCounts[path] {
            path.append("#\(count - 1)")
        }
        table = path
    }

    /// A header's keys mean the last element of an array of tables.
    private func resolve(_ keys: ArraySlice<String>) -> [String] {
        var path: [String] = []
        for key in keys {
            path.append(key)
            if let count = elementCounts[path] { path.append("#\(count - 1)") }
        }
        return path
    }

    private mutating func keyAndValue(in table: [String]) {
        let start = line
        let keys = dottedKey()
        guard !keys.isEmpty, isShallow(table.count + keys.count, at: start) else { return }
        for count in 1...keys.count { note(table + keys.prefix(count), start) }
        guard next == UInt8(ascii: "=") else { return }
        advance()
        _ = skipBlank(newlines: false)
        value(table + keys)
    }

    private mutating func isShallow(_ depth: Int, at start: Int) -> Bool {
        if depth <= Limits.depth { return true }
        refuse(
            start, "tables and arrays are nested more than \(Limits.depth) deep",
            "no key of this file needs more than three levels")
        return false
    }

    private mutating func note(_ path: [String], _ line: Int) {
        if lines[path] == nil { lines[path] = line }
    }

    private mutating func dottedKey() -> [String] {
        var keys: [String] = []
        repeat {
            if !keys.isEmpty { advance() }
            _ = skipBlank(newlines: false)
            let start = position
            if let byte = next, isQuote(byte) {
                let content = string()
                keys.append(String(decoding: bytes[content], as: UTF8.self))
            } else {
                while let byte = next, isBareKey(byte) { advance() }
                guard position > start else { return keys }
                keys.append(String(decoding: bytes[start..<position], as: UTF8.self))
            }
            _ = skipBlank(newlines: false)
        } while next == UInt8(ascii: ".")
        return keys
    }

    private func isBareKey(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }

    private func isQuote(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") }

    private mutating func value(_ path: [String]) {
        note(path, line)
        guard isShallow(path.count, at: line) else { return }
        switch next {
        case UInt8(ascii: "\""), UInt8(ascii: "'"):
            let start = line
            let content = string()
            let isPlain = start == line && !bytes[content].contains(UInt8(ascii: "\\"))
            if let name = path.last, ConfigurationKey.secretNames.contains(name), isPlain { secrets[path] = content }
        case UInt8(ascii: "["): array(path)
        case UInt8(ascii: "{"): inlineTable(path)
        default: scalar()
        }
    }

    /// A number or a boolean. No key has a date or a time, on which TOMLKit's assertions are the least sound.
    private mutating func scalar() {
        let start = position
        while let byte = next, isBareKey(byte) || "+.:".utf8.contains(byte) { advance() }
        let text = bytes[start..<position]
        while next == UInt8(ascii: " ") { advance() }
        if text.isEmpty {
            refuse(line, "this is not TOML: a value is missing or begins with a wrong character", "write key = value")
        } else if !isNumberOrBoolean(text) || next.map({ !endsScalar($0) }) ?? false {
            refuse(line, "a value without quotes is neither a number nor true or false", "put text in quotes")
        }
    }

    /// By its characters: TOMLKit judges their order.
    private func isNumberOrBoolean(_ text: ArraySlice<UInt8>) -> Bool {
        if text.elementsEqual("true".utf8) || text.elementsEqual("false".utf8) { return true }
        guard text.count <= 64 else { return false }
        let number = text.first == UInt8(ascii: "+") || text.first == UInt8(ascii: "-") ? text.dropFirst() : text
        let prefix = number.prefix(2)
        if ["0x", "0o", "0b"].contains(where: { prefix.elementsEqual($0.utf8) }) {
            return number.count > 2 && number.dropFirst(2).allSatisfy { "0123456789abcdefABCDEF_".utf8.contains($0) }
        }
        var previous: UInt8?
        for byte in number {
            let isSign = byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-")
            let isAfterExponent = previous == UInt8(ascii: "e") || previous == UInt8(ascii: "E")
            guard isSign ? isAfterExponent : "0123456789_.eE".utf8.contains(byte) else { return false }
            previous = byte
        }
        return number.first.map { "0123456789".utf8.contains($0) } ?? false
    }

    private func endsScalar(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: ","), UInt8(ascii: "]"), UInt8(ascii: "}"), UInt8(ascii: "#"), UInt8(ascii: "\n"),
            UInt8(ascii: "\r"), UInt8(ascii: "\t"):
            true
        default: false
        }
    }

    private mutating func array(_ path: [String]) {
        advance()
        var index = 0
        while skipBlank(newlines: true) {
            if next == UInt8(ascii: "]") { return advance() }
            let before = position
            value(path + ["#\(index)"])
            index += 1
            _ = skipBlank(newlines: true)
            if next == UInt8(ascii: ",") { advance() }
            if position == before { return stop() }
        }
    }

    private mutating func inlineTable(_ path: [String]) {
        advance()
        while skipBlank(newlines: true) {
            if next == UInt8(ascii: "}") { return advance() }
            let before = position
            keyAndValue(in: path)
            _ = skipBlank(newlines: true)
            if next == UInt8(ascii: ",") { advance() }
            if position == before { return stop() }
        }
    }

    /// The range of the content. Ends behind the closing quotes, or where the text or the line ends without them.
    private mutating func string() -> Range<Int> {
        let quote = bytes[position]
        let isLong = bytes[position...].prefix(3).elementsEqual([quote, quote, quote])
        advance(isLong ? 3 : 1)
        let start = position
        while let byte = next {
            if byte == UInt8(ascii: "\\"), quote == UInt8(ascii: "\"") {
                advance(2)
            } else if byte == quote, !isLong {
                advance()
                return start..<(position - 1)
            } else if byte == quote, bytes[position...].prefix(3).elementsEqual([quote, quote, quote]) {
                // A long string may end with one or two quotes of its own before the closing three.
                while position + 3 < bytes.count, bytes[position + 3] == quote { advance() }
                advance(3)
                return start..<(position - 3)
            } else if byte == UInt8(ascii: "\n"), !isLong {
                return start..<position
            } else {
                advance()
            }
        }
        return start..<position
    }
}
