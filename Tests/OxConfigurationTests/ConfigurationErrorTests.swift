import OxModel
import Testing

@testable import OxConfiguration

struct ConfigurationErrorTests {
    @Test func `an unknown key is named with its line and the key that was meant`() throws {
        let text = Sample.client.replacing("allowed-ips", with: "alowed-ips")
        let errors = #expect(throws: ConfigurationErrors.self) { try Sample.parse(text, file: "relay.toml") }
        #expect(
            errors?.description
                == "relay.toml:8: unknown key 'alowed-ips' in [[peer]]; did you mean 'allowed-ips'?")
    }

    @Test func `a peer that is this end itself is refused`() {
        let errors = #expect(throws: ConfigurationErrors.self) {
            try Configuration.parse(text: Sample.client, file: "f.toml", readFile: Sample.read) { _ in
                Sample.publicKey(2)
            }
        }
        #expect(
            errors?.description == "f.toml:6: the public key '\(Sample.key(2))' is this end's own; "
                + "write the one that 'oxidize pubkey' prints on the peer")
    }

    @Test(arguments: [
        ("PrivateKeyFile = \"x\"", "2: unknown key 'PrivateKeyFile' in [interface]; did you mean 'private-key-file'?"),
        ("allowed-ips = []", "2: unknown key 'allowed-ips' in [interface]; it belongs in [[peer]]"),
        ("mtux = 1", "2: unknown key 'mtux' in [interface]; did you mean 'mtu'?"),
        ("mtu = \"1500B\"", "2: mtu is the string '1500B'; write a number of bytes from 1280 to 1500, without quotes or unit"),
        ("mtu = 1279", "2: mtu is 1279; write a number of bytes from 1280 to 1500, without quotes or unit"),
        ("mtu = 1501", "2: mtu is 1501; write a number of bytes from 1280 to 1500, without quotes or unit"),
        ("mtu = 1.5e3",
            "2: mtu is a floating-point number; write a number of bytes from 1280 to 1500, without quotes or unit"),
        ("listen-port = 65536", "2: listen-port is 65536; write a number from 0 to 65535, without quotes or unit"),
        ("listen-port = true", "2: listen-port is a boolean; write a number from 0 to 65535, without quotes or unit"),
        ("name = \"a/b\"",
            "2: 'a/b' cannot be the name of a network interface; use 1 to 15 of the characters A-Z a-z 0-9 _ = + . -"),
        ("name = 7", "2: name is an integer; write a string, in quotes"),
        ("table = \"main\"",
            "2: table is 'main'; write \"auto\", \"off\", or a number from 1 to 4294967295 without quotes"),
        ("fwmark = 0", "2: fwmark is 0; write \"auto\", or a number from 1 to 4294967295 without quotes"),
        ("workers = 17",
            "2: workers is 17; write \"auto\", or a number from 1 to 16 without quotes"),
        ("workers = \"many\"",
            "2: workers is 'many'; write \"auto\", or a number from 1 to 16 without quotes"),
        ("cpus = 3", "2: cpus is an integer; write an array such as [0, 1]"),
        ("cpus = [0, 0]", "2: cpus names 0 twice; remove one of the two"),
        ("cpus = [0, \"1\"]",
            "2: cpus has something in it that is no CPU; write numbers from 0 to 1023, without quotes"),
        ("busy-poll = 10_001",
            "2: busy-poll is 10001; write \"off\", or a number from 1 to 10000 without quotes"),
        ("busy-poll = 0", "2: busy-poll is 0; write \"off\", or a number from 1 to 10000 without quotes"),
        ("workers = false", "2: workers is a boolean; write \"auto\", or a number from 1 to 16 without quotes"),
        ("buffer-memory = \"3GB\"",
            "2: buffer-memory is '3GB'; write a whole number and its unit, KB, MB or GB, 0 or from 8MB to 2GB"),
        ("buffer-memory = 64",
            "2: buffer-memory is 64; write a whole number and its unit, KB, MB or GB, 0 or from 8MB to 2GB"),
        ("buffer-memory = \"64 megs\"",
            "2: buffer-memory is '64 megs'; write a whole number and its unit, KB, MB or GB, 0 or from 8MB to 2GB"),
        ("unencrypted-networks = \"0.0.0.0/0\"",
            "2: unencrypted-networks holds every address there is; name only the networks where nobody else can listen"),
    ])
    func `a wrong line in interface is one sentence`(line: String, error: String) {
        #expect(Sample.errors(replacing: "[interface]", with: "[interface]\n\(line)") == [error])
    }

    @Test(arguments: [
        ("10.9.0.2/33", "'10.9.0.2/33' in address is no address with a prefix length; the prefix length goes from 0 to 32"),
        ("fd09::2/129", "'fd09::2/129' in address is no address with a prefix length; the prefix length goes from 0 to 128"),
        ("10.9.0/24",
            "'10.9.0/24' in address is no address with a prefix length; write it as in \"10.9.0.0/24\" or \"fd09::/64\""),
        ("10.0.0.1/8, 10.1.0.1/8",
            "'10.0.0.1/8, 10.1.0.1/8' in address is no address with a prefix length; "
                + "write an array with each address in its own quotes"),
        ("fd09::2/64", "'fd09::2/64' is in address twice; remove one of the two"),
        ("0.0.0.0/0", "'0.0.0.0/0' is no address of a host; write the address that this end has"),
    ])
    func `a wrong address is named on the line of the element`(address: String, error: String) {
        let line = "address = [\n  # the first\n  \"fd09::2/64\",\n  \"\(address)\" ]"
        #expect(Sample.errors(replacing: "address = [\"10.9.0.2/24\", \"fd09::2/64\"]", with: line) == ["6: \(error)"])
    }

    @Test func `addresses beyond what a handshake carries are refused`() {
        let addresses = (1...5).map { "\"10.9.0.\($0)/24\"" }.joined(separator: ",")
        #expect(
            Sample.errors(replacing: "address = [\"10.9.0.2/24\", \"fd09::2/64\"]", with: "address = [\(addresses)]")
                == ["3: [interface] has 5 addresses; keep at most 4: more do not fit in a handshake"])
    }

    @Test(arguments: [
        ("relay.example.net", "has no port; write host:port"),
        ("192.0.2.1", "has no port; write host:port"),
        ("2001:db8::1", "is an IPv6 address without brackets; write [address]:port"),
        ("2001:db8:1:2:3:4:5:6:51820", "is an IPv6 address without brackets"),
        ("2001:db8::1::2:51820", "neither an address nor a name"),
        ("[2001:db8::1]", "has no port"),
        ("a:0", "port '0' is no port; write a number from 1 to 65535"),
        ("a:65536", "port '65536' is no port"), ("a:+5", "port '+5' is no port"), ("a:", "port '' is no port"),
        ("300.1.2.3:5", "host '300.1.2.3' is neither an address nor a name"),
        (":5", "host '' is neither"), ("-a.b:5", "host '-a.b' is neither"), ("a..b:5", "host 'a..b' is neither"),
        ("[192.0.2.1]:5", "host '192.0.2.1' is neither"), ("[::]:5", "no address of a host"),
    ])
    func `a wrong endpoint says what is wrong with it`(endpoint: String, part: String) throws {
        let errors = Sample.errors(replacing: "relay.example.net:51820", with: endpoint)
        #expect(errors.count == 1)
        let error = try #require(errors.first)
        #expect(error.hasPrefix("7: ") && error.contains(part), "\(error)")
    }

    @Test(arguments: [
        ("\"25ms\"", "9: persistent-keepalive is not a number of whole seconds up to 65535; "),
        ("\"25 sec\"", "9: 'sec' in persistent-keepalive = '25 sec' is no unit of time; use ms, s, m or h, as in \"25s\""),
        ("\"25kbit\"", "9: 'kbit' in persistent-keepalive = '25kbit' is no unit of time; "),
        ("\"soon\"", "9: persistent-keepalive 'soon' is no duration; write \"off\", or 1s to 65535s as in \"25s\""),
        ("-1", "9: persistent-keepalive is -1 seconds; "),
        ("\"99999999999999999999s\"", "9: persistent-keepalive '99999999999999999999s' is no duration; "),
        ("\"9223372036854775807h\"", "9: persistent-keepalive '9223372036854775807h' is no duration; "),
        ("65536", "9: persistent-keepalive is 65536 seconds; "),
        ("07:00:00", "9: a value without quotes is neither a number nor true or false; put text in quotes"),
    ])
    func `a wrong keepalive names the accepted units or range`(text: String, error: String) throws {
        let errors = Sample.errors(replacing: "\"25s\"", with: text)
        #expect(errors.count == 1)
        #expect(try #require(errors.first).hasPrefix(error), "\(errors)")
    }

    @Test func `all errors are reported at once, by line`() {
        let text = """
            [interface]
            mtu = 9000
            [peer]
            [features]
            batch = true
            [log]
            level = "loud"
            [netwrok]
            """
        #expect(
            Sample.errors(text) == [
                "1: [interface] has no private key; make one with 'oxidize genkey' and name its file: "
                    + "private-key-file = \"path\"",
                "2: mtu is 9000; write a number of bytes from 1280 to 1500, without quotes or unit",
                "3: peer is a table, and there can be many; write [[peer]], with two brackets",
                "3: a client needs a [[peer]] with an endpoint; "
                    + "add endpoint = \"host:port\" of the relay, or [relay] when this is one",
                "5: batch is a boolean; write one of \"on\", \"off\", \"auto\"",
                "7: level is 'loud'; write one of \"trace\", \"debug\", \"info\", \"notice\", \"warning\", \"error\", "
                    + "\"critical\"",
                "8: unknown table 'netwrok'; the tables are [interface], [relay], [[peer]], [[class]], "
                    + "[[repair]], [features], [log]",
            ])
    }

    @Test func `missing tables and keys outside of tables have their remedy`() {
        #expect(
            Sample.errors("") == [
                "1: [interface] is missing; add [interface] with a private-key or private-key-file",
                "1: a client needs a [[peer]] with an endpoint; "
                    + "add endpoint = \"host:port\" of the relay, or [relay] when this is one",
            ])
        #expect(Sample.errors("mtu = 1500\n" + Sample.client) == ["1: 'mtu' stands outside of any table; move it below [interface]"])
        #expect(
            Sample.errors(Sample.client + "\n[Feature]\n")
                == ["10: unknown table 'Feature'; did you mean [features]?"])
        #expect(
            Sample.errors(Sample.client + "\n[[log]]\n")
                == ["10: log is an array; write [log] once, and its keys below"])
    }

    @Test func `a peer needs a good public key of its own`() {
        let peer = "\n[[peer]]\npublic-key = \"\(Sample.key(2))\"\n"
        #expect(
            Sample.errors(Sample.client + peer) == [
                "11: the public key '\(Sample.key(2))' belongs to another [[peer]] too, on line 6; "
                    + "remove one of the two, or give each its own key"
            ])
        #expect(
            Sample.errors(Sample.client + "\n[[peer]]\nname = \"x\"\n") == [
                "10: this [[peer]] has no public-key; add the one that 'oxidize pubkey' prints on the peer"
            ])
        for bad in ["abc", Sample.key(0), String(Sample.key(2).dropLast()), ""] {
            #expect(Sample.errors(replacing: Sample.key(2), with: bad).count == 1)
        }
    }

    @Test func `a network or a name belongs to one peer`() {
        let peer = """

            [[peer]]
            name = "a"
            public-key = "\(Sample.key(4))"
            allowed-ips = ["10.0.0.0/8", "1.2.3.4/0"]
            [[peer]]
            name = "a"
            public-key = "\(Sample.key(5))"
            allowed-ips = ["10.0.0.0/9"]
            """
        #expect(
            Sample.errors(Sample.client + peer) == [
                "13: '0.0.0.0/0' is in another peer's allowed-ips too, on line 8; "
                    + "leave it to one of them, or split the network: the longer prefix wins",
                "15: another [[peer]] is called 'a' too, on line 11; give each peer a name of its own",
            ])
    }

    @Test func `what is not TOML is reported where it stops being TOML`() {
        for (text, line) in [
            ("[interface\n", 1), ("[interface]\nmtu = 1\nmtu = 2\n", 3),
            ("[interface]\n\nname = \"x\n", 3), ("a = [", 1), ("[interface]\n= 1", 2), ("\n[=]", 2),
            ("\u{feff}[ .a]", 1), ("\n[[\n", 2), ("[", 1), ("[]", 1), ("[[]]", 1), ("[ [a] ]", 1),
        ] {
            let errors = Sample.errors(text)
            #expect(errors.count == 1)
            #expect(errors.first?.hasPrefix("\(line): this is not TOML: ") == true, "\(errors)")
        }
    }

    @Test(arguments: [
        "a = 1500 1500", "a = 1979-05-27 0,", "a = 1979-05-27Tx", "a = 1-2", "a = off", "a = eth0/1", "a = \u{a0}", "a = [}", "a = [1 2]", "a = ", "a = #", "a = {b = ]}",
        "a = " + String(repeating: "1", count: 200),
    ])
    func `values on which the TOML parser would stop the program are refused`(text: String) {
        let errors = Sample.errors("\n" + text)
        #expect(errors.count == 1 && errors[0].hasPrefix("2: "), "\(errors)")
    }

    @Test func `zero characters and bottomless nesting are refused before they do harm`() {
        #expect(Sample.errors("a = 1\n\0") == ["2: the text has a zero character; remove it; no value needs one"])
        #expect(Sample.errors("\n\na = \"\\u0000\"").first?.hasPrefix("3: the text has a zero") == true)
        for text in [
            "a = " + String(repeating: "[", count: 100_000), "[" + String(repeating: "a.", count: 100_000) + "a]",
            String(repeating: "a.", count: 100_000) + "a = 1", "a = " + String(repeating: "{a=", count: 100_000),
        ] {
            #expect(
                Sample.errors(text) == [
                    "1: tables and arrays are nested more than 16 deep; no key of this file needs more than three levels"
                ])
        }
    }

    @Test func `a value cannot break out of its line in a message`() {
        let errors = Sample.errors(replacing: "relay.example.net", with: "a\\nb\\u202E\\u001b[31m")
        #expect(errors.count == 1)
        #expect(errors.allSatisfy { $0.unicodeScalars.allSatisfy { $0.isASCII && $0.value >= 32 } })
    }
}
