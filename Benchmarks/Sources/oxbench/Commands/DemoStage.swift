/// The network of the demo, and what happens on it.
///
///     client ── link0 ~~ emulator ~~ link0 ── relay ── veth ── server
///        10.77.0.1             10.77.0.2   10.78.0.1    10.78.0.2
struct DemoStage {
    /// The emulated link. The first losses of this seed come after a handshake: one lost packet of a handshake would
    /// show a retry timer in place of the handshake.
    private static let badLink = ["--delay", "20ms", "--loss", "1%", "--rate", "100mbit", "--seed", "\(seed)"]
    /// That of the game beside an upload: slow, with the buffer of 300 ms that slow links tend to have.
    private static let slowLink = ["--delay", "20ms", "--rate", "20mbit", "--queue", "750000b", "--seed", "\(seed)"]
    /// That of the game with more loss.
    private static let lossyLink = ["--delay", "20ms", "--loss", "5%", "--rate", "100mbit", "--seed", "\(seed)"]
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
    var narrator: Narrator

    /// The namespaces, once they exist.
    struct Places {
        let client: Namespace
        let relay: Namespace
        let server: Namespace
    }

    func play() throws -> [DemoColumn] {
        let places = try build()
        let direct = try column("direct", places) { stage in
            stage.narrator.say("Sending plain IP over it, to see what the link does to it")
            try children.run(["ip", "route", "add", Self.serverNetwork, "via", Self.relayOutside], in: places.client)
            return nil
        }
        let wireGuard: DemoColumn
        if Enclosure.isInstalled("wireguard-go") && Enclosure.isInstalled("wg") {
            wireGuard = try column("wireguard-go", places) { try $0.startWireGuard(places) }
        } else {
            narrator.say("Leaving out wireguard-go: it is not installed (Debian: wireguard-go, wireguard-tools)")
            wireGuard = DemoColumn(name: "wireguard-go")
        }
        var own = try column("Oxidize", places) { try $0.startOxidize(places) }
        narrator.say("The same without repair (repair = \"off\" in [features])")
        try playOverLoss(&own, places, \.overLossWithoutRepair) { try $0.startOxidize(places, without: "repair") }
        narrator.say("The bytes without header compression (header-compression = \"off\" in [features])")
        try countBytes(&own, places, \.withoutCompression) { try $0.startOxidize(places, without: "header-compression") }
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

    /// Measures one way to the server, over two links of its own. `open` puts up what stands on the way, on the stage
    /// that it is given.
    private func column(
        _ name: String, _ places: Places, _ open: (DemoStage) throws -> Tunnel?
    ) throws -> DemoColumn {
        narrator.title(name)
        var column = DemoColumn(name: name)
        narrator.say("Starting the link: 40 ms round trip, 1 % loss each way, 100 Mbit/s")
        column.link = try over(Self.badLink, places) {
            let tunnel = try open(self)
            column.figures = try DemoTraffic(stage: self, places: places).measure(tunnel)
            return tunnel
        }
        narrator.say("The same over another link: 40 ms round trip, 20 Mbit/s, with a buffer of 300 ms")
        var quiet = self
        quiet.narrator = Narrator.silent
        column.slowLink = try over(Self.slowLink, places) {
            let tunnel = try open(quiet)
            column.figures?.withoutLoss = try DemoTraffic(stage: self, places: places).measureBytes()
            column.figures?.beside = try DemoTraffic(stage: self, places: places).measureBesideUpload()
            return tunnel
        }
        narrator.say("And over a third link: 40 ms round trip, 5 % loss each way")
        try playOverLoss(&column, places, \.overLoss, open)
        return column
    }

    /// The game over the link with more loss, for one of the column's figures.
    private func playOverLoss(
        _ column: inout DemoColumn, _ places: Places, _ figure: WritableKeyPath<DemoFigures, DemoOverLoss?>,
        _ open: (DemoStage) throws -> Tunnel?
    ) throws {
        var quiet = self
        quiet.narrator = Narrator.silent
        let link = try over(Self.lossyLink, places) {
            let tunnel = try open(quiet)
            column.figures?[keyPath: figure] = try DemoTraffic(stage: self, places: places).measureOverLoss()
            return tunnel
        }
        column.lossyLinks.append(link)
    }

    /// The game and the call over the slow link, for one of the column's figures.
    private func countBytes(
        _ column: inout DemoColumn, _ places: Places, _ figure: WritableKeyPath<DemoFigures, DemoBytes?>,
        _ open: (DemoStage) throws -> Tunnel?
    ) throws {
        var quiet = self
        quiet.narrator = Narrator.silent
        _ = try over(Self.slowLink, places) {
            let tunnel = try open(quiet)
            column.figures?[keyPath: figure] = try DemoTraffic(stage: self, places: places).measureBytes()
            return tunnel
        }
    }

    /// Starts a link, and stops it behind the tunnel that `body` has opened.
    private func over(_ options: [String], _ places: Places, _ body: () throws -> Tunnel?) throws -> LinkReport {
        let link = try EmulatedLink(
            children: children, oxbench: oxbench, .init(place: places.client, address: "10.77.0.1/24"),
            .init(place: places.relay, address: "\(Self.relayOutside)/24"), options)
        for end in try body()?.ends ?? [] { try children.stop(end) }
        return try link.stop()
    }
}
