import ArgumentParser

/// `oxbench tunnel`: how fast a tunnel is, beside others.
struct Tunnel: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measures throughput, latency and cost of tunnels, beside each other.",
        discussion: """
            Joins the namespaces client and relay by a veth pair of MTU 1500, runs the real client and relay of each peer \
            in turn, and passes traffic: a ping, TCP (iperf3) in both directions, and paced UDP. Rounds are interleaved: \
            A B C, A B C. Figures are the median over the rounds, with the least and the largest.

            Peers: none is no tunnel at all; oxidize, oxidize@chacha20-poly1305 and oxidize@aes-256-gcm; wireguard-go; and \
            every NAME of --peer-cmd NAME=PATH, which is another wireguard-go.

            udp_64_pps and udp_1200_pps are the highest paced rates of that payload of which at most 1 % is lost, found by \
            bisection; a burst is what is due within 100 us. overload_* is three times udp_64_pps, and a TCP transfer of 64 \
            kB during it. cpu_s_per_gb is of both ends, rss_mb of the larger one, after a transfer. \
            goodput_percent_of_wire is TCP payload per IP byte of both directions of the underlay, measured apart, with \
            its segmentation offloads off. foreign_cpu_* is what processes other than this run's took of the machine.

            With --configured-peers N, measures instead what N peers in the relay's configuration cost.

            Needs root, or user namespaces and an open /dev/net/tun. A full round takes about a minute a peer.
            """)

    @Option(help: ArgumentHelp("What to compare, with commas between. Default: all that is here.", valueName: "names"))
    var peers: String?

    @Option(
        name: .customLong("peer-cmd"), help: ArgumentHelp("Another wireguard-go. May be repeated.", valueName: "name=path"))
    var peerCommands: [String] = []

    @Option(help: "Rounds. Default: 3, with --quick 1.")
    var rounds: Int?

    @Option(help: "Length of each TCP transfer. Default: 5, with --quick 1.")
    var seconds: Int?

    @Flag(help: "One short round: less certain figures.")
    var quick = false

    @Option(help: "What joins the namespaces: veth, or nic, a veth with the offloads that network cards have.")
    var underlay = TunnelStage.Underlay.veth

    @Option(help: "What peers named oxidize prefer. Default: what they find best.")
    var aead: TunnelPeer.AEADName?

    @Option(help: ArgumentHelp("Measure what this many peers in the relay's configuration cost.", valueName: "n"))
    var configuredPeers: Int?

    @OptionGroup var programs: ProgramOptions
    @OptionGroup var output: ReportOptions

    private var roundCount: Int { rounds ?? (quick ? 1 : 3) }
    private var transferSeconds: Int { seconds ?? (quick ? 1 : 5) }

    func validate() throws {
        guard (1...100).contains(roundCount) else { throw ValidationError("--rounds must be 1 to 100.") }
        guard (1...600).contains(transferSeconds) else { throw ValidationError("--seconds must be 1 to 600.") }
        if let configuredPeers, !(2...60_000).contains(configuredPeers) {
            throw ValidationError("--configured-peers must be 2 to 60000.")
        }
        _ = try chosen()
    }

    func run() throws {
        let (itself, program) = try programs.find()
        let peers = try chosen()
        var needed = [
            "ip": "iproute2", "nsenter": "util-linux", "ping": "iputils-ping", "iperf3": "iperf3", "ethtool": "ethtool",
        ]
        for case .wireGuard(let program) in peers.map(\.kind) {
            needed["wg"] = "wireguard-tools"
            if !program.contains("/") { needed[program] = program }
        }
        try Enclosure.require(needed)
        try Enclosure.run { children in
            let stage = try TunnelStage(children: children, oxbench: itself, oxidize: program, underlay: underlay)
            let narrator = Narrator(descriptor: 2)
            let results = try configuredPeers.map {
                try TunnelScale(stage: stage, peers: $0, rounds: roundCount, seconds: transferSeconds, narrator: narrator)
                    .measure(peers)
            } ?? compare(peers, stage, narrator)
            Report(command: "tunnel", results: results).write(json: output.json)
        }
    }

    private func compare(_ peers: [TunnelPeer], _ stage: TunnelStage, _ narrator: Narrator) throws -> [Report.Result] {
        let lengths = quick ? TunnelLengths.quick(seconds: transferSeconds) : .full(seconds: transferSeconds)
        var samples = peers.map { _ in Samples<TunnelFigure>() }
        var aeads: [String?] = peers.map { _ in nil }
        for round in 1...roundCount {
            narrator.title("Round \(round) of \(roundCount)")
            for (index, peer) in peers.enumerated() {
                let way = try stage.open(peer)
                var measured = TunnelRound(
                    stage: stage, way: way, lengths: lengths, narrator: narrator, samples: samples[index])
                try measured.measure()
                try stage.close(way)
                samples[index] = measured.samples
                aeads[index] = way.aead
            }
        }
        return peers.indices.map { index in
            Report.Result(
                [
                    (key: "peer", value: .text(peers[index].name)),
                    (key: "underlay", value: .text(underlay.rawValue)),
                    (key: "aead", value: aeads[index].map { .text($0) } ?? .unknown),
                    (key: "rounds", value: .integer(UInt64(roundCount))),
                    (key: "transfer_s", value: .integer(UInt64(transferSeconds))),
                ] + samples[index].fields + [
                    (key: "overload_tcp_rounds_passed", value: .integer(UInt64(samples[index].count(.overloadTransfer))))
                ])
        }
    }

    // MARK: Peers

    private static let wireGuardGo = "wireguard-go"

    private func chosen() throws -> [TunnelPeer] {
        var programs = [Self.wireGuardGo: Self.wireGuardGo]
        var order = Enclosure.isInstalled(Self.wireGuardGo) ? [Self.wireGuardGo] : []
        for text in peerCommands {
            let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2 else { throw ValidationError("write --peer-cmd like NAME=PATH.") }
            guard Enclosure.isExecutable(parts[1]) else { throw ValidationError("there is no program \(parts[1]).") }
            if programs.updateValue(parts[1], forKey: parts[0]) == nil { order.append(parts[0]) }
        }
        let names = peers?.split(separator: ",").map(String.init) ?? ["oxidize"] + order + ["none"]
        guard !names.isEmpty else { throw ValidationError("--peers names nobody.") }
        return try names.map { try peer($0, programs) }
    }

    private func peer(_ name: String, _ programs: [String: String]) throws -> TunnelPeer {
        if name == "none" { return TunnelPeer(name: name, kind: .none) }
        if name == "oxidize" { return TunnelPeer(name: name, kind: .oxidize(aead: aead)) }
        if let forced = TunnelPeer.AEADName.allCases.first(where: { name == "oxidize@\($0.rawValue)" }) {
            return TunnelPeer(name: name, kind: .oxidize(aead: forced))
        }
        if let program = programs[name] { return TunnelPeer(name: name, kind: .wireGuard(program: program)) }
        let known = ["oxidize"] + TunnelPeer.AEADName.allCases.map { "oxidize@\($0.rawValue)" } + programs.keys.sorted() + ["none"]
        throw ValidationError("there is no peer '\(name)'; the peers are \(known.joined(separator: ", ")).")
    }
}

extension TunnelStage.Underlay: ExpressibleByArgument {}
extension TunnelPeer.AEADName: ExpressibleByArgument {}
