import OxModel
import Testing

@testable import OxConfiguration

struct ClassRuleTests {
    private func rules(_ lines: String...) throws -> [ClassRule] {
        try Sample.parse(Sample.client + lines.map { "\n[[class]]\nclass = \"gaming\"\n\($0)\n" }.joined()).classRules
    }

    private func errors(_ text: String) -> [String] { Sample.errors(Sample.client + "\n" + text) }

    @Test func `rules keep their order`() throws {
        let ports = try rules("ports = 5", "ports = 3", "protocol = \"udp\"", "ports = 4").map { $0.ports?.lowerBound }
        #expect(ports == [5, 3, nil, 4])
    }

    @Test(arguments: TrafficClass.allCases)
    func `every class has its name in the file`(_ trafficClass: TrafficClass) throws {
        let text = "\n[[class]]\nclass = \"\(trafficClass.name)\"\nprotocol = \"tcp\""
        #expect(try Sample.parse(Sample.client + text).classRules == [ClassRule(trafficClass, transport: 6)])
    }

    @Test(arguments: [
        ("\"27015-27030\"", 27015...27030), ("\"5060\"", 5060...5060), ("5060", 5060...5060), ("\"1-65535\"", 1...65535),
        ("\"7-7\"", 7...7),
    ] as [(String, ClosedRange<UInt16>)])
    func `ports are one or a range`(text: String, ports: ClosedRange<UInt16>) throws {
        #expect(try rules("ports = \(text)") == [ClassRule(.gaming, ports: ports)])
    }

    @Test(arguments: ["\"\"", "\"-\"", "\"0\"", "\"0-5\"", "\"5-\"", "\"-5\"", "\"6-5\"", "\"1-2-3\"", "\"65536\"", "\"+5\"", "\"5 - 6\"", "0", "65536", "-1", "true", "[5, 6]"])
    func `other ports are refused`(text: String) {
        let errors = errors("[[class]]\nclass = \"web\"\nports = \(text)")
        #expect(errors.count == 1)
        #expect(
            errors.first?.hasPrefix("12: ports is ") == true
                && errors.first?.contains("write a port from 1 to 65535, or the first and the last as in") == true,
            "\(errors)")
    }

    @Test(arguments: [
        ("\"EF\"", 46), ("\"ef\"", 46), ("\"VA\"", 44), ("\"DF\"", 0), ("\"CS0\"", 0), ("\"CS1\"", 8), ("\"CS7\"", 56),
        ("\"AF11\"", 10), ("\"AF13\"", 14), ("\"AF43\"", 38), ("\"LE\"", 1), ("0", 0), ("63", 63),
    ] as [(String, UInt8)])
    func `a DSCP is a name or a number`(text: String, value: UInt8) throws {
        #expect(try rules("dscp = \(text)") == [ClassRule(.gaming, dscp: value)])
    }

    @Test func `every DSCP survives being rendered`() throws {
        for value in UInt8(0)...63 {
            let configuration = try Sample.parse(Sample.client + "\n[[class]]\nclass = \"bulk\"\ndscp = \(value)")
            #expect(try Sample.parse(configuration.rendered(secrets: .included)).classRules == [ClassRule(.bulk, dscp: value)])
        }
    }

    @Test(arguments: [
        ("class = \"gaming\"", "10: this [[class]] does not say which packets it is for; "
            + "add protocol, ports, prefix or dscp, or several of them"),
        ("ports = 5", "10: this [[class]] does not say which class its packets are of; add class = \"gaming\", or another of "
            + "\"gaming\", \"realtime\", \"streaming\", \"web\", \"general\", \"bulk\""),
        ("class = \"game\"\nports = 5", "11: class is 'game'; write one of "
            + "\"gaming\", \"realtime\", \"streaming\", \"web\", \"general\", \"bulk\""),
        ("class = \"web\"\nport = 5\ndscp = 5", "12: unknown key 'port' in [[class]]; did you mean 'ports'?"),
        ("class = \"web\"\nmtu = 5\ndscp = 5", "12: unknown key 'mtu' in [[class]]; it belongs in [interface]"),
        ("class = \"web\"\nprotocol = \"sctp\"",
            "12: protocol is 'sctp'; write \"udp\", \"tcp\", or a protocol number from 1 to 255 without quotes"),
        ("class = \"web\"\nprotocol = 0",
            "12: protocol is 0; write \"udp\", \"tcp\", or a protocol number from 1 to 255 without quotes"),
        ("class = \"web\"\nprotocol = 1\nports = 5", "13: ports are read of TCP and UDP alone, and this rule is for protocol 1; "
            + "remove ports, or write \"udp\" or \"tcp\" for protocol"),
        ("class = \"web\"\nprefix = \"0.0.0.0/0\"",
            "12: prefix holds every address there is; leave it out, or name a smaller network"),
        ("class = \"web\"\nprefix = \"203.0.113.0/33\"",
            "12: '203.0.113.0/33' in prefix is no address with a prefix length; the prefix length goes from 0 to 32"),
        ("class = \"web\"\nprefix = [\"203.0.113.0/24\"]", "12: prefix is an array; "
            + "write one network as in \"203.0.113.0/24\"; for more of them add a [[class]] each"),
        ("class = \"web\"\ndscp = 64", "12: dscp is 64; write a name as in \"EF\" "
            + "(DF, LE, VA, EF, CS0 to CS7, AF11 to AF43), or a number from 0 to 63"),
        ("class = \"web\"\ndscp = \"AF44\"", "12: dscp is 'AF44'; write a name as in \"EF\" "
            + "(DF, LE, VA, EF, CS0 to CS7, AF11 to AF43), or a number from 0 to 63"),
        ("class = \"web\"\nports = 5\n[[class]]\nclass = \"bulk\"\nports = \"5\"",
            "13: this [[class]] is for the same packets as the one on line 10, which counts; remove one of the two"),
    ])
    func `a wrong rule is one sentence`(text: String, error: String) {
        #expect(errors("[[class]]\n\(text)") == [error])
    }

    @Test func `class is a table of which there can be many`() {
        let remedy = "and there can be many rules; write [[class]], with two brackets"
        #expect(errors("[class]\nclass = \"web\"") == ["10: class is a table, \(remedy)"])
        #expect(Sample.errors("class = \"web\"\n" + Sample.client) == ["1: class is a string, \(remedy)"])
        #expect(
            Sample.errors("class = [5]\n" + Sample.client)
                == ["1: a rule of [[class]] is an integer; write [[class]] and its keys below"])
    }

    @Test func `there are 256 rules at most`() throws {
        func text(_ count: Int) -> String {
            Sample.client + (1...count).map { "\n[[class]]\nclass = \"web\"\nports = \($0)" }.joined()
        }
        #expect(try Sample.parse(text(256)).classRules.count == 256)
        #expect(Sample.errors(text(257)) == ["10: the file has 257 rules of [[class]]; keep at most 256"])
    }

    @Test func `CPUs that are not there are refused where that is checked`() throws {
        func errors(_ allowed: [Int]?) -> String? {
            let text = Sample.client.replacing("[interface]", with: "[interface]\ncpus = [1, 9]")
            do {
                _ = try Configuration.parse(text: text, file: "f.toml", allowedCPUs: allowed)
                return nil
            } catch { return error.description }
        }
        #expect(errors([0, 1]) == "f.toml:2: cpus names 9, which is not there or not ours to use; name some of 0, 1")
        #expect(errors([1, 9]) == nil)
        #expect(errors(nil) == nil)
    }
}
