import ArgumentParser
import FoundationEssentials

/// `oxbench load traces`: links whose rate is that of a recorded one.
struct LoadTraces: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "traces",
        abstract: "Fills links whose rate follows recorded traces.",
        discussion: """
            Traces are of mahimahi's form, a line (ms) for each 1500 bytes, and may be gzipped. --traces names one, or a \
            folder with files NAME.up and NAME.down, or that folder packed as .tar.xz. The way to be filled has one \
            direction of a trace, the way back the other one if there is one.

            What fills: cubic and bbr are TCP of this kernel without a tunnel; oxidize is UDP into the tunnel, more than \
            the link takes; NAME+cubic and NAME+bbr are TCP through that peer.

            utilisation_percent is what arrived, IP bytes, of what the trace could have carried in the same time \
            (trace_mbit_per_s), without the first three seconds (--quick: one). link_queue_... is how long packets waited \
            in front of the link, from its start, and trace_wait_p95_ms how long a packet would that comes to an empty \
            queue, at any time: what the trace itself costs.

            Without --traces it looks for bandwidth.tar.xz, or the folder bandwidth, in $OXIDIZE_DATA and then in \
            ../shared/data; without that there is nothing to measure, and it says so.

            Takes about 10 s a run and what --seconds says, for each direction of each trace and each sender.
            """)

    @Option(help: ArgumentHelp("A trace, a folder of traces, or one that is packed.", valueName: "path"))
    var traces: String?

    @Option(help: ArgumentHelp("Only those whose name holds this.", valueName: "text"))
    var only: String?

    @Option(help: ArgumentHelp("What fills the link, with commas between.", valueName: "names"))
    var senders = "cubic,bbr,oxidize,oxidize+cubic"

    @Option(help: ArgumentHelp("Round-trip time of the link.", valueName: "time"), transform: Parse.duration)
    var rtt: UInt64 = 40_000_000

    @Option(
        help: ArgumentHelp("What the buffer holds. Default: 1000 packets of 1500 bytes.", valueName: "size"),
        transform: Parse.size)
    var buffer: UInt64 = 1_500_000

    @OptionGroup var options: LoadOptions

    /// What a tunnel may take to open.
    private static let openingSeconds = 30

    func validate() throws {
        guard buffer > 0 else { throw ValidationError("--buffer must be above zero.") }
        _ = try LoadSender.parse(senders)
    }

    func run() throws {
        let senders = try LoadSender.parse(senders)
        guard let place = try TraceSet.find(traces) else {
            Narrator(descriptor: 2).say("SKIP: there are no traces here: name them with --traces, or set OXIDIZE_DATA")
            Report(command: "load traces", results: []).write(json: options.output.json)
            return
        }
        try options.measure("load traces", peers: senders.map(\.peer), needs: ["gzip": "gzip", "tar": "tar"]) { stage in
            let set = try TraceSet(place, stage.children)
            let links = set.links.filter { link in only.map { link.name.contains($0) } ?? true }
            guard !links.isEmpty else { throw LabFailure("no trace in \(place) has \(only ?? "") in its name") }
            return try links.flatMap { try results(of: $0, senders, set, stage) }
        }
    }

    private func results(
        of link: TraceSet.Link, _ senders: [LoadSender], _ set: TraceSet, _ stage: LoadStage
    ) throws -> [Report.Result] {
        let seconds = Self.openingSeconds + options.settlingSeconds + options.measuredSeconds
        let forward = try set.load(link.forward, as: "forward", seconds: seconds)
        var linkOptions = [
            "--delay", "\(rtt / 2)ns", "--ab-trace", forward.path, "--ab-queue", "\(buffer)b",
        ]
        if let backward = link.backward {
            linkOptions += [
                "--ba-trace", try set.load(backward, as: "backward", seconds: seconds).path, "--ba-queue", "\(buffer)b",
            ]
        }
        var samples = senders.map { _ in LoadSamples<Figure>() }
        for round in 1...options.roundCount {
            stage.narrator.title("\(link.name), round \(round) of \(options.roundCount)")
            for (index, sender) in senders.enumerated() {
                stage.narrator.say(sender.name)
                do {
                    try stage.measure(sender.peer, over: linkOptions, &samples[index]) {
                        try measure($0, sender, forward, stage)
                    } afterwards: {
                        [.queueMedian: $0.aToB.queue_p50_us / 1000, .queueP95: $0.aToB.queue_p95_us / 1000]
                    }
                } catch let failure as LabFailure {
                    stage.narrator.say("No figure: \(failure)")
                    samples[index].failed += 1
                }
            }
        }
        return senders.indices.map { index in
            Report.Result(
                [
                    (key: "trace", value: .text(link.name)),
                    (key: "sender", value: .text(senders[index].name)),
                    (key: "trace_wait_p95_ms", value: .number(forward.waitP95Milliseconds(seconds - Self.openingSeconds))),
                    (key: "rtt_ms", value: .number(Double(rtt) / 1e6)),
                    (key: "buffer_bytes", value: .integer(buffer)),
                    (key: "measured_s", value: .integer(UInt64(options.measuredSeconds))),
                ] + samples[index].fields(spread: options.output.json))
        }
    }

    enum Figure: String, CaseIterable {
        case utilisation = "utilisation_percent"
        case arrived = "arrived_mbit_per_s"
        case able = "trace_mbit_per_s"
        case queueMedian = "link_queue_p50_ms"
        case queueP95 = "link_queue_p95_ms"
    }

    private func measure(
        _ run: LoadStage.Run, _ sender: LoadSender, _ trace: TraceSet.Trace, _ stage: LoadStage
    ) throws -> [Figure: Double] {
        let saturation = Saturation(stage: stage, run: run)
        let window: Saturation.Window
        if let congestionControl = sender.congestionControl {
            let length = options.settlingSeconds + options.measuredSeconds + 5
            let transfer = try run.way.traffic.begin(.seconds(length), congestionControl: congestionControl.rawValue)
            defer { run.way.traffic.abandon(transfer) }
            window = try saturation.watch(settlingSeconds: options.settlingSeconds, seconds: options.measuredSeconds)
        } else {
            window = try saturation.fill(
                bitsPerSecond: 1.25 * trace.peakBitsPerSecond, settlingSeconds: options.settlingSeconds,
                seconds: options.measuredSeconds
            ).window
        }
        let begin = run.linkStart + rtt / 2
        let able = trace.bytes(from: window.from - begin, to: window.to - begin)
        return [
            .utilisation: 100 * Double(window.bytes) / Double(max(1, able)), .arrived: window.bitsPerSecond / 1e6,
            .able: 8000 * Double(able) / Double(window.to - window.from),
        ]
    }
}

/// What fills a link.
struct LoadSender {
    let name: String
    let peer: TunnelPeer
    /// Of TCP; nil for UDP, more than the link takes.
    let congestionControl: KernelCongestionControl?

    static func parse(_ text: String) throws -> [LoadSender] {
        try text.split(separator: ",").map { try LoadSender(String($0)) }
    }

    private init(_ name: String) throws {
        let parts = name.split(separator: "+", maxSplits: 1).map(String.init)
        let last = parts.last.flatMap(KernelCongestionControl.init(rawValue:))
        let peers: [String: TunnelPeer.Kind] = [
            "oxidize": .oxidize(aead: nil), "wireguard-go": .wireGuard(program: "wireguard-go"),
        ]
        self.name = name
        if parts.count == 1, let last {
            peer = TunnelPeer(name: "none", kind: .none)
            congestionControl = last
        } else if let kind = parts.first.flatMap({ peers[$0] }), parts.count == 1 || last != nil {
            peer = TunnelPeer(name: parts[0], kind: kind)
            congestionControl = last
        } else {
            throw ValidationError(
                "there is no sender '\(name)'; the senders are cubic, bbr, oxidize, wireguard-go, and the last two with "
                    + "+cubic or +bbr.")
        }
    }
}
