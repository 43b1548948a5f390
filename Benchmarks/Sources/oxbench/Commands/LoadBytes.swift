import ArgumentParser
import CLabBase

/// `oxbench load bytes`: what packets take on the wire.
struct LoadBytes: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bytes",
        abstract: "Bytes on the wire of a game, a call and a download.",
        discussion: """
            Counts IP bytes that both ends send over the link: headers of the tunnel, feedback and repair included. Peers \
            have their defaults; oxidize-without-FEATURE is Oxidize with that one of [features] off, at both ends. By \
            default the peers are oxidize, oxidize-without-header-compression, wireguard-go and none.

            A game (60 packets/s of 64 to 200 bytes of UDP) and then a call (50 packets/s: RTP with 160 bytes of G.711) go \
            to the relay: up is their direction, down the other one, and what has neither in its name is both. Everything \
            from before the first packet counts, so the introduction of a flow does, too.

            A TCP download then comes from the relay, without --loss limited by the link alone. ack_bytes_per_packet is \
            what the client sent during it, for each packet that the kernel gave its end of the tunnel: acknowledgements, and \
            the tunnel's own feedback. download_..._per_full_packet is for 1448 bytes of payload, what a packet of 1500 bytes \
            carries, in both directions and in each; retransmissions and the test's own connection are part of it.

            ..._saved_percent_of_uncompressed and ..._saved_percent_of_wireguard_go are the share of the bytes that this \
            peer does without, of those of oxidize-without-header-compression and of wireguard-go; of a download's with its \
            acknowledgements, for the same payload.

            Takes about 70 s a run.
            """)

    @OptionGroup var compared: TunnelPeerOptions

    @Option(name: .customLong("cc"), help: "The kernel's congestion control of the download.")
    var congestionControl = KernelCongestionControl.cubic

    @Option(help: ArgumentHelp("Of the link, both directions.", valueName: "rate"), transform: Parse.rate)
    var rate: UInt64 = 20_000_000

    @Option(help: ArgumentHelp("Round-trip time of the link.", valueName: "time"), transform: Parse.duration)
    var rtt: UInt64 = 40_000_000

    @Option(
        help: ArgumentHelp("What the buffer in front of the rate holds: bytes that take this long.", valueName: "time"),
        transform: Parse.duration)
    var buffer: UInt64 = 100_000_000

    @Option(help: ArgumentHelp("Independent loss.", valueName: "probability"), transform: Parse.probability)
    var loss = 0.0

    @OptionGroup var options: LoadOptions

    private static let feature = "header-compression"
    private static let uncompressed = TunnelPeer.name(without: feature)

    func validate() throws {
        guard buffer > 0 else { throw ValidationError("--buffer must be above zero.") }
    }

    func run() throws {
        let peers = try compared.peers(with: [Self.uncompressed])
        let bottleneck = LoadBottleneck(
            bitsPerSecond: rate, roundTripNanoseconds: rtt, bufferNanoseconds: buffer, loss: loss)
        try options.measure("load bytes", peers: peers) { stage in
            var samples = peers.map { _ in LoadSamples<Figure>() }
            for round in 1...options.roundCount {
                stage.narrator.title("Round \(round) of \(options.roundCount)")
                for (index, peer) in peers.enumerated() {
                    stage.narrator.say("\(peer.name): a game, a call, a download (TCP \(congestionControl))")
                    try stage.measure(peer, over: bottleneck.options, &samples[index]) { try measure($0, stage) }
                }
            }
            func outcome(of name: String) -> LoadSamples<Figure>? {
                peers.firstIndex { $0.name == name }.map { samples[$0] }
            }
            return peers.indices.map { index in
                Report.Result(
                    [
                        (key: "peer", value: .text(peers[index].name)),
                        (key: "congestion_control", value: .text(congestionControl.rawValue)),
                    ] + bottleneck.fields + [
                        (key: "measured_s", value: .integer(UInt64(options.measuredSeconds)))
                    ] + samples[index].fields(spread: options.output.json)
                        + saved(samples[index], of: outcome(of: Self.uncompressed), as: "uncompressed")
                        + saved(samples[index], of: outcome(of: TunnelPeerOptions.wireGuardGo), as: "wireguard_go"))
            }
        }
    }

    enum Figure: String, CaseIterable {
        case game = "game_bytes_per_packet"
        case gameUp = "game_up_bytes_per_packet"
        case gameDown = "game_down_bytes_per_packet"
        case voice = "voice_bytes_per_packet"
        case voiceUp = "voice_up_bytes_per_packet"
        case voiceDown = "voice_down_bytes_per_packet"
        case acknowledgement = "ack_bytes_per_packet"
        case acknowledgements = "acks_per_full_packet"
        case download = "download_bytes_per_full_packet"
        case downloadUp = "download_up_bytes_per_full_packet"
        case downloadDown = "download_down_bytes_per_full_packet"
    }

    private static let flows: [(name: String, figure: Figure)] = [
        ("game", .game), ("voice", .voice), ("ack", .acknowledgement), ("download", .download),
    ]

    private func saved(
        _ samples: LoadSamples<Figure>, of other: LoadSamples<Figure>?, as name: String
    ) -> [(key: String, value: Report.Value)] {
        Self.flows.map { flow in
            var value = Report.Value.unknown
            if let mine = samples.median(flow.figure), let theirs = other?.median(flow.figure), theirs > 0 {
                value = .number(100 * (1 - mine / theirs))
            }
            return (key: "\(flow.name)_saved_percent_of_\(name)", value: value)
        }
    }

    // MARK: A run

    private func measure(_ run: LoadStage.Run, _ stage: LoadStage) throws -> [Figure: Double] {
        // The search of the path MTU is no part of it.
        try Signals.sleep(UInt64(options.settlingSeconds) * 1_000_000_000)
        let game = try play("game", run, stage)
        let voice = try play("voice", run, stage)
        return [
            .game: game.up + game.down, .gameUp: game.up, .gameDown: game.down,
            .voice: voice.up + voice.down, .voiceUp: voice.up, .voiceDown: voice.down,
        ].merging(try download(run, stage)) { $1 }
    }

    /// Bytes for each packet of a flow.
    private func play(_ profile: String, _ run: LoadStage.Run, _ stage: LoadStage) throws -> (up: Double, down: Double) {
        let seconds = options.measuredSeconds
        let before = try stage.sent()
        let flow = try run.way.traffic.flow(["--profile", profile, "--duration", "\(seconds)s"], seconds: Double(seconds))
        let after = try stage.sent()
        guard flow.sent.send_failed_packets == 0 else { throw LabFailure("could not send all packets of the \(profile)") }
        guard flow.received.received_packets > 0 else { throw LabFailure("nothing of the \(profile) arrived") }
        let packets = flow.sent.sent_packets + flow.sent.end_packets
        return (flow.bytesPerPacket(onLink: after.up - before.up), Double(after.down - before.down) / Double(packets))
    }

    /// Of iperf3; its blocks, so that it ends with one.
    private static let blockBytes = 131_072
    /// A packet of 1500 bytes without its headers, with TCP's timestamps.
    private static let fullPayloadBytes = 1448.0

    private func download(_ run: LoadStage.Run, _ stage: LoadStage) throws -> [Figure: Double] {
        let seconds = options.measuredSeconds
        let blocks = max(1, Int(rate) / 8 * seconds * 9 / 10 / Self.blockBytes)
        let before = (wire: try stage.sent(), inner: try stage.given(run))
        let transfer = try run.way.traffic.transfer(
            .bytes(blocks * Self.blockBytes), reverse: true, congestionControl: congestionControl.rawValue,
            patience: Double(20 + 10 * seconds))
        let after = (wire: try stage.sent(), inner: try stage.given(run))
        let packets = Double(transfer.end.sum_received.bytes) / Self.fullPayloadBytes
        let acknowledgements = Double(after.inner - before.inner)
        guard packets > 0, acknowledgements > 0 else { throw LabFailure("nothing of the download arrived") }
        let up = Double(after.wire.up - before.wire.up)
        let down = Double(after.wire.down - before.wire.down)
        return [
            .acknowledgement: up / acknowledgements, .acknowledgements: acknowledgements / packets,
            .download: (up + down) / packets, .downloadUp: up / packets, .downloadDown: down / packets,
        ]
    }
}

extension LoadStage {
    /// IP bytes that the client and the relay have sent over the link so far.
    fileprivate func sent() throws -> (up: UInt64, down: UInt64) {
        // For what is still between a tunnel's device and the link's.
        try Signals.sleep(20_000_000)
        return (
            try tunnels.client.counters(of: "link0", children).sentBytes,
            try tunnels.relay.counters(of: "link0", children).sentBytes
        )
    }

    /// Packets that the client's kernel has given to this way so far.
    fileprivate func given(_ run: Run) throws -> UInt64 {
        let device =
            switch run.way.peer.kind {
            case .none: "link0"
            case .oxidize: "ox-client"
            case .wireGuard: "wg-client"
            }
        return try tunnels.client.counters(of: device, children).sentPackets
    }
}
