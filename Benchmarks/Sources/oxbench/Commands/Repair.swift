import ArgumentParser
import OxModel
import OxSimulation

/// `oxbench repair`: how much loss remains, in simulation.
struct Repair: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "repair",
        abstract: "Measures the repair of losses over simulated links.",
        discussion: """
            The real controllers and the real tunnels of a client and a relay run in virtual time over a link that loses \
            datagrams both ways, 20 ms each way; one flow goes from the client to the relay, once with repair and once \
            without, over the same link from the same seed. Nothing is set but the flow's class and, in the rows that say so, \
            what is wanted of it; headers are not compressed, so that shares are of packets as they are.

            residual_percent is the share of the flow's packets that did not arrive within so many milliseconds of the \
            time at which they would have without loss. added_bytes_percent is what repair added to all bytes of both \
            directions, IP and UDP headers, tags, feedback and handshakes included. added_p50_ms is what it added to \
            the median delay of what arrived. Values are means over the seeds, with the interval in which the true mean lies \
            with 95 % confidence (t); a bar is met when the mean meets it, and met_for_sure when the interval does.

            Beside it udpspeeder: the figure of UDPspeeder at its best settings for the row, as given in the project's issue, \
            not measured here.
            """)

    @Option(help: ArgumentHelp("Only cases whose name has this in it.", valueName: "text"))
    var only: String?

    @Option(help: "The first seed.")
    var seed: UInt64 = 1

    @Option(help: "Seeds of each case: at least 5.")
    var seeds = 5

    @Option(help: ArgumentHelp("A feature that is off on both sides.", valueName: "feature"))
    var without: [String] = []

    @OptionGroup var output: ReportOptions

    func validate() throws {
        guard (5...100).contains(seeds) else { throw ValidationError("--seeds must be 5 to 100.") }
        for name in without where SimulatedFeature.named(name) == nil { throw AB.unknown(name) }
    }

    func run() throws {
        let narrator = Narrator(descriptor: 2)
        let cases = RepairCase.all.filter { one in only.map { one.name.contains($0) } ?? true }
        guard !cases.isEmpty else { throw LabFailure("no case has '\(only ?? "")' in its name") }
        var rows: [Report.Result] = []
        for one in cases {
            narrator.say("\(one.name), \(seeds) seeds")
            rows += try measure(one)
        }
        let report = Report(command: "repair", results: rows)
        print(output.json ? report.json : report.rows)
    }

    private func measure(_ one: RepairCase) throws -> [Report.Result] {
        var values: [[Double]] = one.figures.map { _ in [] }
        for seed in seed..<seed + UInt64(seeds) {
            let off = try run(one, seed, repairs: false)
            let on = try run(one, seed, repairs: true)
            for (index, figure) in one.figures.enumerated() { values[index].append(figure.of(on, off)) }
        }
        return zip(one.figures, values).map { figure, values in
            let interval = Interval(values)
            return [
                "flow": .text(one.flow),
                "loss": .text(one.loss),
                "figure": .text(figure.name),
                "bar": figure.bar.map { .text($0.text) } ?? .unknown,
                "value": .number(interval.mean),
                "low_95": .number(interval.low),
                "high_95": .number(interval.high),
                "met": figure.bar.map { .text($0.holds(interval.mean) ? "met" : "short") } ?? .unknown,
                "met_for_sure": figure.bar.map { .text($0.holds(interval.low) && $0.holds(interval.high) ? "yes" : "no") } ?? .unknown,
                "udpspeeder": figure.udpspeeder.map { .number($0) } ?? .unknown,
                "seeds": .integer(UInt64(seeds)),
            ]
        }
    }

    private func run(_ one: RepairCase, _ seed: UInt64, repairs: Bool) throws -> CongestionOutcome {
        var scenario = one.scenario(seed)
        scenario.features = (without.map { ($0, false) } + [("header-compression", false), ("repair", repairs)]).compactMap { name, isOn in
            SimulatedFeature.named(name).map { ($0, isOn) }
        }
        return try CongestionSimulation(scenario).run()
    }
}

/// Where the mean of some values lies with 95 % confidence.
struct Interval {
    let mean: Double
    let low: Double
    let high: Double

    /// At least two.
    init(_ values: [Double]) {
        let pairs = PairedDifference([Double](repeating: 0, count: values.count), values)
        mean = pairs.mean
        low = pairs.low
        high = pairs.high
    }
}

/// What is compared of two runs over the same link: with repair, and without.
struct RepairFigure: Sendable {
    /// Its unit is in it.
    let name: String
    let bar: CCBar?
    /// As the issue has it.
    var udpspeeder: Double?
    let of: @Sendable (_ on: CongestionOutcome, _ off: CongestionOutcome) -> Double

    static func residual(within index: Int, ms: Int, _ bar: CCBar?, udpspeeder: Double? = nil) -> RepairFigure {
        RepairFigure(name: "residual_percent_within_\(ms)_ms", bar: bar, udpspeeder: udpspeeder) { on, _ in
            100 * on.flows[0].residual(index)
        }
    }

    static func unrepaired(within index: Int, ms: Int) -> RepairFigure {
        RepairFigure(name: "without_repair_percent_within_\(ms)_ms", bar: nil) { _, off in 100 * off.flows[0].residual(index) }
    }

    static func bytes(_ bar: CCBar?, udpspeeder: Double? = nil) -> RepairFigure {
        RepairFigure(name: "added_bytes_percent", bar: bar, udpspeeder: udpspeeder) { on, off in
            100 * (Double(on.wireBytes) / Double(max(1, off.wireBytes)) - 1)
        }
    }

    static func delay(_ bar: CCBar?, udpspeeder: Double? = nil) -> RepairFigure {
        RepairFigure(name: "added_p50_ms", bar: bar, udpspeeder: udpspeeder) { on, off in
            let median = { (outcome: CongestionOutcome) in outcome.flows[0].delays.percentile(0.5)?.inMilliseconds ?? .infinity }
            // To what the bins of the delays tell apart.
            let added = median(on) - median(off)
            return abs(added) < 0.2 ? 0 : added
        }
    }

    static func repairs(_ name: String, _ of: @escaping @Sendable (RepairCounts) -> UInt64) -> RepairFigure {
        RepairFigure(name: name, bar: nil) { on, _ in
            let counts = on.repairs.first ?? RepairCounts()
            return 100 * Double(of(counts)) / Double(max(1, counts.peerRecovered))
        }
    }

    static var byTool: [RepairFigure] {
        [
            repairs("repaired_by_copies_percent") { $0.peerByCopy }, repairs("repaired_by_windows_percent") { $0.peerByWindow },
            repairs("repaired_by_resending_percent") { $0.peerByResend },
        ]
    }
}
