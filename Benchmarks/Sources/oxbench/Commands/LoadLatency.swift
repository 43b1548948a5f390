import ArgumentParser

/// `oxbench load latency`: a game beside an upload.
struct LoadLatency: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "latency",
        abstract: "A game flow while a TCP upload fills the link.",
        discussion: """
            The game is a UDP flow of 60 packets a second, 100 bytes each; its delays are one way. It is played on the \
            idle link (idle_...), while the upload begins (onset_..., from half a second before it), and while the upload \
            goes on (loaded_...). added_game_p99_ms is loaded less idle, and meets_bar whether its median is at most 10 ms. \
            upload_goodput is TCP payload, without the upload's first five seconds (--quick: two).

            Takes about 45 s a run.
            """)

    @OptionGroup var compared: TunnelPeerOptions

    @Option(name: .customLong("cc"), help: "The kernel's congestion control of the upload.")
    var congestionControl = KernelCongestionControl.cubic

    @Option(help: ArgumentHelp("Of the link, both directions.", valueName: "rate"), transform: Parse.rate)
    var rate: UInt64 = 20_000_000

    @Option(help: ArgumentHelp("Round-trip time of the link.", valueName: "time"), transform: Parse.duration)
    var rtt: UInt64 = 40_000_000

    @Option(
        help: ArgumentHelp("What the buffer in front of the rate holds: bytes that take this long.", valueName: "time"),
        transform: Parse.duration)
    var buffer: UInt64 = 300_000_000

    @Option(help: ArgumentHelp("Independent loss.", valueName: "probability"), transform: Parse.probability)
    var loss = 0.0

    @OptionGroup var options: LoadOptions

    private static let barMilliseconds = 10.0
    private var onsetSeconds: Int { options.quick ? 2 : 5 }

    func validate() throws {
        guard buffer > 0 else { throw ValidationError("--buffer must be above zero.") }
    }

    func run() throws {
        let peers = try compared.peers()
        let bottleneck = LoadBottleneck(
            bitsPerSecond: rate, roundTripNanoseconds: rtt, bufferNanoseconds: buffer, loss: loss)
        try options.measure("load latency", peers: peers) { stage in
            var samples = peers.map { _ in LoadSamples<Figure>() }
            for round in 1...options.roundCount {
                stage.narrator.title("Round \(round) of \(options.roundCount)")
                for (index, peer) in peers.enumerated() {
                    stage.narrator.say("\(peer.name): a game, then a game beside an upload (TCP \(congestionControl))")
                    try stage.measure(peer, over: bottleneck.options, &samples[index]) { try measure($0, bottleneck) }
                }
            }
            return peers.indices.map { index in
                let added = samples[index].median(.added)
                return Report.Result(
                    [
                        (key: "peer", value: .text(peers[index].name)),
                        (key: "congestion_control", value: .text(congestionControl.rawValue)),
                    ] + bottleneck.fields + [
                        (key: "measured_s", value: .integer(UInt64(options.measuredSeconds))),
                        (key: "meets_bar", value: added.map { .flag($0 <= Self.barMilliseconds) } ?? .unknown),
                    ] + samples[index].fields(spread: options.output.json))
            }
        }
    }

    enum Figure: String, CaseIterable {
        case idleMedian = "idle_game_p50_ms"
        case idleP99 = "idle_game_p99_ms"
        case onsetMedian = "onset_game_p50_ms"
        case onsetP99 = "onset_game_p99_ms"
        case loadedMedian = "loaded_game_p50_ms"
        case loadedP99 = "loaded_game_p99_ms"
        case loadedLost = "loaded_game_lost_percent"
        case added = "added_game_p99_ms"
        case goodput = "upload_goodput_mbit_per_s"
        case goodputShare = "upload_goodput_percent_of_rate"
    }

    private func measure(_ run: LoadStage.Run, _ bottleneck: LoadBottleneck) throws -> [Figure: Double] {
        let idle = try run.way.traffic.game(seconds: max(3, options.measuredSeconds / 2)).received
        let beside = try GameBesideUpload(
            traffic: run.way.traffic, congestionControl: congestionControl, onsetSeconds: onsetSeconds,
            seconds: options.measuredSeconds
        ).play()
        let loaded = beside.game.received
        var figures: [Figure: Double] = [
            .idleMedian: idle.delay_p50_us / 1000,
            .idleP99: idle.delay_p99_us / 1000,
            .onsetMedian: beside.onset.received.delay_p50_us / 1000,
            .onsetP99: beside.onset.received.delay_p99_us / 1000,
            .loadedMedian: loaded.delay_p50_us / 1000,
            .loadedP99: loaded.delay_p99_us / 1000,
            .added: (loaded.delay_p99_us - idle.delay_p99_us) / 1000,
            .goodput: beside.uploadBitsPerSecond / 1e6,
            .goodputShare: 100 * beside.uploadBitsPerSecond / Double(bottleneck.bitsPerSecond),
        ]
        if let percent = loaded.loss_percent { figures[.loadedLost] = percent }
        return figures
    }
}
