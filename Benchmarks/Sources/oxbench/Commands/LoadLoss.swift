import ArgumentParser

/// `oxbench load loss`: what gets through a link that loses at random.
struct LoadLoss: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "loss",
        abstract: "Goodput over a link with random loss.",
        discussion: """
            tcp_goodput is that of a TCP upload, without its first three seconds (--quick: one): of the kernel's \
            congestion control inside the peer. wire is what arrives over the link, IP bytes, when UDP of 1.1 times the \
            rate is sent into the peer: of the peer's own congestion control, if it has one. udp_goodput is the payload of \
            that, and link_queue_... how long packets waited in front of the rate, in both.

            Takes about 55 s a run, of which there is one for each peer and each loss.
            """)

    @OptionGroup var compared: TunnelPeerOptions

    @Option(name: .customLong("cc"), help: "The kernel's congestion control of the upload.")
    var congestionControl = KernelCongestionControl.cubic

    @Option(help: ArgumentHelp("Independent losses, with commas between.", valueName: "probabilities"))
    var loss = "1%,5%"

    @Option(help: ArgumentHelp("Of the link, both directions.", valueName: "rate"), transform: Parse.rate)
    var rate: UInt64 = 100_000_000

    @Option(help: ArgumentHelp("Round-trip time of the link.", valueName: "time"), transform: Parse.duration)
    var rtt: UInt64 = 60_000_000

    @Option(
        help: ArgumentHelp("What the buffer holds. Default: as much as the round trip.", valueName: "time"),
        transform: Parse.duration)
    var buffer: UInt64?

    @OptionGroup var options: LoadOptions

    func validate() throws {
        _ = try losses()
        guard rtt > 0, buffer != 0 else { throw ValidationError("--rtt and --buffer must be above zero.") }
    }

    private func losses() throws -> [Double] {
        try Parse.fields(loss, 1...10, like: "1%,5%").map(Parse.probability)
    }

    func run() throws {
        let peers = try compared.peers()
        let bottlenecks = try losses().map {
            LoadBottleneck(bitsPerSecond: rate, roundTripNanoseconds: rtt, bufferNanoseconds: buffer ?? rtt, loss: $0)
        }
        let cases = bottlenecks.flatMap { link in peers.map { (link: link, peer: $0) } }
        try options.measure("load loss", peers: peers) { stage in
            var samples = cases.map { _ in LoadSamples<Figure>() }
            for round in 1...options.roundCount {
                stage.narrator.title("Round \(round) of \(options.roundCount)")
                for (index, scene) in cases.enumerated() {
                    let percent = Report.Value.number(100 * scene.link.loss).plain
                    stage.narrator.say("\(scene.peer.name), \(percent) % loss: TCP (\(congestionControl)), then UDP")
                    try stage.measure(scene.peer, over: scene.link.options, &samples[index]) {
                        try measure($0, stage)
                    } afterwards: {
                        [.queueMedian: $0.aToB.queue_p50_us / 1000, .queueP95: $0.aToB.queue_p95_us / 1000]
                    }
                }
            }
            return cases.indices.map { index in
                Report.Result(
                    [
                        (key: "peer", value: .text(cases[index].peer.name)),
                        (key: "congestion_control", value: .text(congestionControl.rawValue)),
                    ] + cases[index].link.fields + [(key: "measured_s", value: .integer(UInt64(options.measuredSeconds)))]
                        + samples[index].fields(spread: options.output.json))
            }
        }
    }

    enum Figure: String, CaseIterable {
        case transfer = "tcp_goodput_mbit_per_s"
        case transferShare = "tcp_goodput_percent_of_rate"
        case wireShare = "wire_percent_of_rate"
        case datagrams = "udp_goodput_mbit_per_s"
        case queueMedian = "link_queue_p50_ms"
        case queueP95 = "link_queue_p95_ms"
    }

    private func measure(_ run: LoadStage.Run, _ stage: LoadStage) throws -> [Figure: Double] {
        let transfer = try run.way.traffic.transfer(
            .seconds(options.measuredSeconds), congestionControl: congestionControl.rawValue,
            omitSeconds: options.settlingSeconds
        ).end.sum_received.bits_per_second
        let saturated = try Saturation(stage: stage, run: run).fill(
            bitsPerSecond: 1.1 * Double(rate), settlingSeconds: options.settlingSeconds, seconds: options.measuredSeconds)
        return [
            .transfer: transfer / 1e6,
            .transferShare: 100 * transfer / Double(rate),
            .wireShare: 100 * saturated.window.bitsPerSecond / Double(rate),
            .datagrams: saturated.payloadBitsPerSecond / 1e6,
        ]
    }
}
