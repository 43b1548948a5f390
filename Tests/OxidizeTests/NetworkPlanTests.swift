import OxConfiguration
import OxModel
import Testing

@testable import Oxidize

/// A configuration from its file's lines.
func configuration(interface: String = "", relay: String? = nil, peers: [String]) throws -> Configuration {
    let key = "private-key = \"" + String(repeating: "A", count: 42) + "E=\""
    var text = "[interface]\nname = \"ox0\"\n\(key)\n\(interface)\n"
    if let relay { text += "[relay]\n\(relay)\n" }
    for (index, peer) in peers.enumerated() {
        let letter = ["B", "C", "D", "E", "F", "G", "H", "I", "J"][index]
        text += "[[peer]]\npublic-key = \"\(letter)" + String(repeating: "A", count: 41) + "E=\"\n\(peer)\n"
    }
    return try Configuration.parse(text: text, file: "ox0.toml") { path throws(ConfigurationFile.Unreadable) in
        preconditionFailure("no file is named")
    }
}

func plan(_ configuration: Configuration) -> NetworkPlan {
    NetworkPlan(configuration, device: "ox0", mark: NetworkPlan.mark(for: configuration))
}

/// Commands as one would type them; the NAT's as "nft".
func typed(_ command: NetworkCommand) -> String {
    switch command {
    case .ip(let family, let arguments): "ip \(family == .v4 ? "-4" : "-6") " + arguments.joined(separator: " ")
    case .nft(let script): script.contains("masquerade") ? "nft" : "nft delete"
    case .setting(let path, let value): "\(path)=\(value)"
    }
}

func typed(_ plan: NetworkPlan) -> [String] {
    plan.steps.map { step in
        switch step.change {
        case .command(let command): typed(command)
        case .settings(let path, let old, let new): "\(path): \(old) to \(new)"
        }
    }
}

@Suite struct NetworkPlanTests {
    private let endpoint = "endpoint = \"192.0.2.1:51820\""

    @Test func `a client of one network gets an address and a route in the main table, and no mark`() throws {
        let configuration = try configuration(
            interface: "address = [\"10.9.0.2/24\", \"fd00:9::2/64\"]\nmtu = 1400",
            peers: ["\(endpoint)\nallowed-ips = [\"10.0.0.0/8\", \"fd00::/8\"]"])
        #expect(NetworkPlan.mark(for: configuration) == nil)
        #expect(
            typed(plan(configuration)) == [
                "ip -4 address add 10.9.0.2/24 dev ox0", "ip -6 address add fd00:9::2/64 dev ox0",
                "ip -4 link set dev ox0 mtu 1400", "ip -4 link set dev ox0 up", "ip -4 route add 10.0.0.0/8 dev ox0",
                "ip -6 route add fd00::/8 dev ox0",
            ])
        #expect(!plan(configuration).lacksMark)
    }

    @Test func `a network that the address makes a route to gets no second one`() throws {
        let configuration = try configuration(
            interface: "address = [\"10.9.0.2/24\"]", peers: ["\(endpoint)\nallowed-ips = [\"10.9.0.0/24\"]"])
        #expect(!typed(plan(configuration)).contains { $0.contains("route") })
    }

    @Test func `a default route has a table of its own that marked packets do not see`() throws {
        let configuration = try configuration(
            interface: "address = [\"10.9.0.2/24\"]",
            peers: ["\(endpoint)\nallowed-ips = [\"0.0.0.0/0\", \"::/0\", \"172.16.0.0/12\"]"])
        let mark = try #require(NetworkPlan.mark(for: configuration))
        #expect(mark >> 16 == 0x6f78)
        let hexadecimal = "0x" + String(mark, radix: 16)
        #expect(
            typed(plan(configuration)).dropFirst(3) == [
                "ip -4 route add 172.16.0.0/12 dev ox0", "ip -4 route add 0.0.0.0/0 dev ox0 table \(mark)",
                "ip -6 route add ::/0 dev ox0 table \(mark)", "net/ipv4/conf/all/rp_filter=2",
                "net/ipv4/conf/all/src_valid_mark=1", "ip -4 rule add not fwmark \(hexadecimal) table \(mark)",
                "ip -4 rule add table main suppress_prefixlength 0",
                "ip -6 rule add not fwmark \(hexadecimal) table \(mark)",
                "ip -6 rule add table main suppress_prefixlength 0",
            ])
    }

    @Test(arguments: ["0.0.0.0/1", "128.0.0.0/1", "192.0.2.0/24", "192.0.2.1/32"])
    func `a network that would swallow the tunnel's own packets is kept apart too`(network: String) throws {
        let configuration = try configuration(peers: ["\(endpoint)\nallowed-ips = [\"\(network)\"]"])
        let mark = try #require(NetworkPlan.mark(for: configuration))
        #expect(typed(plan(configuration)).contains("ip -4 route add \(network) dev ox0 table \(mark)"))
    }

    @Test func `a network that the address of a name is in is kept apart like that of a literal`() throws {
        let configuration = try configuration(
            peers: ["endpoint = \"relay.example.net:51820\"\nallowed-ips = [\"192.0.2.0/24\", \"10.0.0.0/8\"]"])
        let endpoint = try #require(configuration.peers[0].endpoint)
        let endpoints = [endpoint: [SocketAddress("198.51.100.1:51820")!, SocketAddress("192.0.2.1:51820")!]]
        #expect(NetworkPlan.mark(for: configuration) == nil)
        let mark = try #require(NetworkPlan.mark(for: configuration, endpoints: endpoints))
        let plan = NetworkPlan(configuration, endpoints: endpoints, device: "ox0", mark: mark)
        #expect(typed(plan).contains("ip -4 route add 192.0.2.0/24 dev ox0 table \(mark)"))
        #expect(typed(plan).contains("ip -4 route add 10.0.0.0/8 dev ox0"))
        #expect(!NetworkPlan.takesDefaultRoute(configuration))
    }

    @Test(arguments: ["0.0.0.0/0", "::/0", "0.0.0.0/1"])
    func `a plan for the default route says so`(network: String) throws {
        let peers = ["\(endpoint)\nallowed-ips = [\"\(network)\"]"]
        #expect(NetworkPlan.takesDefaultRoute(try configuration(peers: peers)))
        #expect(!NetworkPlan.takesDefaultRoute(try configuration(interface: "table = \"off\"", peers: peers)))
    }

    @Test func `the configured mark is the mark and the table`() throws {
        let configuration = try configuration(
            interface: "fwmark = 4660", peers: ["\(endpoint)\nallowed-ips = [\"0.0.0.0/0\"]"])
        #expect(NetworkPlan.mark(for: configuration) == 4660)
        #expect(typed(plan(configuration)).contains("ip -4 rule add not fwmark 0x1234 table 4660"))
    }

    @Test func `the mark follows from the name alone`() throws {
        let one = try configuration(peers: ["\(endpoint)\nallowed-ips = [\"0.0.0.0/0\"]"])
        let two = try configuration(interface: "mtu = 1300", peers: ["\(endpoint)\nallowed-ips = [\"::/0\"]"])
        #expect(NetworkPlan.mark(for: one) == NetworkPlan.mark(for: two))
    }

    @Test func `a numbered table takes all routes, without rules or a mark`() throws {
        let configuration = try configuration(
            interface: "table = 77", peers: ["\(endpoint)\nallowed-ips = [\"0.0.0.0/0\", \"10.0.0.0/8\"]"])
        #expect(NetworkPlan.mark(for: configuration) == nil)
        #expect(
            typed(plan(configuration)).dropFirst(2) == [
                "ip -4 route add 0.0.0.0/0 dev ox0 table 77", "ip -4 route add 10.0.0.0/8 dev ox0 table 77",
            ])
    }

    @Test func `table off makes no routes`() throws {
        let configuration = try configuration(
            interface: "table = \"off\"", peers: ["\(endpoint)\nallowed-ips = [\"0.0.0.0/0\"]"])
        #expect(NetworkPlan.mark(for: configuration) == nil)
        #expect(plan(configuration).steps.count == 2)
    }

    @Test func `without the mark that it needs, a plan says so`() throws {
        let configuration = try configuration(peers: ["\(endpoint)\nallowed-ips = [\"0.0.0.0/0\"]"])
        #expect(NetworkPlan(configuration, device: "ox0", mark: nil).lacksMark)
    }

    @Test func `a relay forwards the families that it carries and translates what leaves`() throws {
        let configuration = try configuration(
            interface: "address = [\"10.9.0.1/24\"]", relay: "nat = true",
            peers: ["allowed-ips = [\"10.9.0.2/32\"]", "allowed-ips = [\"10.9.0.3/32\"]"])
        let plan = plan(configuration)
        #expect(
            typed(plan).dropFirst(3) == [
                "ip -4 route add 10.9.0.2/32 dev ox0", "ip -4 route add 10.9.0.3/32 dev ox0", "net/ipv4/ip_forward=1",
                "nft",
            ])
        #expect(plan.steps.last?.undo.map(typed) == "nft delete")
        guard case .command(.nft(let script)) = plan.steps.last?.change else { return #expect(Bool(false)) }
        #expect(script.contains("iifname \"ox0\" oifname != \"ox0\" masquerade"))
        #expect(script.contains("table inet oxidize-ox0 {"))
    }

    @Test func `a relay of IPv6 keeps its own announced routes`() throws {
        let configuration = try configuration(
            interface: "address = [\"fd00::1/64\"]", relay: "nat = [\"eth0\", \"wan.7\"]", peers: [])
        let plan = plan(configuration)
        #expect(
            typed(plan).dropFirst(3) == [
                "net/ipv6/conf/*/accept_ra: 1 to 2", "net/ipv6/conf/all/forwarding=1", "nft",
            ])
        guard case .command(.nft(let script)) = plan.steps.last?.change else { return #expect(Bool(false)) }
        #expect(script.contains("oifname { \"eth0\", \"wan.7\" } masquerade"))
    }

    @Test func `a relay told not to forward changes no setting`() throws {
        let configuration = try configuration(relay: "forward = false\nnat = false", peers: [])
        #expect(plan(configuration).steps.count == 2)
    }

    @Test func `a table's name has only what such names may have`() throws {
        let configuration = try configuration(relay: "nat = true", peers: [])
        let plan = NetworkPlan(configuration, device: "a+b=c.d-e_f", mark: nil)
        guard case .command(.nft(let script)) = plan.steps.last?.change else { return #expect(Bool(false)) }
        #expect(script.contains("table inet oxidize-a_2bb_3dc.d-e_f {"))
        #expect(script.contains("iifname \"a+b=c.d-e_f\""))
    }

    @Test func `every address, route and rule has an undo that is its mirror`() throws {
        let configuration = try configuration(
            interface: "address = [\"10.9.0.2/24\"]",
            peers: ["\(endpoint)\nallowed-ips = [\"0.0.0.0/0\", \"::/0\", \"172.16.0.0/12\"]"])
        for step in plan(configuration).steps {
            guard case .command(let command) = step.change, typed(command).contains(" add ") else { continue }
            #expect(step.undo.map(typed) == typed(command).replacing(" add ", with: " delete "))
        }
    }
}
