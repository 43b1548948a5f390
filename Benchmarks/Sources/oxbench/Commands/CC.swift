import ArgumentParser
import CLabBase
import OxSimulation

/// `oxbench cc`: congestion control, in simulation.
struct CC: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cc",
        abstract: "Measures congestion control over simulated links.",
        discussion: """
            The real controllers and the real tunnels of a client and a relay run in virtual time over a simulated \
            bottleneck; a source keeps packets waiting at the client's end at all times. Each row is one figure of one case: \
            the median of the seeds' values, with the least and the largest; its bar, and whether the median meets it. Beside it cubic, \
            the same figure of one simulated flow of TCP CUBIC over the same link, without a tunnel. Nothing depends \
            on the machine but controller_cpu_percent.

            utilisation_percent is what came out of the link, IP bytes, of what its bottleneck could carry after the \
            warm-up. queue_p50_bdp is how long a packet waited in front of the bottleneck, in round trips of the empty link: \
            the standing queue over the product of bandwidth and delay. Buffers are of that product, but four packets at least, unless the \
            case says otherwise.

            Recorded traces come from --traces, as in oxbench load traces; where there are none, their rows are left \
            out, and it says so. A seed's run begins where the one before ends.
            """)

    @Option(help: ArgumentHelp("Only cases whose name has this in it.", valueName: "text"))
    var only: String?

    @Option(help: "The first seed.")
    var seed: UInt64 = 1

    @Option(help: "Seeds of each case.")
    var seeds = 3

    @Option(help: ArgumentHelp("A trace, a folder of traces, or one that is packed.", valueName: "path"))
    var traces: String?

    @Flag(help: "Print the courses of rates and queues by seconds, of the first seed, instead of figures.")
    var course = false

    @Flag(help: "Leave out what CUBIC does.")
    var alone = false

    @Option(help: ArgumentHelp("Run with a feature turned off.", valueName: "feature"))
    var without: [String] = []

    @OptionGroup var output: ReportOptions

    func validate() throws {
        guard (1...100).contains(seeds) else { throw ValidationError("--seeds must be 1 to 100.") }
        for name in without where SimulatedFeature.named(name) == nil { throw AB.unknown(name) }
    }

    func run() throws {
        let narrator = Narrator(descriptor: 2)
        var cases = CCCase.all
        if only.map({ "trace".contains($0) || $0.contains("trace") || $0.contains(".") }) ?? true {
            cases += try CCTraces.cases(traces, seconds: Int(CCTraces.seconds) * seeds, narrator: narrator)
        }
        cases.removeAll { one in only.map { !one.name.contains($0) } ?? false }
        guard !cases.isEmpty else { throw LabFailure("no case has '\(only ?? "")' in its name") }
        var rows: [Report.Result] = []
        for one in cases {
            narrator.say(one.name)
            if course { try CCCourse.write(one, seed: seed, features: features) } else { rows += try measure(one) }
        }
        guard !course else { return }
        let report = Report(command: "cc", results: rows)
        print(output.json ? report.json : report.rows)
    }

    private var features: [(feature: SimulatedFeature, isOn: Bool)] {
        without.compactMap { SimulatedFeature.named($0) }.map { ($0, false) }
    }

    private func measure(_ one: CCCase) throws -> [Report.Result] {
        var values: [String: [Double]] = [:]
        var ofCubic: [String: [Double]] = [:]
        for seed in seed..<seed + UInt64(seeds) {
            var scenario = one.scenario(seed)
            scenario.features = features
            // Looking at the clock takes time too.
            let isTimed = one.figures.contains { $0.name == CCFigure.controller.name }
            let outcome = try CongestionSimulation(scenario, clock: isTimed ? { lab_clock_thread_ns() } : nil).run()
            for figure in one.figures { values[figure.name, default: []].append(figure.of(outcome)) }
            guard !alone, let plain = one.plainScenario(seed) else { continue }
            let other = try CongestionSimulation(plain).run()
            for figure in one.figures where figure.isOfLink { ofCubic[figure.name, default: []].append(figure.of(other)) }
        }
        return one.figures.map { figure in
            let spread = Spread(values[figure.name] ?? [0])
            return [
                "case": .text(one.name),
                "figure": .text(figure.name),
                "bar": figure.bar.map { .text($0.text) } ?? .unknown,
                "value": .number(spread.median),
                "value_min": .number(spread.least),
                "value_max": .number(spread.most),
                "met": figure.bar.map { .text($0.holds(spread.median) ? "met" : "short") } ?? .unknown,
                "cubic": ofCubic[figure.name].map { .number(Spread($0).median) } ?? .unknown,
                "seeds": .integer(UInt64(seeds)),
            ]
        }
    }
}

/// What is asked of a figure.
enum CCBar {
    case least(Double)
    case most(Double)
    case between(Double, Double)

    func holds(_ value: Double) -> Bool {
        switch self {
        case .least(let bound): value >= bound
        case .most(let bound): value <= bound
        case .between(let low, let high): low <= value && value <= high
        }
    }

    var text: String {
        switch self {
        case .least(let bound): ">= \(Report.Value.number(bound).plain)"
        case .most(let bound): "<= \(Report.Value.number(bound).plain)"
        case .between(let low, let high): "\(Report.Value.number(low).plain) to \(Report.Value.number(high).plain)"
        }
    }
}

/// The course of one run, for people: what came to the link and left it, second by second.
enum CCCourse {
    static func write(_ one: CCCase, seed: UInt64, features: [(feature: SimulatedFeature, isOn: Bool)]) throws {
        var scenario = one.scenario(seed)
        scenario.features = features
        let outcome = try CongestionSimulation(scenario).run()
        print(one.name)
        print("   second  offered kbit/s  left kbit/s  of capacity %  dropped kB   by user kbit/s")
        let link = outcome.up
        for second in 0..<Int(outcome.duration.components.seconds) {
            let begin = Duration.seconds(second)
            let end = Duration.seconds(second + 1)
            let users = (0..<max(1, scenario.users)).map { link.rate(ofUser: $0, from: begin, to: end).bitsPerSecond / 1000 }
            let cells: [(String, Int)] = [
                ("\(second)", 9), ("\(link.offeredRate(from: begin, to: end).bitsPerSecond / 1000)", 16),
                ("\(users.reduce(0, +))", 13),
                (Report.Value.number(100 * (link.utilisation(from: begin, to: end) ?? 0)).plain, 15),
                (Report.Value.number(Double(link.droppedBytes(from: begin, to: end)) / 1000).plain, 12),
                (users.map(String.init).joined(separator: " "), 16),
            ]
            print(cells.map { String(repeating: " ", count: max(1, $0.1 - $0.0.count)) + $0.0 }.joined())
        }
        for (index, flow) in outcome.flows.enumerated() {
            let delays = [0.5, 0.95, 0.99].map { flow.delays.percentile($0)?.inMilliseconds ?? 0 }
            print("flow \(index): sent \(flow.sent) delivered \(flow.delivered) late \(flow.late) delay p50 p95 p99 ms \(delays)")
        }
        let waits = [0.5, 0.95, 0.99].map { link.queueing.percentile($0)?.inMilliseconds ?? 0 }
        print("queue p50 p95 p99 ms \(waits)  drops \(outcome.drops)  lost \(LinkLoss.allCases.map { ($0.rawValue, link.loss($0)) })")
    }
}
