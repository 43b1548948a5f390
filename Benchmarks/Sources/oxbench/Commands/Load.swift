import ArgumentParser
import CLabBase

/// `oxbench load`: what becomes of a link that is filled.
struct Load: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Fills an emulated link through tunnels, and measures what becomes of it.",
        discussion: """
            Joins the namespaces client and relay by oxbench link, runs the real client and relay of each peer in turn over \
            it, and fills it from the client: client -> relay is the upload. Every run has a link of its own, with the same \
            seed. Rounds are interleaved: A B C, A B C. Figures are the median over the rounds; --json has the least and \
            the largest as well.

            Peers: none is no tunnel at all; oxidize, oxidize@chacha20-poly1305 and oxidize@aes-256-gcm; wireguard-go; and \
            every NAME of --peer-cmd NAME=PATH, which is another wireguard-go; and oxidize-without-FEATURE, with that one of \
            [features] off.

            A run during which the emulator was late (link_lateness_p99_us above --lateness-bound) is discarded and \
            repeated: discarded_runs says how often. late_runs are those that were late in the last attempt as well, and \
            count all the same: their figures are doubtful.

            Needs root, or user namespaces and an open /dev/net/tun.
            """,
        subcommands: [LoadLatency.self, LoadLoss.self, LoadTraces.self, LoadBytes.self],
        defaultSubcommand: LoadLatency.self)
}

enum KernelCongestionControl: String, ExpressibleByArgument, CaseIterable { case cubic, bbr }

/// Options that each of the subcommands has.
struct LoadOptions: ParsableArguments {
    @Option(help: "Rounds. Default: 3, with --quick 1.")
    var rounds: Int?

    @Option(help: "Length of what is measured of each run. Default: 20, with --quick 3.")
    var seconds: Int?

    @Flag(help: "One short round: less certain figures.")
    var quick = false

    @Option(
        help: ArgumentHelp("Repeat a run when the p99 of the emulator's lateness was above this.", valueName: "time"),
        transform: Parse.duration)
    var latenessBound: UInt64 = 2_000_000

    @Option(help: ArgumentHelp("Attempts at a run.", valueName: "n"))
    var attempts = 3

    @Option(help: "Seed of the link's losses.")
    var seed: UInt64 = 1

    @OptionGroup var programs: ProgramOptions
    @OptionGroup var output: ReportOptions

    var roundCount: Int { rounds ?? (quick ? 1 : 3) }
    var measuredSeconds: Int { seconds ?? (quick ? 3 : 20) }
    /// Before it is measured, so that what fills a link can find its rate.
    var settlingSeconds: Int { quick ? 1 : 3 }

    func validate() throws {
        guard (1...100).contains(roundCount) else { throw ValidationError("--rounds must be 1 to 100.") }
        guard (1...600).contains(measuredSeconds) else { throw ValidationError("--seconds must be 1 to 600.") }
        guard (1...20).contains(attempts) else { throw ValidationError("--attempts must be 1 to 20.") }
    }

    /// Runs `body` where it may make the network that it measures, and prints the results.
    func measure(
        _ command: String, peers: [TunnelPeer], needs more: [String: String] = [:],
        _ body: (LoadStage) throws -> [Report.Result]
    ) throws {
        let (itself, program) = try programs.find()
        try Enclosure.require(TunnelStage.programs(for: peers).merging(more) { $1 })
        try Enclosure.run { children in
            let tunnels = try TunnelStage(children: children, oxbench: itself, oxidize: program, underlay: nil)
            let stage = LoadStage(
                tunnels: tunnels, latenessBoundMicroseconds: Double(latenessBound) / 1000, attempts: attempts, seed: seed,
                narrator: Narrator(descriptor: 2))
            Report(command: command, results: try body(stage)).write(json: output.json)
        }
    }
}

/// The one bottleneck of a link, the same in both directions.
struct LoadBottleneck {
    var bitsPerSecond: UInt64
    var roundTripNanoseconds: UInt64
    var bufferNanoseconds: UInt64
    var loss = 0.0

    /// For `oxbench link`. The buffer is one of bytes, as devices have it.
    var options: [String] {
        let bufferBytes = Double(bitsPerSecond) / 8 * Double(bufferNanoseconds) / 1e9
        return [
            "--rate", "\(bitsPerSecond)bit", "--delay", "\(roundTripNanoseconds / 2)ns",
            "--queue", "\(UInt64(bufferBytes))b", "--loss", "\(loss)",
        ]
    }

    var fields: [(key: String, value: Report.Value)] {
        [
            (key: "rate_mbit_per_s", value: .number(Double(bitsPerSecond) / 1e6)),
            (key: "rtt_ms", value: .number(Double(roundTripNanoseconds) / 1e6)),
            (key: "buffer_ms", value: .number(Double(bufferNanoseconds) / 1e6)),
            (key: "loss_percent", value: .number(100 * loss)),
        ]
    }
}
