import OxModel

/// How the file writes what a rule of `[[class]]` matches.
enum ClassRuleText {
    static let tcp: UInt8 = 6
    static let udp: UInt8 = 17

    /// RFC 8622 (LE), RFC 5865 (VA), RFC 3246 (EF), RFC 2597 (AF), RFC 2474 (CS; DF is CS0).
    private static let codepoints: [(name: String, value: UInt8)] =
        [("DF", 0), ("LE", 1), ("VA", 44), ("EF", 46)]
        + (0...7).map { ("CS\($0)", UInt8(8 * $0)) }
        + (1...4).flatMap { row in (1...3).map { ("AF\(row)\($0)", UInt8(8 * row + 2 * $0)) } }

    static func dscp(_ name: String) -> UInt8? {
        codepoints.first { $0.name == name.uppercased() }?.value
    }

    static func name(ofDSCP value: UInt8) -> String? { codepoints.first { $0.value == value }?.name }

    /// "27015-27030" or "5060".
    static func ports(_ text: String) -> ClosedRange<UInt16>? {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        let numbers = parts.compactMap { part -> UInt16? in
            guard (1...5).contains(part.utf8.count), part.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
            return UInt16(part)
        }
        guard numbers.count == parts.count, (1...2).contains(parts.count), let first = numbers.first,
            let last = numbers.last, first > 0, first <= last
        else { return nil }
        return first...last
    }
}

extension ClassRule {
    var entries: Configuration.Entries {
        var entries: Configuration.Entries = [("class", TOMLText.string(trafficClass.name))]
        switch transport {
        case nil: break
        case ClassRuleText.tcp: entries.append(("protocol", "\"tcp\""))
        case ClassRuleText.udp: entries.append(("protocol", "\"udp\""))
        case .some(let number): entries.append(("protocol", "\(number)"))
        }
        if let ports {
            let isOne = ports.lowerBound == ports.upperBound
            entries.append(("ports", isOne ? "\(ports.lowerBound)" : "\"\(ports.lowerBound)-\(ports.upperBound)\""))
        }
        if let prefix { entries.append(("prefix", TOMLText.string(prefix.description))) }
        if let dscp { entries.append(("dscp", ClassRuleText.name(ofDSCP: dscp).map(TOMLText.string) ?? "\(dscp)")) }
        return entries
    }
}
