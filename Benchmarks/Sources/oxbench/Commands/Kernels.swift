import ArgumentParser
import CLabKernels

/// `oxbench kernels`: what the inner loops cost.
struct Kernels: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measures the inner loops of the rooms, variant by variant.",
        discussion: """
            Nanoseconds of processor time of one operation: the median over the rounds, with the least and the largest. Every round runs \
            each variant once, one after the other, so that what disturbs one disturbs its neighbours too. \
            ratio_to_baseline says how many times as fast as the baseline it is: the median of the rounds' ratios.
            """)

    @Option(help: "Rounds.")
    var rounds = 7

    @Option(
        help: ArgumentHelp("For how long each variant runs in a round.", valueName: "time"), transform: Parse.duration)
    var time: UInt64 = 20_000_000

    @Option(help: ArgumentHelp("Only operations whose name has this in it.", valueName: "text"))
    var only: String?

    @OptionGroup var output: ReportOptions

    func validate() throws { try KernelRounds.check(rounds: rounds, time: time) }

    func run() throws {
        let results = try unsafe KernelRounds(find: lab_kernels_find).results(rounds: rounds, time: time, only: only) { $0.result(baseline: $1) }
        Report(command: "kernels", results: results).write(json: output.json)
    }
}

/// The variants that a machine has of some operations, measured in turns.
@safe struct KernelRounds {
    /// Fills the list; false when it cannot.
    let find: (UnsafeMutablePointer<lab_kernels>) -> Bool

    static func check(rounds: Int, time: UInt64) throws {
        guard (1...1000).contains(rounds) else { throw ValidationError("--rounds must be 1 to 1000.") }
        guard (1_000...10_000_000_000).contains(time) else { throw ValidationError("--time must be 1us to 10s.") }
    }

    /// A row a variant, made of it and of its baseline.
    func results(
        rounds: Int, time: UInt64, only: String?, row: (Kernel, Kernel?) -> Report.Result
    ) throws -> [Report.Result] {
        let list = UnsafeMutablePointer<lab_kernels>.allocate(capacity: 1)
        defer { unsafe list.deallocate() }
        guard unsafe find(list) else { throw LabFailure.last }
        var kernels = unsafe (0..<lab_kernels_count(list)).map { unsafe Kernel(lab_kernels_at(list, $0)!) }
        if let only { kernels.removeAll { !$0.operation.contains(only) } }
        guard !kernels.isEmpty else { throw LabFailure("no operation has '\(only ?? "")' in its name") }
        for _ in 0..<rounds {
            for index in kernels.indices { try kernels[index].measure(time) }
        }
        return kernels.map { kernel in
            row(kernel, kernels.first { $0.operation == kernel.operation && $0.variant == kernel.baseline })
        }
    }
}

/// One variant of an operation, and what its rounds gave. The list that it points into outlives it.
@safe struct Kernel {
    let operation: String
    let variant: String
    let baseline: String
    private let kernel: UnsafePointer<lab_kernel>
    /// Nanoseconds of one operation, as the rounds gave them.
    private(set) var rounds: [Double] = []
    /// What one operation works on; 0 where that means nothing.
    var bytes: UInt32 { unsafe kernel.pointee.bytes }

    init(_ kernel: UnsafePointer<lab_kernel>) {
        unsafe self.kernel = unsafe kernel
        operation = unsafe Self.text(kernel.pointee.operation)
        variant = unsafe Self.text(kernel.pointee.variant)
        baseline = unsafe Self.text(kernel.pointee.baseline)
    }

    mutating func measure(_ nanoseconds: UInt64) throws {
        var each = 0.0
        guard unsafe lab_kernel_measure(kernel, nanoseconds, &each) else { throw LabFailure.last }
        rounds.append(each)
    }

    func result(baseline: Kernel?) -> Report.Result {
        let spread = Spread(rounds)
        let ratio = baseline.map { Spread(zip($0.rounds, rounds).map { $0 / $1 }).median }
        return [
            "kernel": .text(operation),
            "variant": .text(variant),
            "ns_per_operation": .number(spread.median),
            "ns_per_operation_min": .number(spread.least),
            "ns_per_operation_max": .number(spread.most),
            "baseline": .text(self.baseline),
            "ratio_to_baseline": ratio.map(Report.Value.number) ?? .unknown,
            "rounds": .integer(UInt64(rounds.count)),
        ]
    }

    private static func text<Characters>(_ characters: Characters) -> String {
        unsafe withUnsafeBytes(of: characters) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
    }
}
