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

    @OptionGroup var compared: TunnelPeerOptions

    @Option(help: "Rounds. Default: 3, with --quick 1.")
    var rounds: Int?

    @Option(help: "Length of each TCP transfer. Default: 5, with --quick 1.")
    var seconds: Int?

    @Flag(help: "One short round: less certain figures.")
    var quick = false

    @Option(help: "What joins the namespaces: veth, or nic, a veth with the offloads that network cards have.")
    var underlay = TunnelStage.Underlay.veth

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
    }

    func run() throws {
        let (itself, program) = try programs.find()
        let peers = try compared.peers()
        try Enclosure.require(TunnelStage.programs(for: peers).merging(["ethtool": "ethtool"]) { $1 })
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
}

extension TunnelStage.Underlay: ExpressibleByArgument {}
extension TunnelPeer.AEADName: ExpressibleByArgument {}
