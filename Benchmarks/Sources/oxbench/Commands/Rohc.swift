import ArgumentParser
import CLabRohc

/// `oxbench rohc`: header compression, alone.
struct Rohc: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Compresses headers: filters for other implementations' tests, and measurements.",
        discussion: """
            c and d are filters from standard input to standard output. Records are a length of 32 bits, big-endian, and so many \
            bytes: raw IP packets on one side, ROHC packets on the other, record i for record i. An empty record says that \
            nothing came out.

            Feedback files have records of an index of 32 bits, counted from 0, of the packet that the feedback follows, a length of \
            32 bits, and feedback elements as they stand in front of a ROHC packet.

            bench, channel and types send flows of generators, which are functions of --seed alone; flows lists them.
            """,
        subcommands: [RohcCompress.self, RohcDecompress.self, RohcBench.self, RohcChannel.self, RohcTypes.self, RohcFlows.self])
}

enum RohcMode: String, ExpressibleByArgument, CaseIterable { case U, O }
enum RohcCID: String, ExpressibleByArgument, CaseIterable { case small, large }

/// What both ends of a channel agree on.
struct RohcOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "v1, v2, or names of profiles between commas: uncompressed, rtp, udp, esp, ip, tcp, v2-rtp, v2-udp, v2-esp, v2-ip.",
            valueName: "list"))
    var profiles = "v1"

    @Option(help: "Small context ids stand in front of a packet, large ones within it.")
    var cid = RohcCID.small

    @Option(help: ArgumentHelp("Highest context id. Default: 15, or 16383 for large ones.", valueName: "n"))
    var maxCid: Int?

    @Option(help: "U: nothing comes back; O: feedback does.")
    var mode = RohcMode.O

    @Option(help: "How much reordering version 2 is ready for: 0 none, 1 a quarter, 2 half, 3 three quarters of its interval.")
    var reorderRatio: UInt8 = 1

    @Option(help: ArgumentHelp("How often a change is sent, against loss. Default: 3.", valueName: "n"))
    var repetitions: UInt8?

    @Option(help: ArgumentHelp("UDP ports that are taken for RTP at once; other flows by their behaviour.", valueName: "ports"))
    var rtpPorts: String?

    private static let portsMost = Int(LAB_ROHC_PORTS_MAX)

    private var cidMost: Int { cid == .small ? 15 : 16383 }

    private func set() throws -> UInt32 {
        var set: UInt32 = 0
        for name in profiles.split(separator: ",") {
            let one = unsafe lab_rohc_profiles_of(String(name))
            guard one != 0 else { throw ValidationError("there is no profile '\(name)'.") }
            set |= one
        }
        guard set != 0 else { throw ValidationError("--profiles names none.") }
        guard !lab_rohc_profiles_clash(set) else {
            throw ValidationError("a channel has a profile of version 1 or the same of version 2, not both.")
        }
        return set
    }

    private func ports() throws -> [UInt16] {
        try (rtpPorts ?? "").split(separator: ",").map { text in
            guard let port = UInt16(text), port > 0 else { throw ValidationError("'\(text)' is no UDP port.") }
            return port
        }
    }

    func validate() throws {
        _ = try set()
        guard reorderRatio <= 3 else { throw ValidationError("--reorder-ratio must be 0 to 3.") }
        guard (1...8).contains(repetitions ?? 3) else { throw ValidationError("--repetitions must be 1 to 8.") }
        guard (0...cidMost).contains(maxCid ?? 0) else { throw ValidationError("--max-cid must be 0 to \(cidMost).") }
        guard try ports().count <= Self.portsMost else {
            throw ValidationError("--rtp-ports must be at most \(Self.portsMost).")
        }
    }

    /// As the C side has them.
    func agreed() throws -> lab_rohc_options {
        var options = lab_rohc_options()
        options.profiles = try set()
        options.cid_max = UInt16(maxCid ?? cidMost)
        options.large_cids = cid == .large
        options.bidirectional = mode == .O
        options.reorder_ratio = reorderRatio
        options.repetitions = repetitions ?? 0
        let ports = try ports()
        options.rtp_ports = UInt8(ports.count)
        unsafe withUnsafeMutableBytes(of: &options.rtp_port) { bytes in
            for (index, port) in ports.enumerated() {
                unsafe bytes.storeBytes(of: port, toByteOffset: 2 * index, as: UInt16.self)
            }
        }
        return options
    }
}

// MARK: - Filters

struct RohcCompress: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "c", abstract: "Compresses records of IP packets into records of ROHC packets.")

    @Option(help: ArgumentHelp("What the decompressor said.", valueName: "file"))
    var feedbackIn: String?

    @OptionGroup var options: RohcOptions

    func run() throws {
        var options = try options.agreed()
        guard unsafe lab_rohc_filter(&options, false, feedbackIn) else { throw LabFailure.last }
    }
}

struct RohcDecompress: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "d", abstract: "Decompresses records of ROHC packets into records of IP packets.")

    @Option(help: ArgumentHelp("Where to write what the decompressor says.", valueName: "file"))
    var feedbackOut: String?

    @OptionGroup var options: RohcOptions

    func run() throws {
        var options = try options.agreed()
        guard unsafe lab_rohc_filter(&options, true, feedbackOut) else { throw LabFailure.last }
    }
}

// MARK: - Flows

struct RohcFlows: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "flows", abstract: "Lists the flows that the generators make, or writes the packets of one.")

    @Option(help: ArgumentHelp("Write the packets of this flow to standard output, as records for c.", valueName: "flow"))
    var write: String?

    @Option(help: "How many.")
    var packets: UInt64 = 10_000

    @Option(help: "The seed that they are drawn from.")
    var seed: UInt64 = 1

    static var names: [String] {
        var names: [String] = []
        while let name = unsafe lab_rohc_flow_name(names.count) { names.append(unsafe String(cString: name)) }
        return names
    }

    func run() throws {
        guard let write else { return Self.names.forEach { print($0) } }
        guard unsafe lab_rohc_write(write, packets, seed) else { throw LabFailure.last }
    }
}

/// Which flows, and how much of them.
struct RohcFlowOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Only flows whose name has this in it.", valueName: "text"))
    var only: String?

    @Option(help: "Packets of each flow.")
    var packets: UInt64 = 10_000

    @Option(help: "Seed of the first run; with --seeds, those that follow it too.")
    var seed: UInt64 = 1

    func validate() throws {
        guard (1...100_000_000).contains(packets) else { throw ValidationError("--packets must be 1 to 100000000.") }
    }

    func flows(hard: Bool) throws -> [String] {
        let all = RohcFlows.names.filter { hard || only != nil || !$0.hasPrefix("hard-") }
        let names = only.map { only in all.filter { $0.contains(only) } } ?? all
        guard !names.isEmpty else { throw LabFailure("no flow has '\(only ?? "")' in its name; oxbench rohc flows lists them") }
        return names
    }
}

extension lab_rohc_options {
    /// Many flows need room, whatever is asked for.
    func roomy(for flow: String) -> lab_rohc_options {
        var options = self
        if flow.hasPrefix("mix") && options.cid_max < 64 {
            options.large_cids = true
            options.cid_max = 255
        }
        return options
    }
}
