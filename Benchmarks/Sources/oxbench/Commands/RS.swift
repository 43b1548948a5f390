import ArgumentParser
import CLabKernels

/// `oxbench rs`: what the erasure code does in a second, beside ISA-L.
struct RS: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measures the erasure code, variant by variant, beside ISA-L.",
        discussion: """
            (data shards,parity shards) and bytes of a shard. Gigabytes of data in a second on one core, hot: the median over the \
            rounds, with the least and the largest. Every round runs each variant once, one after the other, so that what disturbs \
            one disturbs its neighbours too. Recovery has the set-up for its pattern of losses in it. ratio_to_baseline is the \
            median of the rounds' ratios to ISA-L, ratio_of_bests that of each one's best round: on a machine that does other \
            things too, the latter says more.
            """)

    @Option(help: "Rounds.")
    var rounds = 25

    @Option(
        help: ArgumentHelp("For how long each variant runs in a round.", valueName: "time"), transform: Parse.duration)
    var time: UInt64 = 1_000_000

    @Option(help: ArgumentHelp("Only operations whose name has this in it.", valueName: "text"))
    var only: String?

    @OptionGroup var output: ReportOptions

    func validate() throws { try KernelRounds.check(rounds: rounds, time: time) }

    func run() throws {
        let results = try unsafe KernelRounds(find: lab_kernels_find_rs).results(rounds: rounds, time: time, only: only, row: row)
        Report(command: "rs", results: results).write(json: output.json)
    }

    private func row(_ kernel: Kernel, baseline: Kernel?) -> Report.Result {
        let spread = Spread(kernel.rounds)
        let rates = Spread(kernel.rounds.map { Double(kernel.bytes) / $0 })
        func rate(_ value: Double) -> Report.Value { kernel.bytes > 0 ? .number(value) : .unknown }
        let ratio = baseline.map { Spread(zip($0.rounds, kernel.rounds).map { $0 / $1 }).median }
        let bests = baseline.map { Spread($0.rounds).least / spread.least }
        return [
            "operation": .text(kernel.operation),
            "variant": .text(kernel.variant),
            "gigabytes_per_second": rate(rates.median),
            "gigabytes_per_second_min": rate(rates.least),
            "gigabytes_per_second_max": rate(rates.most),
            "ns_per_operation": .number(spread.median),
            "ns_per_operation_min": .number(spread.least),
            "ns_per_operation_max": .number(spread.most),
            "baseline": .text(kernel.baseline),
            "ratio_to_baseline": ratio.map(Report.Value.number) ?? .unknown,
            "ratio_of_bests": bests.map(Report.Value.number) ?? .unknown,
            "rounds": .integer(UInt64(kernel.rounds.count)),
        ]
    }
}
