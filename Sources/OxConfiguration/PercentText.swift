/// Shares as the file writes them: percent with up to three decimals, "0.1%" or "150%".
enum PercentText {
    /// Of one percent.
    static let parts = 1000

    /// In thousandths of a percent. Nil for anything else, and for what no number can hold.
    static func parse(_ text: String) -> Int? {
        var rest = text[...]
        guard rest.last == "%" else { return nil }
        rest.removeLast()
        while rest.last == " " { rest.removeLast() }
        let halves = rest.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        let isNumber = { (digits: Substring) in !digits.isEmpty && digits.allSatisfy { $0.isASCII && $0.isNumber } }
        guard halves.allSatisfy(isNumber), let whole = Int(halves[0]) else { return nil }
        let (scaled, overflow) = whole.multipliedReportingOverflow(by: parts)
        guard !overflow else { return nil }
        guard halves.count == 2 else { return scaled }
        guard halves[1].count <= 3, let fraction = Int(halves[1] + String(repeating: "0", count: 3 - halves[1].count))
        else { return nil }
        let (sum, sumOverflow) = scaled.addingReportingOverflow(fraction)
        return sumOverflow ? nil : sum
    }

    static func render(_ thousandths: Int) -> String {
        let fraction = String(thousandths % parts + parts).dropFirst()
        let digits = fraction.prefix(3 - fraction.reversed().prefix { $0 == "0" }.count)
        return "\(thousandths / parts)\(digits.isEmpty ? "" : ".\(digits)")%"
    }
}
