import ArgumentParser
import CLabRohc

/// `oxbench rohc bench`: bytes, time and memory.
struct RohcBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measures what headers become, and what that costs.",
        discussion: """
            Each flow goes from a compressor to a decompressor as in the tunnel: packets that do not pay go out as they are, \
            checksums are verified, and feedback is heard at once. header_in_bytes and header_out_bytes are means of all packets, the first \
            ones included; smallest_after_packets is the place of the first packet of the smallest size.

            Nanoseconds are processor time of one packet: the median of 160 rounds of 128 packets, which stay in the second-level cache; \
            those that end in _best are of the round that was disturbed least. What is timed is the whole codec, with the parsing of the \
            packet, the verification of its checksum, and the fetching of feedback; making packets and putting header and payload together \
            is not. first_compress_ns and first_decompress_ns are of the first packets of 128 flows, in contexts whose memory was used \
            before. Bytes of a context are what a compressor or decompressor takes for one more of them.

            bar_bytes is what the flow may cost. Exits with 1, after the report, when a packet did not come out as it went in.
            """)

    @OptionGroup var flows: RohcFlowOptions
    @OptionGroup var options: RohcOptions
    @OptionGroup var output: ReportOptions

    /// What the flows of the table may cost, in bytes.
    private static let bars: [String: Double] = [
        "voice-seq": 3.2, "voice-random": 5.2, "game-seq": 3.02, "game-random": 5.02, "game-ipv6": 3.03,
        "tcp-data-seq": 8.0, "tcp-data-zero": 7.0, "tcp-ack": 6.1, "tcp-ack-sack": 8.0, "ssh": 12, "web": 17, "mix-24": 9.5,
    ]

    func run() throws {
        let agreed = try options.agreed()
        var isExact = true
        let rows = try flows.flows(hard: false).map { name -> Report.Result in
            var cost = lab_rohc_cost()
            var room = agreed.roomy(for: name)
            guard unsafe lab_rohc_measure(name, &room, flows.packets, flows.seed, &cost) else { throw LabFailure.last }
            isExact = isExact && cost.wrong == 0 && cost.refused == 0
            let bar = Self.bars[name]
            return [
                "flow": .text(name),
                "profiles": .text(options.profiles),
                "mode": .text(options.mode.rawValue),
                "packets": .integer(cost.packets),
                "header_in_bytes": .number(cost.header_in),
                "header_out_bytes": .number(cost.header_out),
                "bar_bytes": bar.map(Report.Value.number) ?? .unknown,
                "met": bar.map { .text(cost.header_out <= $0 ? "met" : "short") } ?? .unknown,
                "smallest_after_packets": .integer(UInt64(cost.packets_to_smallest)),
                "compress_ns": .number(cost.compress.median_ns),
                "compress_ns_best": .number(cost.compress.best_ns),
                "decompress_ns": .number(cost.decompress.median_ns),
                "decompress_ns_best": .number(cost.decompress.best_ns),
                "first_compress_ns": .number(cost.first_compress.median_ns),
                "first_compress_ns_best": .number(cost.first_compress.best_ns),
                "first_decompress_ns": .number(cost.first_decompress.median_ns),
                "first_decompress_ns_best": .number(cost.first_decompress.best_ns),
                "sender_context_bytes": .number(cost.context_bytes_sender),
                "receiver_context_bytes": .number(cost.context_bytes_receiver),
                "wrong": .integer(cost.wrong),
                "refused": .integer(cost.refused),
            ]
        }
        Report(command: "rohc bench", results: rows).write(json: output.json)
        guard isExact else { throw LabFailure("a packet did not come out as it went in") }
    }
}

/// `oxbench rohc channel`: what loss and reordering do.
struct RohcChannel: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "channel",
        abstract: "Passes flows over a channel that loses, delays and repeats packets, and counts.",
        discussion: """
            Without options of its own it runs four channels: 5 % independent loss, 5 % in bursts of 4, 3 % late by 1 to 3 places, and \
            2 % in bursts of 2 with 3 % late and 1 % twice. The receiver is told each packet's number, as the tunnel tells it, unless \
            --unnumbered is given.

            exact came out as it went in, lost was lost by the channel, refused arrived and did not come out, wrong came out as something \
            else. Bursts are Gilbert's: lengths are geometric with that mean.

            Exits with 1, after the report, when a packet was wrong.
            """)

    @Option(help: ArgumentHelp("Share of the packets that are lost.", valueName: "probability"), transform: Parse.probability)
    var loss: Double?

    @Option(help: "Packets that are lost in a row, the mean.")
    var burst: UInt32 = 1

    @Option(help: ArgumentHelp("Share of the packets that are late.", valueName: "probability"), transform: Parse.probability)
    var late: Double?

    @Option(help: ArgumentHelp("Late packets come 1 to so many places later.", valueName: "n"))
    var latePlaces: UInt32 = 3

    @Option(help: ArgumentHelp("Share of the packets that come twice.", valueName: "probability"), transform: Parse.probability)
    var duplicate: Double?

    @Option(help: ArgumentHelp("How long feedback takes.", valueName: "time"), transform: Parse.duration)
    var feedbackDelay: UInt64 = 40_000_000

    @Flag(help: "Do not tell the receiver the numbers of the packets.")
    var unnumbered = false

    @Option(help: "Runs, each with its seed.")
    var seeds = 1

    @OptionGroup var flows: RohcFlowOptions
    @OptionGroup var options: RohcOptions
    @OptionGroup var output: ReportOptions

    func validate() throws {
        guard (1...1000).contains(burst) else { throw ValidationError("--burst must be 1 to 1000.") }
        guard (1...16).contains(latePlaces) else { throw ValidationError("--late-places must be 1 to 16.") }
        guard (1...1000).contains(seeds) else { throw ValidationError("--seeds must be 1 to 1000.") }
    }

    private var channels: [(name: String, channel: lab_rohc_channel)] {
        func channel(_ loss: Double, _ burst: UInt32, _ late: Double, _ duplicate: Double) -> lab_rohc_channel {
            lab_rohc_channel(
                loss: loss, burst: burst, late: late, late_places: latePlaces, duplicate: duplicate, unnumbered: unnumbered,
                feedback_ns: feedbackDelay)
        }
        guard loss == nil && late == nil && duplicate == nil else {
            return [("custom", channel(loss ?? 0, burst, late ?? 0, duplicate ?? 0))]
        }
        return [
            ("loss", channel(0.05, 1, 0, 0)), ("bursts", channel(0.05, 4, 0, 0)), ("late", channel(0, 1, 0.03, 0)),
            ("all", channel(0.02, 2, 0.03, 0.01)),
        ]
    }

    func run() throws {
        let agreed = try options.agreed()
        var rows: [Report.Result] = []
        var wrong: UInt64 = 0
        for name in try flows.flows(hard: false) {
            for channel in channels {
                var sum = lab_rohc_tally()
                var header = 0.0
                for seed in flows.seed..<flows.seed + UInt64(seeds) {
                    let one = try pass(name, agreed, channel.channel, seed: seed)
                    sum.add(one)
                    header += one.header_out / Double(seeds)
                }
                wrong += sum.wrong
                rows.append(row(name, channel.name, sum, header: header))
            }
        }
        Report(command: "rohc channel", results: rows).write(json: output.json)
        guard wrong == 0 else { throw LabFailure("\(wrong) packets were wrong") }
    }

    private func pass(
        _ name: String, _ agreed: lab_rohc_options, _ channel: lab_rohc_channel, seed: UInt64
    ) throws -> lab_rohc_tally {
        var tally = lab_rohc_tally()
        var room = agreed.roomy(for: name)
        var channel = channel
        guard unsafe lab_rohc_pass(name, &room, &channel, flows.packets, seed, &tally) else { throw LabFailure.last }
        return tally
    }

    private func row(_ name: String, _ channel: String, _ sum: lab_rohc_tally, header: Double) -> Report.Result {
        [
            "flow": .text(name),
            "profiles": .text(options.profiles),
            "channel": .text(channel),
            "packets": .integer(sum.packets),
            "lost": .integer(sum.lost),
            "exact": .integer(sum.exact),
            "wrong": .integer(sum.wrong),
            "refused": .integer(sum.refused),
            "refused_late": .integer(sum.refused_late),
            "refused_percent": .number(100 * Double(sum.refused) / Double(sum.packets)),
            "duplicates": .integer(sum.duplicates),
            "header_out_bytes": .number(header),
        ]
    }
}

extension lab_rohc_tally {
    fileprivate mutating func add(_ other: lab_rohc_tally) {
        packets += other.packets
        lost += other.lost
        exact += other.exact
        wrong += other.wrong
        refused += other.refused
        refused_late += other.refused_late
        duplicates += other.duplicates
    }
}

/// `oxbench rohc types`: every kind of packet, and how often it was sent.
struct RohcTypes: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "types",
        abstract: "Counts each kind of ROHC packet over all flows, and checks that all come out as they went in.",
        discussion: """
            Sends every flow, the hard ones too, over version 1 and version 2, in U and in O mode, with each reorder ratio, whole and with one \
            packet in 37 missing. Exits with 1, after the report, when a kind was never seen or a packet was not exact.
            """)

    @OptionGroup var flows: RohcFlowOptions
    @OptionGroup var output: ReportOptions

    func run() throws {
        var counts = [UInt64](repeating: 0, count: Int(LAB_ROHC_TYPES_MAX))
        for name in try flows.flows(hard: true) {
            for profiles in ["v1", "v2"] {
                for mode in [false, true] {
                    for ratio in 0..<(profiles == "v2" ? 4 : 1) {
                        try count(name, profiles, bidirectional: mode, ratio: UInt8(ratio), into: &counts)
                    }
                }
            }
        }
        var results: [Report.Result] = []
        var unseen: [String] = []
        while let name = unsafe lab_rohc_type_name(results.count) {
            let type = unsafe String(cString: name)
            if counts[results.count] == 0 { unseen.append(type) }
            results.append(["type": .text(type), "packets": .integer(counts[results.count])])
        }
        Report(command: "rohc types", results: results).write(json: output.json)
        guard flows.only != nil || unseen.isEmpty else { throw LabFailure("never seen: \(unseen.joined(separator: ", "))") }
    }

    private func count(
        _ name: String, _ profiles: String, bidirectional: Bool, ratio: UInt8, into counts: inout [UInt64]
    ) throws {
        var options = lab_rohc_options()
        options.profiles = unsafe lab_rohc_profiles_of(profiles)
        options.cid_max = 15
        options.bidirectional = bidirectional
        options.reorder_ratio = ratio
        var room = options.roomy(for: name)
        for isLossy in [false, true] {
            let seed = flows.seed + (isLossy ? 1 : 0)
            guard unsafe lab_rohc_types(name, &room, flows.packets, seed, isLossy, &counts) else { throw LabFailure.last }
        }
    }
}
