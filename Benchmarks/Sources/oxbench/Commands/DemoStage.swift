import FoundationEssentials
import Glibc

/// The network of the demo, and what happens on it.
///
///     client ── link0 ~~ emulator ~~ link0 ── relay ── veth ── server
///        10.77.0.1             10.77.0.2   10.78.0.1    10.78.0.2
struct DemoStage {
    /// The emulated link. The first losses of this seed come after a handshake: one lost packet of a handshake would
    /// show a retry timer in place of the handshake.
    static let linkOptions = ["--delay", "20ms", "--loss", "1%", "--rate", "100mbit", "--seed", "\(seed)"]
    static let seed = 1
    static let relayOutside = "10.77.0.2"
    static let serverAddress = "10.78.0.2"
    static let serverNetwork = "10.78.0.0/24"
    static let clientInside = "10.79.0.2"
    static let relayInside = "10.79.0.1"
    static let port = 51820

    let children: ChildProcesses
    let oxbench: String
    let oxidize: String
    let lengths: DemoLengths
    let narrator: Narrator

    /// The namespaces, once they exist.
    struct Places {
        let client: Namespace
        let relay: Namespace
        let server: Namespace
    }

    func play() throws -> [DemoColumn] {
        let places = try build()
        let direct = try column("direct", places) {
            narrator.say("Sending plain IP over it, to see what the link does to it")
            try children.run(["ip", "route", "add", Self.serverNetwork, "via", Self.relayOutside], in: places.client)
            return nil
        }
        let wireGuard: DemoColumn
        if Enclosure.isInstalled("wireguard-go") && Enclosure.isInstalled("wg") {
            wireGuard = try column("wireguard-go", places) { try startWireGuard(places) }
        } else {
            narrator.say("Leaving out wireguard-go: it is not installed (Debian: wireguard-go, wireguard-tools)")
            wireGuard = DemoColumn(name: "wireguard-go")
        }
        let own = try column("Oxidize", places) { try startOxidize(places) }
        return [direct, wireGuard, own]
    }

    private func build() throws -> Places {
        narrator.say("Making the network client - link - relay - server of namespaces that only this demo sees")
        let client = try Namespace.make("client", children)
        let relay = try Namespace.make("relay", children)
        let server = try Namespace.make("server", children)
        try Namespace.connect(relay, "10.78.0.1/24", server, "\(Self.serverAddress)/24", children)
        try children.run(["ip", "route", "add", "default", "via", "10.78.0.1"], in: server)
        try children.run(["sysctl", "-q", "-w", "net.ipv4.ip_forward=1"], in: relay)
        return Places(client: client, relay: relay, server: server)
    }

    /// What stands between client and server besides the link, if anything does.
    struct Tunnel {
        /// The client's end, then the relay's.
        var ends: [ChildProcess]
        /// Nil: to be seen at the first packet.
        var handshakeMilliseconds: Double?
    }

    /// Measures one way to the server over a link of its own.
    private func column(_ name: String, _ places: Places, _ open: () throws -> Tunnel?) throws -> DemoColumn {
        narrator.title(name)
        let link = try startLink()
        let tunnel = try open()
        var column = DemoColumn(name: name)
        column.figures = try DemoTraffic(stage: self, places: places).measure(tunnel)
        for end in tunnel?.ends ?? [] { try children.stop(end) }
        try children.stop(link, SIGINT)
        column.link = try DemoLinkReport(link)
        return column
    }

    private func startLink() throws -> ChildProcess {
        narrator.say("Starting the link: 40 ms round trip, 1 % loss each way, 100 Mbit/s")
        let ready = children.directory + "/link.ready"
        try? FileManager.default.removeItem(atPath: ready)
        let ends = ["--a-netns", "client", "--a-address", "10.77.0.1/24", "--b-netns", "relay", "--b-address", "10.77.0.2/24"]
        let link = try children.start("link", [oxbench, "link"] + ends + Self.linkOptions + ["--ready-file", ready, "--json"])
        try children.waitUntilReady(link, seconds: 10) { FileManager.default.fileExists(atPath: ready) }
        return link
    }
}

/// What the emulator says of itself, both directions together.
struct DemoLinkReport {
    let lostPackets: Int
    let queueFullPackets: Int
    /// Lost by the emulator, not by the link that it emulates.
    let ownLostPackets: Int
    let latenessMicroseconds: Double

    private struct Direction: Decodable {
        let lost_packets: Int
        let queue_full_packets: Int
        let own_write_failed_packets: Int
        let own_buffers_exhausted_packets: Int
        let own_device_dropped_packets: Int
        let lateness_p99_us: Double
    }

    init(_ link: ChildProcess) throws {
        let directions = try link.results(of: Direction.self)
        lostPackets = directions.map(\.lost_packets).reduce(0, +)
        queueFullPackets = directions.map(\.queue_full_packets).reduce(0, +)
        ownLostPackets = directions.map {
            $0.own_write_failed_packets + $0.own_buffers_exhausted_packets + $0.own_device_dropped_packets
        }.reduce(0, +)
        latenessMicroseconds = directions.map(\.lateness_p99_us).max() ?? 0
    }
}

/// What is read of a `Report`.
private struct ReportResults<Result: Decodable>: Decodable { let results: [Result] }

extension ChildProcess {
    /// What an oxbench command wrote with --json.
    func results<Result: Decodable>(of type: Result.Type) throws -> [Result] {
        try decoded(as: ReportResults<Result>.self).results
    }

    /// Standard output, as JSON.
    func decoded<Value: Decodable>(as type: Value.Type) throws -> Value {
        do {
            return try JSONDecoder().decode(type, from: Data(output.utf8))
        } catch {
            throw failure("gave an answer that is not understood (\(error))")
        }
    }
}
