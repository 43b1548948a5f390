import ArgumentParser
import CLabBase
import CLabFlow

/// `oxbench flow`: a UDP flow and what became of it.
struct Flow: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Sends a numbered UDP flow, and reports what arrived of it.",
        discussion: """
            Start the sink first. Both ends must share a machine's clock (CLOCK_MONOTONIC), as network namespaces of \
            one machine do, or the delays mean nothing.

              ip netns exec relay  oxbench flow sink --listen 10.77.0.2:5000 --json
              ip netns exec client oxbench flow send --to 10.77.0.2:5000 --profile game --duration 10s
            """,
        subcommands: [Send.self, Sink.self]
    )
}

enum FlowProfile: String, ExpressibleByArgument, CaseIterable { case game, voice, bulk }

extension Flow {
    struct Send: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Sends a flow and reports how punctual the sender was.",
            discussion: """
                Profiles: game is 60 datagrams a second of 64 to 200 bytes; voice is 50 a second of 160 bytes behind an RTP \
                header (G.711, 20 ms each); bulk is what --rate or --pps and --size say (default 1200 bytes). Sizes are UDP \
                payloads, and so is the rate.

                The schedule is absolute: a late datagram does not move the next ones. A burst is one system call (sendmmsg).

                The end of the flow is told in ten small datagrams (end_packets). They are not among sent_packets and \
                lost_packets, but the counters of what they pass have them.
                """)

        @Option(help: ArgumentHelp("Where to: 192.0.2.1:5000 or [2001:db8::1]:5000.", valueName: "address"))
        var to: String

        @Option(help: "What to send.")
        var profile = FlowProfile.game

        @Option(help: ArgumentHelp("For how long.", valueName: "time"), transform: Parse.duration)
        var duration: UInt64 = 10_000_000_000

        @Option(help: ArgumentHelp("Datagrams a second (bulk).", valueName: "n"))
        var pps: Double?

        @Option(
            help: ArgumentHelp("UDP payload bits a second (bulk), such as 20mbit.", valueName: "rate"),
            transform: Parse.rate)
        var rate: UInt64?

        @Option(
            help: ArgumentHelp("UDP payload of each datagram (bulk). Default: 1200.", valueName: "size"),
            transform: Parse.size)
        var size: UInt64?

        @Option(help: ArgumentHelp("Datagrams that are sent together (bulk).", valueName: "n"))
        var burst: UInt32 = 1

        @Flag(help: "Give each burst to the kernel as one datagram that it segments (bulk).")
        var gso = false

        @Option(
            help: ArgumentHelp("End after this long, whatever is left of the plan.", valueName: "time"),
            transform: Parse.duration)
        var atMost: UInt64 = 0

        @Option(help: "Seed of the sizes.")
        var seed: UInt64 = 1

        @OptionGroup var output: ReportOptions

        func validate() throws {
            guard duration > 0 else { throw ValidationError("--duration must be above zero.") }
            guard burst > 0 else { throw ValidationError("--burst must be at least 1.") }
            let sizes = UInt64(LAB_FLOW_HEADER)...UInt64(LAB_FLOW_DATAGRAM_MAX)
            if let size, !sizes.contains(size) {
                throw ValidationError("--size must be \(sizes.lowerBound) to \(sizes.upperBound) bytes.")
            }
            if let pps, !(0.001...1e7).contains(pps) { throw ValidationError("--pps must be 0.001 to 10000000.") }
            guard profile == .bulk else {
                guard pps == nil, rate == nil, size == nil, burst == 1, !gso else {
                    throw ValidationError("--pps, --rate, --size, --burst and --gso are for --profile bulk.")
                }
                return
            }
            guard (pps == nil) != (rate == nil) else {
                throw ValidationError("--profile bulk needs one of --rate and --pps.")
            }
        }

        func run() throws {
            var plan = self.plan
            var sent = lab_flow_sent()
            guard unsafe lab_flow_send(to, &plan, &sent) else { throw LabFailure.last }
            let result: Report.Result = [
                "profile": .text(profile.rawValue),
                "sent_packets": .integer(sent.datagrams),
                "sent_payload_bytes": .integer(sent.bytes),
                "send_failed_packets": .integer(sent.failed),
                "end_packets": .integer(sent.ends),
                "end_payload_bytes": .integer(sent.end_bytes),
                "elapsed_s": .number(Double(sent.elapsed_ns) / 1e9),
                "lateness_p50_us": .number(Double(sent.lateness_p50_ns) / 1000),
                "lateness_p99_us": .number(Double(sent.lateness_p99_ns) / 1000),
                "lateness_max_us": .number(Double(sent.lateness_max_ns) / 1000),
                "interrupted": .flag(sent.interrupted),
            ]
            Report(command: "flow send", results: [result]).write(json: output.json)
        }

        private var plan: lab_flow_plan {
            let bytes = UInt32(size ?? 1200)
            let perSecond: Double
            let sizes: ClosedRange<UInt32>
            switch profile {
            case .game: (perSecond, sizes) = (60, 64...200)
            case .voice: (perSecond, sizes) = (50, UInt32(LAB_FLOW_RTP) + 160...UInt32(LAB_FLOW_RTP) + 160)
            case .bulk: (perSecond, sizes) = (pps ?? Double(rate ?? 0) / (8 * Double(bytes)), bytes...bytes)
            }
            let seconds = Double(duration) / 1e9
            return lab_flow_plan(
                seed: seed, interval_ps: UInt64((1e12 / perSecond).rounded()), burst: burst,
                size_min: sizes.lowerBound, size_max: sizes.upperBound, count: UInt64((seconds * perSecond).rounded()),
                limit_ns: atMost, gso: gso, rtp: profile == .voice)
        }
    }
}

extension Flow {
    struct Sink: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Takes in one flow and reports its losses, delays, order and duplicates.",
            discussion: """
                Ends --linger after the sender's end, after --timeout without a datagram, or with SIGINT or SIGTERM. \
                Without the sender's end nobody knows how much was sent: lost is then unknown, and the exit code 1.

                Delays are one-way, from just before the sender's system call to the kernel's time of receipt. \
                own_socket_dropped_packets are losses of the sink itself, and are part of lost_packets.
                """)

        @Option(help: ArgumentHelp("Where to listen: 0.0.0.0:5000 or [::]:5000.", valueName: "address"))
        var listen: String

        @Option(
            help: ArgumentHelp("Wait for stragglers this long after the end.", valueName: "time"),
            transform: Parse.duration)
        var linger: UInt64 = 1_000_000_000

        @Option(
            help: ArgumentHelp("Give up after this long without a datagram.", valueName: "time"),
            transform: Parse.duration)
        var timeout: UInt64 = 30_000_000_000

        @Option(help: ArgumentHelp("Write the numbers that did not arrive here, one a line.", valueName: "file"))
        var lostList: String?

        @OptionGroup var ready: ReadyOptions
        @OptionGroup var output: ReportOptions

        func run() throws {
            guard let sink = unsafe lab_flow_sink_open(listen) else { throw LabFailure.last }
            defer { unsafe lab_flow_sink_free(sink) }
            try ready.announce()
            guard unsafe lab_flow_sink_run(sink, linger, timeout) else { throw LabFailure.last }

            let summary = unsafe lab_flow_sink_summary(sink)
            guard summary.started else { throw LabFailure("no flow arrived at \(listen)") }
            let result = unsafe Self.result(summary, socketDropped: lab_flow_sink_dropped(sink))
            Report(command: "flow sink", results: [result]).write(json: output.json)
            guard summary.ended else {
                throw LabFailure("the sender's end never arrived, so the losses are unknown: was the sender killed?")
            }
            if let lostList {
                guard unsafe lab_flow_sink_write_lost(sink, lostList) else { throw LabFailure.last }
            }
        }
    }
}

extension Flow.Sink {
    private static func result(_ summary: lab_flow_summary, socketDropped: UInt64) -> Report.Result {
        let lossPercent = summary.sent > 0 ? 100 * Double(summary.lost) / Double(summary.sent) : 0
        return [
            "sent_packets": summary.ended ? .integer(summary.sent) : .unknown,
            "received_packets": .integer(summary.received),
            "received_payload_bytes": .integer(summary.received_bytes),
            "lost_packets": summary.ended ? .integer(summary.lost) : .unknown,
            "end_packets": .integer(summary.ends),
            "loss_percent": summary.ended ? .number(lossPercent) : .unknown,
            "duplicate_packets": .integer(summary.duplicates),
            "reordered_packets": .integer(summary.reordered),
            "delay_min_us": .number(Double(summary.delay_min_ns) / 1000),
            "delay_p50_us": .number(Double(summary.delay_p50_ns) / 1000),
            "delay_p90_us": .number(Double(summary.delay_p90_ns) / 1000),
            "delay_p99_us": .number(Double(summary.delay_p99_ns) / 1000),
            "delay_max_us": .number(Double(summary.delay_max_ns) / 1000),
            "jitter_us": .number(summary.jitter_ns / 1000),
            "payload_rate_bit_per_s": summary.elapsed_ns > 0 ? .number(summary.payload_bits_per_s) : .unknown,
            "elapsed_s": .number(Double(summary.elapsed_ns) / 1e9),
            "own_socket_dropped_packets": .integer(socketDropped),
            "foreign_packets": .integer(summary.foreign),
        ]
    }
}
