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
    private let oxidize: String
    private let relayProcess: ChildProcess
    private let keys: [String: (secret: String, public: String)]

    /// The relay and the first client run, and have a session.
    init(children: ChildProcesses, oxbench: String, oxidize: String) throws {
        self.children = children
        self.oxbench = oxbench
        self.oxidize = oxidize
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
        relayProcess = try Self.start(
            "relay", as: "relay", in: relay, children, oxidize,
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
        let process = try Self.start(
            "client", as: name, in: client, children, oxidize,
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
        return try children.poll("was connected", of: process, seconds: patience) {
            let peer = try status(of: name).peers.first
            return peer?.state == "connected" ? peer?.handshake_ms : nil
        }
    }

    private static var stateDirectory: String { Enclosure.directory + "/state" }

    private static func start(
        _ role: String, as name: String, in place: Namespace, _ children: ChildProcesses, _ oxidize: String,
        _ configuration: String
    ) throws -> ChildProcess {
        let file = "\(children.directory)/\(name).toml"
        let made = FileManager.default.createFile(
            atPath: file, contents: Data((configuration + "\n").utf8), attributes: [.posixPermissions: 0o600])
        guard made else { throw LabFailure("cannot write \(file)") }
        let process = try children.start(
            "oxidize-\(name)", [oxidize, role, file, "--state-directory", stateDirectory], in: place)
        _ = try children.poll("was ready", of: process, seconds: 10) {
            FileManager.default.fileExists(atPath: "\(stateDirectory)/\(name).sock") ? true : nil
        }
        return process
    }

    struct Status: Decodable {
        struct Peer: Decodable {
            let state: String
            let handshake_ms: Double?
            let packets_received: UInt64
        }
        struct Port: Decodable {
            let received: UInt64
            let kernel_drops: UInt64
            let kernel_drops_handshake: UInt64
        }
        let peers: [Peer]
        let drops: [String: UInt64]
        let network: Port
    }

    func status(of name: String) throws -> Status {
        let text = try children.run(
            [oxidize, "show", name, "--json", "--state-directory", Self.stateDirectory], as: "oxidize-show")
        guard let status = try? JSONDecoder().decode(Status.self, from: Data(text.utf8)) else {
            throw LabFailure("the answer of oxidize show is not understood:\n\(text)")
        }
        return status
    }

    /// Of the relay.
    func residentBytes() throws -> UInt64 {
        let path = "/proc/\(relayProcess.pid)/status"
        let text = FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) } ?? ""
        guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("VmRSS:") }),
            let kibibytes = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap({ UInt64($0) })
        else { throw LabFailure("\(path) does not tell the relay's memory") }
        return kibibytes * 1024
    }

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

    struct Flow {
        struct Sent: Decodable {
            let sent_packets: UInt64
            let elapsed_s: Double
        }
        struct Received: Decodable {
            let received_packets: UInt64
            let received_payload_bytes: UInt64
            let loss_percent: Double
            let delay_p50_us: Double
            let delay_p99_us: Double
            let own_socket_dropped_packets: UInt64
        }
        let sent: Sent
        let received: Received

        var deliveredPerSecond: Double { Double(received.received_packets) / sent.elapsed_s }
    }

    /// A paced flow from the client through the tunnel. `meanwhile` runs while it does.
    func flow(seconds: Int, rate: UInt64, meanwhile: () throws -> Void = {}) throws -> Flow {
        let ready = children.directory + "/sink.ready"
        try? FileManager.default.removeItem(atPath: ready)
        let to = "\(Self.relayInside):5000"
        let sink = try children.start(
            "flow-sink", [oxbench, "flow", "sink", "--listen", to, "--ready-file", ready, "--timeout", "10s", "--json"],
            in: relay)
        _ = try children.poll("was ready", of: sink, seconds: 5) { FileManager.default.fileExists(atPath: ready) ? true : nil }
        let sender = try children.start(
            "flow-send",
            [
                oxbench, "flow", "send", "--to", to, "--profile", "bulk", "--rate", "\(rate)bit", "--duration",
                "\(seconds)s", "--json",
            ], in: client)
        try meanwhile()
        try children.finish(sender, seconds: Double(seconds) + 20)
        try children.finish(sink, seconds: 15)
        return Flow(
            sent: try sender.results(of: Flow.Sent.self)[0], received: try sink.results(of: Flow.Received.self)[0])
    }

    private struct Transfer: Decodable {
        struct End: Decodable {
            struct Sum: Decodable { let bits_per_second: Double }
            let sum_received: Sum
        }
        let end: End
    }

    /// Bits a second of TCP through the tunnel.
    func transfer(seconds: Int) throws -> Double {
        let server = try children.start(
            "iperf3-server", ["iperf3", "--server", "--one-off", "--forceflush", "--bind", Self.relayInside], in: relay)
        _ = try children.poll("was ready", of: server, seconds: 5) { server.output.contains("listening") ? true : nil }
        let transfer = try children.start(
            "iperf3", ["iperf3", "--client", Self.relayInside, "--time", "\(seconds)", "--json"], in: client)
        try children.finish(transfer, seconds: Double(seconds) + 20)
        try children.finish(server, seconds: 10)
        return try transfer.decoded(as: Transfer.self).end.sum_received.bits_per_second
    }
}
