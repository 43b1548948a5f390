package import OxConfiguration
package import OxModel

/// Addresses of endpoints that are names, best first.
package typealias ResolvedEndpoints = [Endpoint: [SocketAddress]]

/// What a client or a relay changes in the system: addresses, routes, forwarding, address translation. A value: making it
/// reads and changes nothing.
///
/// Routes that could swallow the tunnel's own datagrams have a table of their own, which datagrams with the firewall
/// mark do not look into: that is for default routes, the halves of the address space that some write instead, and
/// networks with a peer's endpoint in them. All other routes are in the main table.
package struct NetworkPlan: Equatable, Sendable {
    package let device: String
    package private(set) var steps: [NetworkStep] = []
    /// A route needs the mark, and there is none: such a plan cannot be applied.
    package private(set) var lacksMark = false
    private let endpoints: ResolvedEndpoints

    /// - Parameters:
    ///   - endpoints: what the names of peers' endpoints mean.
    ///   - mark: what the tunnel's own datagrams carry: `mark(for:)` when the socket was opened.
    package init(
        _ configuration: Configuration, endpoints: ResolvedEndpoints = [:], device: String, mark: UInt32?
    ) {
        self.device = device
        self.endpoints = endpoints
        let interface = configuration.interface
        for address in interface.addresses { add(address: address) }
        steps.append(
            NetworkStep("set the MTU of \(device)", ip(.v4, "link set dev \(device) mtu \(interface.mtu)"), undo: nil))
        steps.append(NetworkStep("turn \(device) on", ip(.v4, "link set dev \(device) up"), undo: nil))
        addRoutes(configuration, mark)
        if let relay = configuration.relay {
            if relay.forward { addForwarding(NetworkPlan.families(configuration)) }
            addTranslation(relay.nat)
        }
    }

    /// What the tunnel's datagrams are to carry, if anything: as the configuration says, or where a route needs it a
    /// number that follows from the interface's name.
    package static func mark(
        for configuration: Configuration, endpoints: ResolvedEndpoints = [:]
    ) -> UInt32? {
        if let mark = configuration.interface.firewallMark { return mark }
        guard configuration.interface.table == .automatic else { return nil }
        let needed = networks(configuration).contains { isPolicyRouted($0, configuration, endpoints) }
        return needed ? automaticMark(configuration.interface.name) : nil
    }

    /// Whether what has no other route goes through the tunnel: questions to name servers, too.
    package static func takesDefaultRoute(_ configuration: Configuration) -> Bool {
        configuration.interface.table == .automatic && networks(configuration).contains { $0.length <= 1 }
    }

    /// "ox" and 16 bits of the name's FNV-1a hash. It is also the number of a routing table.
    private static func automaticMark(_ name: String) -> UInt32 {
        let hash = name.utf8.reduce(0x811c_9dc5 as UInt32) { ($0 ^ UInt32($1)) &* 0x0100_0193 }
        return 0x6f78_0000 | (hash >> 16 ^ hash & 0xffff)
    }

    // MARK: Addresses and routes

    private mutating func add(address: IPPrefix) {
        let family = NetworkCommand.Family(address.address)
        steps.append(
            NetworkStep(
                "add the address \(address) to \(device)", ip(family, "address add \(address) dev \(device)"),
                undo: ip(family, "address delete \(address) dev \(device)")))
    }

    private mutating func addRoutes(_ configuration: Configuration, _ mark: UInt32?) {
        let networks = NetworkPlan.networks(configuration)
        switch configuration.interface.table {
        case .off: return
        case .number(let table): for network in networks { add(route: network, table: table) }
        case .automatic:
            let policyRouted = networks.filter { NetworkPlan.isPolicyRouted($0, configuration, endpoints) }
            let connected = configuration.interface.addresses.map(\.network)
            for network in networks where !policyRouted.contains(network) && !connected.contains(network) {
                add(route: network, table: nil)
            }
            guard !policyRouted.isEmpty else { return }
            guard let mark else { return lacksMark = true }
            for network in policyRouted { add(route: network, table: mark) }
            for family in [NetworkCommand.Family.v4, .v6]
            where policyRouted.contains(where: { NetworkCommand.Family($0.address) == family }) {
                addRules(family, mark)
            }
        }
    }

    private mutating func add(route network: IPPrefix, table: UInt32?) {
        let family = NetworkCommand.Family(network.address)
        let route = "\(network) dev \(device)" + (table.map { " table \($0)" } ?? "")
        steps.append(
            NetworkStep(
                "add the route to \(network) through \(device)", ip(family, "route add \(route)"),
                undo: ip(family, "route delete \(route)")))
    }

    /// The later rule goes before the earlier one: first the main table but for its default route, then ours.
    private mutating func addRules(_ family: NetworkCommand.Family, _ mark: UInt32) {
        if family == .v4 {
            // Answers to marked datagrams come in where unmarked ones would not go out: to strict reverse path
            // filtering they look forged. The larger of an interface's value and that of "all" counts; 2 is loose.
            steps.append(setting("net/ipv4/conf/all/rp_filter", "2", "loosen the reverse path filter"))
            steps.append(
                setting("net/ipv4/conf/all/src_valid_mark", "1", "let the reverse path filter know the firewall mark"))
        }
        let hexadecimal = "0x" + String(mark, radix: 16)
        for rule in ["not fwmark \(hexadecimal) table \(mark)", "table main suppress_prefixlength 0"] {
            steps.append(
                NetworkStep(
                    "add a routing rule for \(device)", ip(family, "rule add \(rule)"),
                    undo: ip(family, "rule delete \(rule)")))
        }
    }

    // MARK: A relay's forwarding

    private mutating func addForwarding(_ families: Set<NetworkCommand.Family>) {
        if families.contains(.v4) { steps.append(setting("net/ipv4/ip_forward", "1", "turn on IPv4 forwarding")) }
        if families.contains(.v6) {
            // A machine that forwards IPv6 forgets what routers announce to it, its own default route included, where
            // this is not 2.
            steps.append(
                NetworkStep(
                    "keep listening to router announcements", settings: "net/ipv6/conf/*/accept_ra", from: "1", to: "2")
            )
            steps.append(setting("net/ipv6/conf/all/forwarding", "1", "turn on IPv6 forwarding"))
        }
    }

    private mutating func addTranslation(_ nat: Configuration.NAT) {
        let outside: String
        switch nat {
        case .off: return
        case .everyInterface: outside = "oifname != \"\(device)\""
        case .interfaces(let names): outside = "oifname { \(names.map { "\"\($0)\"" }.joined(separator: ", ")) }"
        }
        let table = "inet \(NetworkPlan.tableName(device))"
        // Declared first, so that it can be deleted whether or not it was there.
        let script = """
            table \(table)
            delete table \(table)
            table \(table) {
                chain postrouting {
                    type nat hook postrouting priority srcnat; policy accept;
                    iifname "\(device)" \(outside) masquerade
                }
            }

            """
        steps.append(
            NetworkStep(
                "set up NAT for \(device)", .nft(script: script),
                undo: .nft(script: "table \(table)\ndelete table \(table)\n")))
    }

    /// Names of interfaces may have characters that those of tables may not.
    private static func tableName(_ device: String) -> String {
        let safe = device.map { character in
            character.isASCII && (character.isLetter || character.isNumber || "_-.".contains(character))
                ? String(character) : "_" + String(character.asciiValue ?? 0, radix: 16)
        }
        return "oxidize-" + safe.joined()
    }

    // MARK: What a configuration asks for

    /// All allowed-ips, each once, in the file's order.
    private static func networks(_ configuration: Configuration) -> [IPPrefix] {
        var seen: Set<IPPrefix> = []
        return configuration.peers.flatMap(\.allowedIPs).filter { seen.insert($0).inserted }
    }

    private static func isPolicyRouted(
        _ network: IPPrefix, _ configuration: Configuration, _ endpoints: ResolvedEndpoints
    ) -> Bool {
        network.length <= 1
            || configuration.peers.compactMap(\.endpoint).contains { endpoint in
                let addresses = endpoint.address.map { [$0] } ?? endpoints[endpoint] ?? []
                return addresses.contains { network.contains($0.ip) }
            }
    }

    private static func families(_ configuration: Configuration) -> Set<NetworkCommand.Family> {
        Set((configuration.interface.addresses + networks(configuration)).map { NetworkCommand.Family($0.address) })
    }

    private func ip(_ family: NetworkCommand.Family, _ arguments: String) -> NetworkCommand {
        .ip(family, arguments: arguments.split(separator: " ").map(String.init))
    }

    private func setting(_ path: String, _ value: String, _ purpose: String) -> NetworkStep {
        NetworkStep(purpose, .setting(path: path, value: value), undo: nil)
    }
}
