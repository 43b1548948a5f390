/// Durations as the file writes them: a whole number and its unit, "25ms", "25s", "2m", "1h"; a bare number is seconds.
enum DurationText {
    static let units = "ms, s, m or h"

    enum Problem: Error, Equatable {
        case notANumber
        case wrongUnit(String)
        case tooLarge
    }

    static func parse(_ text: String) -> Result<Duration, Problem> {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard !digits.isEmpty else { return .failure(.notANumber) }
        let unit = text.dropFirst(digits.count).drop { $0 == " " }
        let milliseconds: Int64
        switch unit {
        case "ms": milliseconds = 1
        case "s", "": milliseconds = 1_000
        case "m": milliseconds = 60_000
        case "h": milliseconds = 3_600_000
        default: return .failure(.wrongUnit(String(unit)))
        }
        guard let number = Int64(digits) else { return .failure(.tooLarge) }
        let (product, overflow) = number.multipliedReportingOverflow(by: milliseconds)
        return overflow ? .failure(.tooLarge) : .success(.milliseconds(product))
    }
}
