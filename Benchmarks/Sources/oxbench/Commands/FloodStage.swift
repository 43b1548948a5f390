import FoundationEssentials
import OxCore
import OxModel

/// A relay between a client and an attacker, and a second client that comes late.
///
///     client ── veth ── relay ── veth ── attacker
///     10.90.1.2   10.90.1.1   10.90.2.1   10.90.2.2
struct FloodStage {
    static let relayInside = "10.91.0.1"
    private static let relayForClients = "10.90.1.1"
    private static let relayForAttacker = "10.90.2.1"
    private static let port = 51820

    let children: ChildProcesses
    let client: Namespace
    let relay: Namespace
    let attacker: Namespace
    private let oxbench: String
    private let ends: TunnelEnds
    private let relayProcess: ChildProcess
    private let keys: [String: (secret: String, public: String)]

    /// The relay and the first client run, and have a session.
    init(children: ChildProcesses, oxbench: String, oxidize: String) throws {
        self.children = children
        self.oxbench = oxbench
        ends = TunnelEnds(children: children, oxidize: oxidize)
        client = try Namespace.make("client", children)
        relay = try Namespace.make("relay", children)
        attacker = try Namespace.make("attacker", children)
        try Namespace.connect(client, "10.90.1.2/24", relay, "\(Self.relayForClients)/24", children)
        try Namespace.connect(attacker, "10.90.2.2/24", relay, "\(Self.relayForAttacker)/24", children)

        try Core.start()
        var keys: [String: (secret: String, public: String)] = [:]
        for name in ["relay", "client", "latecomer"] {
            let secret = KeyTool.random(clamped: true)
            keys[name] = (Base64.encodeKey(secret), try KeyTool.publicKey(of: secret).description)
        }
        self.keys = keys
        relayProcess = try ends.startOxidize(
            "relay", as: "relay", in: relay,
            """
            [interface]
            name = "relay"
            private-key = "\(keys["relay"]!.secret)"
            address = "\(Self.relayInside)/24"
            listen-port = \(Self.port)

            [relay]
            forward = false

            [[peer]]
            name = "client"
            public-key = "\(keys["client"]!.public)"
            allowed-ips = "10.91.0.2/32"

            [[peer]]
            name = "latecomer"
            public-key = "\(keys["latecomer"]!.public)"
            allowed-ips = "10.91.0.3/32"
            """)
        _ = try connect("client", inside: "10.91.0.2")
    }

    // MARK: Oxidize

    /// Starts a client and waits for its session. Returns how long its handshake took, retries and all.
    func connect(_ name: String, inside: String, patience: Double = 15) throws -> Double {
        let process = try ends.startOxidize(
            "client", as: name, in: client,
            """
            [interface]
            name = "\(name)"
            private-key = "\(keys[name]!.secret)"
            address = "\(inside)/32"
            table = "\(name == "client" ? "auto" : "off")"

            [[peer]]
            public-key = "\(keys["relay"]!.public)"
            endpoint = "\(Self.relayForClients):\(Self.port)"
            allowed-ips = "\(Self.relayInside)/32"
            """)
        return try ends.connection(name, of: process, seconds: patience).handshake_ms ?? 0
    }

    func status(of name: String) throws -> TunnelEnds.Status { try ends.status(of: name) }

    /// Of the relay.
    func residentBytes() throws -> UInt64 { try relayProcess.residentBytes() }

    // MARK: Attacker

    func startFlood(ports: Int) throws -> ChildProcess {
        let ready = children.directory + "/flood.ready"
        let flood = try children.start(
            "flood-send",
            [
                oxbench, "flood", "send", "--to", "\(Self.relayForAttacker):\(Self.port)",
                "--relay-key", keys["relay"]!.public, "--ports", "\(ports)", "--ready-file", ready, "--json",
            ], in: attacker)
        _ = try children.poll("was ready", of: flood, seconds: 20) { FileManager.default.fileExists(atPath: ready) ? true : nil }
        return flood
    }

    // MARK: Traffic

    private var traffic: Traffic {
        Traffic(children: children, oxbench: oxbench, client: client, server: relay, address: Self.relayInside)
    }

    /// A paced flow from the client through the tunnel. `meanwhile` runs while it does.
    func flow(seconds: Int, rate: UInt64, meanwhile: () throws -> Void = {}) throws -> Traffic.Flow {
        try traffic.flow(
            ["--profile", "bulk", "--rate", "\(rate)bit", "--duration", "\(seconds)s"], seconds: Double(seconds),
            linger: "1s", meanwhile: meanwhile)
    }

    /// Bits a second of TCP through the tunnel.
    func transfer(seconds: Int) throws -> Double { try traffic.transfer(.seconds(seconds)).end.sum_received.bits_per_second }
}
