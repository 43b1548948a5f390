import OxModel

/// Takes typed values out of a document and notes everything that is wrong on the way.
struct DocumentReader {
    let document: Document
    /// As errors name it.
    let file: String
    /// Those that this process may use; nil when that is not to be checked.
    let allowedCPUs: [Int]?
    private(set) var errors: [ConfigurationError] = []
    /// Where the first key stands that is written into the file itself.
    private(set) var firstInlineSecret: [String] = []
    var hasInlineSecret: Bool { !firstInlineSecret.isEmpty }

    init(document: Document, file: String, allowedCPUs: [Int]? = nil) {
        self.document = document
        self.file = file
        self.allowedCPUs = allowedCPUs
    }

    /// A table of the file. Its keys are those of `ConfigurationKey`.
    struct Table {
        let kind: ConfigurationKey.Table
        let nodes: [String: Document.Node]
        let path: [String]

        func has(_ name: String) -> Bool { nodes[name] != nil }

        func take(_ name: String) -> Document.Node? {
            assert(ConfigurationKey.all.contains { $0.table == kind && $0.name == name })
            return nodes[name]
        }
    }

    enum NumberOrWord: Equatable {
        case number(Int)
        case word(String)
    }

    mutating func report(_ path: [String], _ message: String, _ remedy: String, isPermission: Bool = false) {
        errors.append(
            ConfigurationError(
                file: file, line: document.line(of: path), message: message, remedy: remedy, isPermission: isPermission))
    }

    // MARK: Tables and unknown keys

    mutating func checkTables() {
        let headers = ConfigurationKey.Table.allCases.map(\.header).joined(separator: ", ")
        for name in document.root.keys.sorted() where ConfigurationKey.Table(rawValue: name) == nil {
            if document.root[name]!.holdsTables {
                let table = nearest(to: name, among: ConfigurationKey.Table.allCases.map(\.rawValue))
                    .flatMap(ConfigurationKey.Table.init(rawValue:))
                report(
                    [name], "unknown table \(quoted(name))",
                    table.map { "did you mean \($0.header)?" } ?? "the tables are \(headers)")
            } else if let key = ConfigurationKey.all.first(where: { $0.name == name }) {
                report([name], "\(quoted(name)) stands outside of any table", "move it below \(key.table.header)")
            } else {
                report(
                    [name], "unknown key \(quoted(name)) outside of any table",
                    "remove it, or move it below one of \(headers)")
            }
        }
    }

    /// Nil when the file does not have it, or has something else under its name.
    mutating func table(_ kind: ConfigurationKey.Table) -> Table? {
        switch document.root[kind.rawValue] {
        case nil: return nil
        case .table(let nodes): return Table(kind: kind, nodes: nodes, path: [kind.rawValue])
        case .some(let node):
            report([kind.rawValue], "\(kind.rawValue) is \(node.typeName)", "write \(kind.header) once, and its keys below")
            return nil
        }
    }

    mutating func checkKeys(_ table: Table) {
        let own = ConfigurationKey.keys(of: table.kind).map(\.name)
        for name in table.nodes.keys.sorted() where !own.contains(name) {
            let message = "unknown key \(quoted(name)) in \(table.kind.header)"
            let remedy: String
            if let other = ConfigurationKey.all.first(where: { $0.name == name }) {
                remedy = "it belongs in \(other.table.header)"
            } else if let suggestion = nearest(to: name, among: own) {
                remedy = "did you mean '\(suggestion)'?"
            } else {
                remedy = "the keys of \(table.kind.header) are \(own.joined(separator: ", "))"
            }
            report(table.path + [name], message, remedy)
        }
    }

    // MARK: Values

    mutating func string(_ table: Table, _ name: String) -> String? {
        switch table.take(name) {
        case nil: return nil
        case .string(let text): return text
        case .some(let node):
            report(table.path + [name], "\(name) is \(node.typeName)", "write a string, in quotes")
            return nil
        }
    }

    mutating func boolean(_ table: Table, _ name: String) -> Bool? {
        switch table.take(name) {
        case nil: return nil
        case .boolean(let value): return value
        case .some(let node):
            report(table.path + [name], "\(name) is \(node.typeName)", "write true or false, without quotes")
            return nil
        }
    }

    func isInteger(_ table: Table, _ name: String) -> Bool {
        if case .integer? = table.nodes[name] { true } else { false }
    }

    mutating func integer(
        _ table: Table, _ name: String, _ range: ClosedRange<Int>, unit: String? = nil
    ) -> Int? {
        let amount = unit.map { " of \($0)" } ?? ""
        let remedy = "write a number\(amount) from \(range.lowerBound) to \(range.upperBound), without quotes or unit"
        switch table.take(name) {
        case nil: return nil
        case .integer(let value) where range.contains(value): return value
        case .integer(let value): report(table.path + [name], "\(name) is \(value)", remedy)
        case .string(let text): report(table.path + [name], "\(name) is the string \(quoted(text))", remedy)
        case .some(let node): report(table.path + [name], "\(name) is \(node.typeName)", remedy)
        }
        return nil
    }

    mutating func integerOrWord(
        _ table: Table, _ name: String, _ range: ClosedRange<Int>, words: [String]
    ) -> NumberOrWord? {
        let choices = words.map { "\"\($0)\"" }.joined(separator: ", ")
        let remedy = "write \(choices), or a number from \(range.lowerBound) to \(range.upperBound) without quotes"
        switch table.take(name) {
        case nil: break
        case .integer(let value) where range.contains(value): return .number(value)
        case .integer(let value): report(table.path + [name], "\(name) is \(value)", remedy)
        case .string(let text) where words.contains(text): return .word(text)
        case .string(let text): report(table.path + [name], "\(name) is \(quoted(text))", remedy)
        case .some(let node): report(table.path + [name], "\(name) is \(node.typeName)", remedy)
        }
        return nil
    }

    mutating func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ table: Table, _ name: String
    ) -> Choice? {
        let choices = Choice.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", ")
        switch table.take(name) {
        case nil: return nil
        case .string(let text):
            if let choice = Choice(rawValue: text) { return choice }
            report(table.path + [name], "\(name) is \(quoted(text))", "write one of \(choices)")
        case .some(let node): report(table.path + [name], "\(name) is \(node.typeName)", "write one of \(choices)")
        }
        return nil
    }

    /// One string or an array of them, each an address with a prefix length. As networks, their host bits become zero.
    mutating func prefixes(
        _ table: Table, _ name: String, asNetworks: Bool
    ) -> [(prefix: IPPrefix, path: [String])] {
        let path = table.path + [name]
        var nodes: [(Document.Node, [String])] = []
        switch table.take(name) {
        case nil: break
        case .array(let elements): nodes = elements.enumerated().map { ($1, path + ["#\($0)"]) }
        case .some(let node): nodes = [(node, path)]
        }
        var result: [(prefix: IPPrefix, path: [String])] = []
        var seen: Set<IPPrefix> = []
        for (node, path) in nodes {
            guard case .string(let text) = node else {
                report(path, "\(name) has \(node.typeName) in it", "write strings such as \"10.9.0.0/24\"")
                continue
            }
            guard let parsed = IPPrefix(text) else {
                report(
                    path, "\(quoted(text)) in \(name) is no address with a prefix length",
                    DocumentReader.prefixRemedy(text))
                continue
            }
            let prefix = asNetworks ? parsed.network : parsed
            if seen.insert(prefix).inserted {
                result.append((prefix, path))
            } else {
                report(path, "\(quoted(prefix.description)) is in \(name) twice", "remove one of the two")
            }
        }
        return result
    }

    private static func prefixRemedy(_ text: String) -> String {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        if text.contains(",") { return "write an array with each address in its own quotes" }
        guard parts.count == 2, let address = IPAddress(String(parts[0])) else {
            return "write it as in \"10.9.0.0/24\" or \"fd09::/64\""
        }
        return "the prefix length goes from 0 to \(address.bitCount)"
    }

    // MARK: Secrets

    /// The key under `name`, or in the file that `name`-file names. What is wrong is said without showing any of it.
    mutating func secret(
        _ table: Table, _ name: String, _ readFile: Configuration.FileReader
    ) -> SecretKey? {
        let make = name == "private-key" ? "oxidize genkey" : "oxidize genpsk"
        let path = table.path + [name]
        let filePath = table.path + ["\(name)-file"]
        if table.has(name), table.has("\(name)-file") {
            report(filePath, "\(name) and \(name)-file are both given", "keep one of the two")
        }
        if let keyFile = string(table, "\(name)-file") {
            guard let text = keyFileText(keyFile, at: filePath, readFile) else { return nil }
            return secretKey(text, what: "the content of \(quoted(keyFile))", at: filePath, make)
        }
        switch table.take(name) {
        case nil: return nil
        case .secret(let text):
            if !hasInlineSecret { firstInlineSecret = path }
            return secretKey(text, what: "the value of \(name)", at: path, make)
        case .string: report(path, "\(name) is spread or escaped", "write the 44 characters in quotes on one line")
        case .some(let node):
            report(path, "\(name) is \(node.typeName)", "write the 44 characters that '\(make)' prints, in quotes")
        }
        return nil
    }

    private mutating func secretKey(_ text: String, what: String, at path: [String], _ make: String) -> SecretKey? {
        guard let bytes = Base64.decodeKey(text), let key = SecretKey(bytes: bytes) else {
            report(path, "\(what) is no key", "write the 44 characters that '\(make)' prints")
            return nil
        }
        guard !key.isZero else {
            report(path, "\(what) is a key of zeros", "make a key with '\(make)'")
            return nil
        }
        return key
    }

    private mutating func keyFileText(
        _ name: String, at path: [String], _ readFile: Configuration.FileReader
    ) -> String? {
        guard !name.isEmpty else {
            report(path, "the name of the key file is empty", "write a path, from this file's directory or absolute")
            return nil
        }
        let directory = file.lastIndex(of: "/").map { String(file[...$0]) } ?? ""
        let location = name.hasPrefix("/") ? name : directory + name
        let keyFile: ConfigurationFile
        do {
            keyFile = try readFile(location)
        } catch {
            report(
                path, "the key file cannot be used: \(error.reason)", error.remedy, isPermission: error.isPermission)
            return nil
        }
        if let permissions = keyFile.permissions, permissions & 0o077 != 0 {
            report(
                path, "other users of this machine have access to the key file \(quoted(location))",
                "run: chmod 600 \(location)")
            return nil
        }
        guard keyFile.isOwnerTrusted else {
            report(
                path, "the key file \(quoted(location)) belongs to another user",
                "make it yours or root's: chown root \(location)")
            return nil
        }
        guard keyFile.text.utf8.count <= Limits.keyFileBytes else {
            report(
                path, "the key file \(quoted(location)) is too large for one key",
                "keep nothing in it but the 44 characters of the key")
            return nil
        }
        let key = keyFile.text.drop(while: \.isWhitespace)
        return key.lastIndex { !$0.isWhitespace }.map { String(key[...$0]) } ?? ""
    }
}
