import CLabBase

/// What the emulator and the machine did during a run. The raw value is the key of the report; the unit is in it.
enum LoadLinkFigure: String, CaseIterable {
    case latenessP99 = "link_lateness_p99_us"
    case latenessMost = "link_lateness_max_us"
    case ownLost = "link_own_lost_packets"
    case foreign = "foreign_cpu_percent"
}

/// What came out of the runs of one peer over one link.
struct LoadSamples<Figure: RawRepresentable & Hashable & CaseIterable> where Figure.RawValue == String {
    fileprivate var figures = Samples<Figure>()
    fileprivate var link = Samples<LoadLinkFigure>()
    fileprivate(set) var runs = 0
    /// Repeated, as the emulator was late.
    fileprivate(set) var discarded = 0
    /// Of the runs, those that were late in the last attempt as well.
    fileprivate(set) var late = 0
    /// That came to no end.
    var failed = 0

    func median(_ figure: Figure) -> Double? { figures.median(figure) }

    /// - Parameter spread: whether each figure comes with its least and its largest.
    func fields(spread: Bool) -> [(key: String, value: Report.Value)] {
        [
            (key: "rounds", value: .integer(UInt64(runs))),
            (key: "discarded_runs", value: .integer(UInt64(discarded))),
            (key: "late_runs", value: .integer(UInt64(late))),
            (key: "failed_runs", value: .integer(UInt64(failed))),
        ] + figures.fields(spread: spread) + link.fields(spread: spread)
    }
}

/// Two namespaces, of which each run joins the client and the relay by a link of its own:
///
///     client ── link0 ~~ emulator ~~ link0 ── relay
struct LoadStage {
    let tunnels: TunnelStage
    let latenessBoundMicroseconds: Double
    let attempts: Int
    let seed: UInt64
    let narrator: Narrator

    var children: ChildProcesses { tunnels.children }

    /// A peer's way over a link that has just begun.
    struct Run {
        let way: TunnelStage.Way
        /// CLOCK_MONOTONIC.
        let linkStart: UInt64
    }

    /// Opens the peer's way over a link with these options, and adds what `body` measures of it. `afterwards` adds what
    /// the link's report tells.
    func measure<Figure>(
        _ peer: TunnelPeer, over options: [String], _ samples: inout LoadSamples<Figure>,
        _ body: (Run) throws -> [Figure: Double], afterwards: (LinkReport) -> [Figure: Double] = { _ in [:] }
    ) throws {
        for attempt in 1...attempts {
            let start = ProcessUsage.Moment()
            let figures: [Figure: Double]
            let report: LinkReport
            do {
                (figures, report) = try run(peer, options, body)
            } catch {
                children.stopAll()
                throw error
            }
            let isLate = report.latenessMicroseconds > latenessBoundMicroseconds
            if isLate && attempt < attempts {
                narrator.say("The emulator was \(Int(report.latenessMicroseconds)) us late (p99): once more")
                samples.discarded += 1
                continue
            }
            samples.runs += 1
            if isLate { samples.late += 1 }
            for (figure, value) in figures.merging(afterwards(report), uniquingKeysWith: { $1 }) {
                samples.figures.add(figure, value)
            }
            samples.link.add(.latenessP99, report.latenessMicroseconds)
            samples.link.add(.latenessMost, report.latenessMostMicroseconds)
            samples.link.add(.ownLost, Double(report.ownLostPackets))
            if let percent = ProcessUsage.Moment().foreignPercent(since: start) { samples.link.add(.foreign, percent) }
            return
        }
    }

    private func run<Figure>(
        _ peer: TunnelPeer, _ options: [String], _ body: (Run) throws -> [Figure: Double]
    ) throws -> ([Figure: Double], LinkReport) {
        let link = try EmulatedLink(
            children: children, oxbench: tunnels.oxbench,
            .init(place: tunnels.client, address: TunnelStage.clientOutside + "/24"),
            .init(place: tunnels.relay, address: TunnelStage.relayOutside + "/24"), options + ["--seed", "\(seed)"])
        let start = lab_clock_ns()
        let way = try tunnels.open(peer)
        let figures = try body(Run(way: way, linkStart: start))
        try tunnels.close(way)
        return (figures, try link.stop())
    }

    /// IP bytes that came over the link to the relay so far, and when that was.
    func arrived() throws -> (bytes: UInt64, at: UInt64) {
        (try tunnels.relay.counters(of: "link0", children).receivedBytes, lab_clock_ns())
    }
}
