import OxModel
import Testing

@testable import OxConfiguration

struct ConfigurationParseTests {
    @Test func `a client's file gives a client with the documented defaults`() throws {
        let configuration = try Sample.parse(Sample.client, file: "/etc/oxidize/home.toml")
        #expect(configuration.role == .client)
        #expect(configuration.relay == nil)
        let interface = configuration.interface
        #expect(interface.name == "home")
        #expect(interface.addresses.map(\.description) == ["10.9.0.2/24", "fd09::2/64"])
        #expect(interface.listenPort == 0)
        #expect(interface.mtu == 1500)
        #expect(interface.firewallMark == nil)
        #expect(interface.table == .automatic)
        #expect(interface.unencryptedNetworks.isEmpty)
        #expect(interface.workers == .automatic && interface.cpus.isEmpty && interface.busyPoll == nil)
        #expect(interface.hugePages == .auto && interface.bufferMemory == 64 << 20)
        #expect(interface.privateKey.withBytes { $0.count == 32 && $0[0] == 1 && $0[31] == 1 })
        #expect(configuration.logLevel == .info)
        #expect(configuration.features.batch == .auto && configuration.features.pathMTUDiscovery == .auto)
        #expect(configuration.features.congestionControl == .auto && configuration.features.fairQueue == .auto)
        #expect(configuration.features.gamingMode == .auto && configuration.features.batchHold == .off)
        #expect(configuration.features.predictivePacing == .off)
        #expect(configuration.features.repair == .auto)
        #expect(configuration.features.headerCompression == .auto)
        #expect(configuration.classRules.isEmpty && configuration.repairWishes.isEmpty)
        let peer = try #require(configuration.peers.first)
        #expect(peer.publicKey == Sample.publicKey(2))
        #expect(peer.endpoint?.host == "relay.example.net" && peer.endpoint?.port == 51820)
        #expect(peer.endpoint?.address == nil)
        #expect(peer.allowedIPs.map(\.description) == ["0.0.0.0/0", "::/0"])
        #expect(peer.persistentKeepalive == .seconds(25))
        #expect(peer.name == nil && peer.presharedKey == nil)
    }

    @Test func `a relay's file gives every value that it states`() throws {
        let configuration = try Sample.parse(Sample.relay)
        #expect(configuration.role == .relay)
        #expect(configuration.relay == .init(forward: false, nat: .interfaces(["eth0", "eth1"])))
        let interface = configuration.interface
        #expect(interface.name == "ox7")
        #expect(interface.listenPort == 443)
        #expect(interface.mtu == 1400)
        #expect(interface.firewallMark == 0xca6c)
        #expect(interface.table == .number(1234))
        #expect(interface.unencryptedNetworks.map(\.description) == ["192.168.7.0/24", "127.0.0.0/8"])
        #expect(interface.workers == .number(2) && interface.cpus == [1, 0] && interface.busyPoll == .microseconds(50))
        #expect(interface.hugePages == .on && interface.bufferMemory == 96 << 20)
        #expect(interface.privateKey == SecretKey(bytes: [UInt8](repeating: 9, count: 32)))
        #expect(configuration.peers.map(\.name) == ["laptop", nil])
        #expect(configuration.peers[0].presharedKey == SecretKey(bytes: [UInt8](repeating: 3, count: 32)))
        #expect(configuration.peers[1].presharedKey == SecretKey(bytes: [UInt8](repeating: 8, count: 32)))
        #expect(configuration.peers[0].allowedIPs.map(\.description) == ["10.9.0.2/32"])
        #expect(configuration.peers[1].allowedIPs.map(\.description) == ["10.9.0.76/30", "fd09::/64"])
        #expect(configuration.peers[1].endpoint?.address == SocketAddress("[2001:db8::1]:51820"))
        #expect(
            configuration.features
                == .init(
                    batch: .on, split: .off, train: .on, coalesce: .auto, offload: .off, aesGCM: .auto, ipsecMB: .off, simd: .auto,
                    pathMTUDiscovery: .on, congestionControl: .on, fairQueue: .off, gamingMode: .on, batchHold: .off,
                    predictivePacing: .auto, repair: .on, headerCompression: .off))
        #expect(
            configuration.classRules == [
                ClassRule(.gaming, transport: 17, ports: 27015...27030, prefix: IPPrefix("203.0.113.0/24"), dscp: 46),
                ClassRule(.bulk, transport: 6, ports: 873...873), ClassRule(.web, transport: 132, dscp: 3),
            ])
        #expect(
            configuration.repairWishes == [
                RepairWish(.gaming, residual: 0.0005, lateness: .milliseconds(100), cost: 1.2), RepairWish(.bulk, cost: 0),
            ])
        #expect(configuration.logLevel == .debug)
    }

    @Test func `a relay listens on 51820 and forwards unless told otherwise`() throws {
        let relay = try Sample.parse("relay = {}\n[interface]\nprivate-key = \"\(Sample.key(1))\"")
        #expect(relay.interface.listenPort == 51820)
        #expect(relay.relay == .init(forward: true, nat: .off))
    }

    @Test(arguments: [
        ("/etc/oxidize/office.toml", "office"), ("office", "office"), ("a/b.c.toml", "b.c"),
        ("/x/a name with spaces.toml", "ox0"), ("/x/longer-than-15-chars.toml", "ox0"), ("", "ox0"), (".toml", "ox0"),
        ("..", "ox0"),
    ])
    func `the interface is named after the file when that makes a name`(file: String, name: String) throws {
        #expect(try Sample.parse(Sample.client, file: file).interface.name == name)
    }

    @Test(arguments: [("\"off\"", nil), ("0", nil), ("\"0\"", nil), ("25", 25), ("\"25\"", 25), ("\"2m\"", 120),
        ("\"3000ms\"", 3), ("65535", 65535), ("\"1h\"", 3600)] as [(String, Int64?)])
    func `keepalive takes seconds as WireGuard does, and durations`(text: String, seconds: Int64?) throws {
        let file = Sample.client.replacing("\"25s\"", with: text)
        #expect(try Sample.parse(file).peers[0].persistentKeepalive == seconds.map { .seconds($0) })
    }

    @Test func `what is written in other TOML forms means the same`() throws {
        let inline = """
            interface = { private-key = '\(Sample.key(1))', address = ["10.9.0.2/24", "fd09::2/64"] }
            peer = [ { "public-key" = "\(Sample.key(2))", endpoint = "relay.example.net:51820", \
            allowed-ips = ["0.0.0.0/0", "::/0"], persistent-keepalive = "25s" } ]
            """
        let dotted = """
            interface.private-key = "\(Sample.key(1))"\r
            interface.address = ["10.9.0.2/24", "fd09::2/64"]\r
            [[ peer ]]\r
            public-key = "\(Sample.key(2))"\r
            endpoint = "relay.example.net:51820"\r
            allowed-ips = ["0.0.0.0/0", "::/0"]\r
            persistent-keepalive = "25s"\r

            """
        let plain = try Sample.parse(Sample.client)
        #expect(try Sample.parse(inline) == plain)
        #expect(try Sample.parse(dotted) == plain)
    }

    @Test func `rendered with its secrets a configuration parses to itself`() throws {
        for text in [Sample.client, Sample.relay] {
            let configuration = try Sample.parse(text)
            let rendered = configuration.rendered(secrets: .included)
            #expect(try Sample.parse(rendered, file: "another.toml") == configuration)
        }
    }

    @Test func `rendered without its secrets a configuration shows none`() throws {
        let rendered = try Sample.parse(Sample.relay).rendered(secrets: .redacted)
        for byte: UInt8 in [3, 8, 9] { #expect(!rendered.contains(Sample.key(byte))) }
        #expect(rendered.contains("private-key = \"(secret)\""))
        #expect(rendered.contains("public-key = \"\(Sample.key(2))\""))
    }

    @Test func `secrets do not show in descriptions and dumps`() throws {
        let configuration = try Sample.parse(Sample.relay)
        var dumped = ""
        dump(configuration, to: &dumped)
        for text in [dumped, "\(configuration)", String(reflecting: configuration)] {
            #expect(!text.contains("[9, 9") && !text.contains(Sample.key(9)))
        }
    }

    @Test func `secret keys are equal when all of their bytes are`() {
        let key = SecretKey(bytes: 0..<32)
        #expect(key == SecretKey(bytes: 0..<32))
        for index in 0..<32 {
            var bytes = [UInt8](0..<32)
            bytes[index] ^= 0x80
            #expect(key != SecretKey(bytes: bytes))
        }
        #expect(SecretKey(bytes: 0..<31) == nil && SecretKey(bytes: 0..<33) == nil)
    }

    @Test func `every key of the list is one that the reader knows, and rendering writes each once`() throws {
        let rendered = try Sample.parse(Sample.relay).rendered(secrets: .included)
        for key in ConfigurationKey.all where !key.name.hasSuffix("-file") {
            #expect(rendered.contains("\n\(key.name) = "), "\(key.name)")
        }
        #expect(Set(ConfigurationKey.all).count == ConfigurationKey.all.count)
    }
}
