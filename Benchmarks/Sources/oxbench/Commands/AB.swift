import ArgumentParser
import CLabBase
import OxSimulation

/// `oxbench ab`: a feature on and off.
struct AB: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ab",
        abstract: "Compares a feature on and off, in simulation.",
        discussion: """
            Each scenario runs with the feature off and on, both from each of the seeds, and so over the same links with the \
            same traffic: the difference is of pairs. A row is one figure of one scenario: its means, the mean of \
            the differences, and the interval in which the true mean lies with 95 % confidence (paired t). better and \
            worse mean that the interval has zero outside. wire_bytes are those of IP packets, of both ends; \
            wire_overhead_bytes what they have more than the packets inside, with their headers as they came.

            Features: \(SimulatedFeature.all.map { "\($0.name) (\($0.about))" }.joined(separator: "; ")).

            Scenarios: \(ABScenario.all.map { "\($0.name): \($0.about)" }.joined(separator: "; ")).
            """)

    @Argument(help: "The feature.")
    var feature: String

    @Option(help: "Seeds: at least 2.")
    var seeds = 10

    @Option(help: "The first seed.")
    var seed: UInt64 = 1

    @Option(help: ArgumentHelp("Only this scenario; may be given several times.", valueName: "name"))
    var scenario: [String] = []

    @Option(help: ArgumentHelp("A feature that is off on both sides.", valueName: "feature"))
    var without: [String] = []

    @OptionGroup var output: ReportOptions

    static func unknown(_ name: String) -> ValidationError {
        ValidationError("there is no feature '\(name)'; the features are \(SimulatedFeature.all.map(\.name).joined(separator: ", "))")
    }

    func validate() throws {
        guard (2...1000).contains(seeds) else { throw ValidationError("--seeds must be 2 to 1000.") }
        for name in [feature] + without where SimulatedFeature.named(name) == nil { throw AB.unknown(name) }
        for name in scenario where !ABScenario.all.contains(where: { $0.name == name }) {
            let names = ABScenario.all.map(\.name).joined(separator: ", ")
            throw ValidationError("there is no scenario '\(name)'; the scenarios are \(names)")
        }
    }

    func run() throws {
        guard let tested = SimulatedFeature.named(feature) else { throw AB.unknown(feature) }
        let others = without.compactMap { SimulatedFeature.named($0) }.map { (feature: $0, isOn: false) }
        let narrator = Narrator(descriptor: 2)
        var rows: [Report.Result] = []
        for one in ABScenario.all where scenario.isEmpty || scenario.contains(one.name) {
            narrator.say("\(tested.name), \(one.name), \(seeds) seeds")
            var off: [ABFigure: [Double]] = [:]
            var on: [ABFigure: [Double]] = [:]
            for seed in seed..<seed + UInt64(seeds) {
                for isOn in [false, true] {
                    var built = one.build(seed)
                    built.features = others + [(tested, isOn)]
                    let outcome = try CongestionSimulation(built).run()
                    for figure in ABFigure.allCases {
                        guard let value = figure.of(outcome, built) else { continue }
                        if isOn { on[figure, default: []].append(value) } else { off[figure, default: []].append(value) }
                    }
                }
            }
            for figure in ABFigure.allCases {
                guard let before = off[figure], let after = on[figure], before.count == seeds, after.count == seeds else { continue }
                rows.append(row(tested, one, figure, PairedDifference(before, after)))
            }
        }
        let report = Report(command: "ab", results: rows)
        print(output.json ? report.json : report.rows)
    }

    private func row(
        _ feature: SimulatedFeature, _ scenario: ABScenario, _ figure: ABFigure, _ pairs: PairedDifference
    ) -> Report.Result {
        let verdict: String
        if pairs.low > 0 {
            verdict = figure.isBetterHigh ? "better" : "worse"
        } else if pairs.high < 0 {
            verdict = figure.isBetterHigh ? "worse" : "better"
        } else {
            verdict = "-"
        }
        return [
            "feature": .text(feature.name),
            "scenario": .text(scenario.name),
            "figure": .text(figure.rawValue),
            "off": .number(pairs.before),
            "on": .number(pairs.after),
            "difference": .number(pairs.mean),
            "low_95": .number(pairs.low),
            "high_95": .number(pairs.high),
            "verdict": .text(verdict),
            "seeds": .integer(UInt64(seeds)),
        ]
    }
}

/// What is compared. The raw value is the name of the figure; the unit is in it.
enum ABFigure: String, CaseIterable {
    case utilisation = "utilisation_percent"
    case bulk = "bulk_mbit_per_s"
    case gameMedian = "game_delay_p50_ms"
    case gameP99 = "game_delay_p99_ms"
    case gameLoss = "game_lost_percent"
    case callP99 = "call_delay_p99_ms"
    case callLoss = "call_lost_percent"
    case queueP95 = "link_queue_p95_ms"
    case linkLoss = "link_lost_percent"
    case datagrams = "datagrams_per_packet"
    case wireBytes = "wire_bytes_per_packet"
    case overhead = "wire_overhead_bytes_per_packet"
    case turns = "turns_per_packet"

    var isBetterHigh: Bool { self == .utilisation || self == .bulk }

    /// Nil where the scenario has none of it.
    func of(_ outcome: CongestionOutcome, _ scenario: CongestionScenario) -> Double? {
        let games = zip(scenario.flows, outcome.flows).filter { flow, _ in if case .game = flow.traffic { true } else { false } }
        let others = zip(scenario.flows, outcome.flows).filter { flow, _ in if case .game = flow.traffic { false } else { flow.traffic != .call } }
        let calls = zip(scenario.flows, outcome.flows).filter { flow, _ in flow.traffic == .call }
        let packets = Double(max(1, outcome.innerPackets))
        switch self {
        case .utilisation:
            // Less is no worse where nothing would take more.
            let fills = scenario.flows.contains { $0.direction == .up && $0.traffic.isGreedy }
            return fills ? outcome.up.utilisation.map { 100 * $0 } : nil
        case .bulk:
            guard !others.isEmpty else { return nil }
            let seconds = (Int(outcome.warmUp.components.seconds), Int(outcome.duration.components.seconds))
            return others.map { Double($0.1.rate(from: seconds.0, to: seconds.1).bitsPerSecond) }.reduce(0, +) / 1e6
        case .gameMedian: return games.compactMap { $0.1.delays.percentile(0.5)?.inMilliseconds }.max()
        case .gameP99: return games.compactMap { $0.1.delays.percentile(0.99)?.inMilliseconds }.max()
        case .gameLoss: return games.map { 100 * $0.1.loss }.max()
        case .callP99: return calls.compactMap { $0.1.delays.percentile(0.99)?.inMilliseconds }.max()
        case .callLoss: return calls.map { 100 * $0.1.loss }.max()
        case .queueP95: return outcome.up.queueing.percentile(0.95)?.inMilliseconds
        case .linkLoss: return 100 * outcome.up.loss
        case .datagrams: return Double(outcome.datagrams) / packets
        case .wireBytes:
            // Where TCP takes more, there are more packets of the large kind.
            return scenario.flows.contains { $0.traffic.isGreedy } ? nil : Double(outcome.wireBytes) / packets
        case .overhead: return (Double(outcome.wireBytes) - Double(outcome.innerBytes)) / packets
        case .turns: return Double(outcome.turns) / packets
        }
    }
}

/// Means of pairs of values, and where the mean of their differences lies.
struct PairedDifference {
    let before: Double
    let after: Double
    let mean: Double
    /// With 95 % confidence.
    let low: Double
    let high: Double

    /// At least two pairs.
    init(_ before: [Double], _ after: [Double]) {
        let differences = zip(before, after).map { $1 - $0 }
        let count = Double(differences.count)
        self.before = before.reduce(0, +) / count
        self.after = after.reduce(0, +) / count
        mean = differences.reduce(0, +) / count
        let center = mean
        let variance = differences.map { ($0 - center) * ($0 - center) }.reduce(0, +) / (count - 1)
        let margin = Self.quantile(degrees: differences.count - 1) * (variance / count).squareRoot()
        low = mean - margin
        high = mean + margin
    }

    /// Of Student's t at 97.5 %.
    static func quantile(degrees: Int) -> Double {
        let table = [
            12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
            2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
        ]
        if degrees <= table.count { return table[max(1, degrees) - 1] }
        // Beyond it the first terms of the expansion around the normal quantile are good to three places.
        let z = 1.959964
        return z + (z * z * z + z) / (4 * Double(degrees))
    }
}
