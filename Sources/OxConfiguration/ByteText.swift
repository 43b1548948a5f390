/// Amounts of memory as the file writes them: a whole number and its unit, "512KB", "64MB", "1GB"; a bare number is bytes.
/// A KB is 1,024 bytes.
enum ByteText {
    private static let units: [(name: String, bytes: Int)] = [("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10)]

    /// Nil for anything else, and for what no number can hold.
    static func parse(_ text: String) -> Int? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let unit = text.dropFirst(digits.count).drop { $0 == " " }
        guard let number = Int(digits), let bytes = unit.isEmpty ? 1 : units.first(where: { $0.name == unit })?.bytes
        else { return nil }
        let (product, overflow) = number.multipliedReportingOverflow(by: bytes)
        return overflow ? nil : product
    }

    static func render(_ bytes: Int) -> String {
        guard bytes != 0, let unit = units.first(where: { bytes.isMultiple(of: $0.bytes) }) else { return "\(bytes)" }
        return "\(bytes / unit.bytes)\(unit.name)"
    }
}

extension DocumentReader {
    mutating func byteCount(_ table: Table, _ name: String, _ range: ClosedRange<Int>) -> Int? {
        // A number without a unit is bytes: what is too little to be of use is taken for a unit forgotten.
        let bounds = "\(ByteText.render(range.lowerBound)) to \(ByteText.render(range.upperBound))"
        let remedy = "write a whole number and its unit, KB, MB or GB, 0 or from \(bounds)"
        switch table.take(name) {
        case nil: return nil
        case .integer(let bytes) where bytes == 0 || range.contains(bytes): return bytes
        case .integer(let bytes): report(table.path + [name], "\(name) is \(bytes)", remedy)
        case .string(let text):
            if let bytes = ByteText.parse(text), bytes == 0 || range.contains(bytes) { return bytes }
            report(table.path + [name], "\(name) is \(quoted(text))", remedy)
        case .some(let node): report(table.path + [name], "\(name) is \(node.typeName)", remedy)
        }
        return nil
    }
}
