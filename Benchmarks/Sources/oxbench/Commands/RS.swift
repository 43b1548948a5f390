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

    func validate() throws {
        guard (1...1000).contains(rounds) else { throw ValidationError("--rounds must be 1 to 1000.") }
        guard (1_000...10_000_000_000).contains(time) else { throw ValidationError("--time must be 1us to 10s.") }
    }

    func run() throws {
        let list = UnsafeMutablePointer<lab_kernels>.allocate(capacity: 1)
        defer { unsafe list.deallocate() }
        guard unsafe lab_kernels_find_rs(list) else { throw LabFailure.last }
        var kernels = unsafe (0..<lab_kernels_count(list)).map { unsafe Kernel(lab_kernels_at(list, $0)!) }
        if let only { kernels.removeAll { !$0.operation.contains(only) } }
        guard !kernels.isEmpty else { throw LabFailure("no operation has '\(only ?? "")' in its name") }
        for _ in 0..<rounds {
            for index in kernels.indices { try kernels[index].measure(time) }
        }
        let results = kernels.map { kernel in
            row(kernel, baseline: kernels.first { $0.operation == kernel.operation && $0.variant == kernel.baseline })
        }
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
