import OxModel

extension DocumentReader {
    mutating func classRules() -> [ClassRule] {
        guard case .array(let nodes)? = document.root["class"] else {
            if let node = document.root["class"] {
                report(
                    ["class"], "class is \(node.typeName), and there can be many rules", "write [[class]], with two brackets")
            }
            return []
        }
        if nodes.count > Limits.classRules {
            report(["class"], "the file has \(nodes.count) rules of [[class]]", "keep at most \(Limits.classRules)")
            return []
        }
        var rules: [(rule: ClassRule, line: Int)] = []
        for (index, node) in nodes.enumerated() {
            let path = ["class", "#\(index)"]
            guard case .table(let nodes) = node else {
                report(path, "a rule of [[class]] is \(node.typeName)", "write [[class]] and its keys below")
                continue
            }
            let table = Table(kind: .class, nodes: nodes, path: path)
            if let rule = classRule(table) {
                if let earlier = rules.first(where: { $0.rule.matchesLike(rule) }) {
                    report(
                        path, "this [[class]] is for the same packets as the one on line \(earlier.line), which counts",
                        "remove one of the two")
                } else {
                    rules.append((rule, document.line(of: path)))
                }
            }
            checkKeys(table)
        }
        return rules.map(\.rule)
    }

    /// Nil when it is wrong: then there are errors.
    private mutating func classRule(_ table: Table) -> ClassRule? {
        let errorsBefore = errors.count
        let name: TrafficClassName? = choice(table, "class")
        if !table.has("class") {
            report(
                table.path, "this [[class]] does not say which class its packets are of",
                "add class = \"gaming\", or another of \(TrafficClassName.list)")
        }
        let transport = transport(table)
        let ports = ports(table)
        let prefix = classPrefix(table)
        let dscp = dscp(table)
        if !["protocol", "ports", "prefix", "dscp"].contains(where: table.has) {
            report(
                table.path, "this [[class]] does not say which packets it is for",
                "add protocol, ports, prefix or dscp, or several of them")
        }
        if ports != nil, let transport, transport != ClassRuleText.tcp, transport != ClassRuleText.udp {
            report(
                table.path + ["ports"], "ports are read of TCP and UDP alone, and this rule is for protocol \(transport)",
                "remove ports, or write \"udp\" or \"tcp\" for protocol")
        }
        guard errors.count == errorsBefore, let name else { return nil }
        return ClassRule(name.trafficClass, transport: transport, ports: ports, prefix: prefix, dscp: dscp)
    }

    private mutating func transport(_ table: Table) -> UInt8? {
        let path = table.path + ["protocol"]
        let remedy = "write \"udp\", \"tcp\", or a protocol number from 1 to 255 without quotes"
        switch table.take("protocol") {
        case nil: break
        case .string("udp"): return ClassRuleText.udp
        case .string("tcp"): return ClassRuleText.tcp
        case .integer(let number) where (1...255).contains(number): return UInt8(number)
        case .integer(let number): report(path, "protocol is \(number)", remedy)
        case .string(let text): report(path, "protocol is \(quoted(text))", remedy)
        case .some(let node): report(path, "protocol is \(node.typeName)", remedy)
        }
        return nil
    }

    private mutating func ports(_ table: Table) -> ClosedRange<UInt16>? {
        let path = table.path + ["ports"]
        let remedy = "write a port from 1 to 65535, or the first and the last as in \"27015-27030\""
        switch table.take("ports") {
        case nil: break
        case .integer(let port) where (1...65535).contains(port): return UInt16(port)...UInt16(port)
        case .integer(let port): report(path, "ports is \(port)", remedy)
        case .string(let text):
            if let ports = ClassRuleText.ports(text) { return ports }
            report(path, "ports is \(quoted(text))", remedy)
        case .some(let node): report(path, "ports is \(node.typeName)", "\(remedy); for more of them add a [[class]] each")
        }
        return nil
    }

    private mutating func classPrefix(_ table: Table) -> IPPrefix? {
        if case .array? = table.nodes["prefix"] {
            report(
                table.path + ["prefix"], "prefix is an array",
                "write one network as in \"203.0.113.0/24\"; for more of them add a [[class]] each")
            return nil
        }
        guard let (prefix, path) = prefixes(table, "prefix", asNetworks: true).first else { return nil }
        guard prefix.length > 0 else {
            report(path, "prefix holds every address there is", "leave it out, or name a smaller network")
            return nil
        }
        return prefix
    }

    private mutating func dscp(_ table: Table) -> UInt8? {
        let path = table.path + ["dscp"]
        let remedy = "write a name as in \"EF\" (DF, LE, VA, EF, CS0 to CS7, AF11 to AF43), or a number from 0 to 63"
        switch table.take("dscp") {
        case nil: break
        case .integer(let value) where (0...63).contains(value): return UInt8(value)
        case .integer(let value): report(path, "dscp is \(value)", remedy)
        case .string(let text):
            if let value = ClassRuleText.dscp(text) { return value }
            report(path, "dscp is \(quoted(text))", remedy)
        case .some(let node): report(path, "dscp is \(node.typeName)", remedy)
        }
        return nil
    }
}

/// `TrafficClass` by its names, as a choice of the file.
struct TrafficClassName: RawRepresentable, CaseIterable {
    static let allCases = TrafficClass.allCases.map { TrafficClassName(trafficClass: $0) }
    static let list = allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", ")

    let trafficClass: TrafficClass
    var rawValue: String { trafficClass.name }

    init(trafficClass: TrafficClass) { self.trafficClass = trafficClass }

    init?(rawValue: String) {
        guard let found = TrafficClass(name: rawValue) else { return nil }
        trafficClass = found
    }
}
