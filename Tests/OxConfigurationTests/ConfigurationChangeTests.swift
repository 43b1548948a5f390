import OxModel
import Testing

@testable import OxConfiguration

struct ConfigurationChangeTests {
    static func change(_ line: String, to other: String, in text: String = Sample.relay) throws -> ConfigurationChange {
        #expect(text.contains(line))
        return try Sample.parse(text).changes(to: Sample.parse(text.replacing(line, with: other)))
    }

    @Test func `a file written differently changes nothing`() throws {
        let relay = try Sample.parse(Sample.relay)
        #expect(relay.changes(to: relay).isEmpty)
        #expect(relay.changes(to: try Sample.parse(relay.rendered(secrets: .included))).isEmpty)
        #expect(try Self.change("[\"10.9.0.77/30\", \"fd09::/64\"]", to: "[\"fd09::/64\", \"10.9.0.76/30\"]").isEmpty)
    }

    @Test func `peers are told apart by their public keys`() throws {
        let change = try Self.change(Sample.key(4), to: Sample.key(5))
        #expect(change.addedPeers.map(\.publicKey) == [Sample.publicKey(5)])
        #expect(change.removedPeers.map(\.publicKey) == [Sample.publicKey(4)])
        #expect(change.changedPeers.isEmpty && change.live.isEmpty && change.needsRestart.isEmpty)
    }

    @Test func `a preshared key that is known to be another one is a change, where both are without secrets`() throws {
        let relay = try Sample.parse(Sample.relay).withoutSecrets()
        let change = relay.changes(to: relay, presharedKeysOf: [Sample.publicKey(4)])
        #expect(change.changedPeers.map(\.after.publicKey) == [Sample.publicKey(4)])
        #expect(change.changedPeers.map(\.keys) == [["preshared-key"]])
    }

    @Test(arguments: [
        ("persistent-keepalive = 25", "", ["persistent-keepalive"]), ("name = \"laptop\"", "", ["name"]),
        ("allowed-ips = \"10.9.0.2\"", "allowed-ips = \"10.9.0.3\"", ["allowed-ips"]),
        ("preshared-key-file = \"/keys/psk\"", "", ["preshared-key"]),
        (Sample.key(3), Sample.key(8), ["preshared-key"]),
        ("[2001:db8::1]:51820\"", "[2001:db8::1]:51821\"\nname = \"b\"", ["name", "endpoint"]),
    ])
    func `a changed peer names what changed in it`(line: String, other: String, keys: [String]) throws {
        let change = try Self.change(line, to: other)
        #expect(change.changedPeers.map(\.keys) == [keys])
        #expect(change.addedPeers.isEmpty && change.removedPeers.isEmpty)
        #expect(change.live.isEmpty && change.needsRestart.isEmpty)
    }

    @Test(arguments: [
        ("level = \"debug\"", "level = \"info\"", "level in [log] changes from debug to info"),
        ("fair-queue = \"off\"", "", "fair-queue in [features] changes from \"off\" to \"auto\""),
        ("predictive-pacing = \"auto\"", "", "predictive-pacing in [features] changes from \"auto\" to \"off\""),
        ("ports = 873", "ports = 874", "rule 2 of [[class]] changes"),
        ("lateness = \"100ms\"", "", "[[repair]] of gaming changes"),
        ("[[class]]\nclass = \"bulk\"\nports = 873\nprotocol = 6", "", "[[class]] changes from 3 rules to 2"),
        (
            "\"127.0.0.0/8\",", "",
            "unencrypted-networks in [interface] changes from [\"192.168.7.0/24\", \"127.0.0.0/8\"] to [\"192.168.7.0/24\"]"
        ),
    ])
    func `what a reload applies is said`(line: String, other: String, sentence: String) throws {
        let change = try Self.change(line, to: other)
        #expect(change.live == [sentence] && change.needsRestart.isEmpty)
    }

    @Test(arguments: [
        ("listen-port = 443", "", "listen-port in [interface] changes from 443 to 51820"),
        ("mtu = 1_400", "", "mtu in [interface] changes from 1400 to 1500"),
        ("buffer-memory = \"96 MB\"", "", "buffer-memory in [interface] changes from \"96MB\" to \"64MB\""),
        ("busy-poll = 50", "", "busy-poll in [interface] changes from 50 to \"off\""),
        ("cpus = [1, 0]", "", "cpus in [interface] changes from [1, 0] to []"),
        ("fwmark = 0xca6c", "", "fwmark in [interface] changes from 0xca6c to \"auto\""),
        ("nat = [\"eth0\", \"eth1\"]", "nat = true", "nat in [relay] changes from [\"eth0\", \"eth1\"] to true"),
        ("split = \"off\"", "", "split in [features] changes from \"off\" to \"auto\""),
        ("repair = \"on\"", "", "repair in [features] changes from \"on\" to \"auto\""),
        (
            "private-key-file = 'relay.key'", "private-key-file = '/keys/psk'", "private-key in [interface] changes"
        ),
        (
            "[relay]\n        forward = false\n        nat = [\"eth0\", \"eth1\"]".replacing("        ", with: ""), "",
            "without [relay] this file is a client's"
        ),
    ])
    func `what needs a restart is said`(line: String, other: String, sentence: String) throws {
        let change = try Self.change(line, to: other)
        #expect(change.needsRestart == [sentence] && change.live.isEmpty)
    }
}
