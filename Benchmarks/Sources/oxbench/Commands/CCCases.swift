import CLabBase
import OxModel
import OxSimulation

/// A figure of a run.
struct CCFigure {
    /// Its unit is in it.
    let name: String
    let bar: CCBar?
    /// Whether it means something for a plain flow over the same link.
    var isOfLink = true
    let of: (CongestionOutcome) -> Double

    static func utilisation(_ bar: CCBar?) -> CCFigure {
        CCFigure(name: "utilisation_percent", bar: bar) { 100 * ($0.up.utilisation ?? 0) }
    }

    static func queue(_ share: Double, ms name: String, _ bar: CCBar?) -> CCFigure {
        CCFigure(name: name, bar: bar) { $0.up.queueing.percentile(share)?.inMilliseconds ?? 0 }
    }

    static func queueBDP(_ roundTrip: Duration, _ bar: CCBar?) -> CCFigure {
        CCFigure(name: "queue_p50_bdp", bar: bar) {
            ($0.up.queueing.percentile(0.5)?.inMilliseconds ?? 0) / roundTrip.inMilliseconds
        }
    }

    static func loss(_ bar: CCBar?) -> CCFigure {
        CCFigure(name: "lost_percent", bar: bar) { 100 * $0.up.loss }
    }

    /// Of both ends together, less what looking at the clock takes.
    static var controller: CCFigure {
        CCFigure(name: "controller_cpu_percent", bar: .most(2), isOfLink: false) { outcome in
            let used = Double(outcome.controlNanoseconds) - Double(outcome.controls) * clockNanoseconds
            return 100 * used / Double((outcome.duration - outcome.warmUp).wholeNanoseconds)
        }
    }

    /// What lies between two looks at the clock with nothing in between.
    private static let clockNanoseconds: Double = {
        var between: [UInt64] = []
        for _ in 0..<1001 {
            let began = lab_clock_thread_ns()
            between.append(lab_clock_thread_ns() - began)
        }
        return Double(between.sorted()[500])
    }()

    static var decisions: CCFigure {
        CCFigure(name: "controller_decisions_per_s", bar: nil, isOfLink: false) {
            Double($0.controls) / ($0.duration - $0.warmUp).inSeconds
        }
    }
}

/// One link with one load.
struct CCCase {
    let name: String
    let figures: [CCFigure]
    let scenario: (UInt64) -> CongestionScenario
    /// The same link with CUBIC alone.
    var plain: ((UInt64) -> CongestionScenario)? = nil

    func plainScenario(_ seed: UInt64) -> CongestionScenario? {
        if let plain { return plain(seed) }
        var scenario = scenario(seed)
        scenario.tunnels = 0
        scenario.flows = [CongestionScenario.Flow(.cubic, over: .plain)]
        scenario.granularity = .zero
        return scenario
    }

    static var all: [CCCase] { matrix + losses + transfers + fairness + changes + [policer, gameBesideUpload] }

    /// The way forth has the bottleneck; the way back is as long and wide enough.
    static func link(_ bottleneck: Bottleneck, roundTrip: Duration, loss: Double = 0) -> (up: LinkModel, down: LinkModel) {
        // A little jitter, as everywhere: without it two flows can fall into step for ever.
        let jitter = min(.microseconds(200), roundTrip / 100)
        return (
            LinkModel(bottleneck: bottleneck, delay: roundTrip / 2, jitter: jitter, keepsOrder: true, loss: loss),
            LinkModel(delay: roundTrip / 2, jitter: jitter, keepsOrder: true)
        )
    }

    private static func saturated(
        _ seed: UInt64, _ link: (up: LinkModel, down: LinkModel), seconds: Int = 30, warmUp: Int = 10
    ) -> CongestionScenario {
        CongestionScenario(
            seed: seed, duration: .seconds(seconds), warmUp: .seconds(warmUp), up: link.up, down: link.down,
            flows: [CongestionScenario.Flow(.saturating())])
    }

    private static func megabits(_ number: Double) -> Rate { Rate(bitsPerSecond: UInt64(number * 1e6)) }

    // MARK: The cases

    private static var matrix: [CCCase] {
        let rates: [(name: String, megabits: Double)] = [
            ("1 Mbit/s", 1), ("10 Mbit/s", 10), ("100 Mbit/s", 100), ("1 Gbit/s", 1000),
        ]
        return rates.flatMap { rate in
            [10, 40, 100, 300].map { milliseconds in
                let roundTrip = Duration.milliseconds(milliseconds)
                var figures: [CCFigure] = [.utilisation(.least(95)), .queueBDP(roundTrip, .most(0.25))]
                if rate.megabits >= 1000 { figures += [.controller, .decisions] }
                return CCCase(name: "\(rate.name), \(milliseconds) ms", figures: figures) { seed in
                    let bottleneck = Bottleneck(megabits(rate.megabits), roundTrip: roundTrip)
                    var scenario = saturated(seed, link(bottleneck, roundTrip: roundTrip))
                    if rate.megabits >= 1000 { scenario.granularity = .microseconds(50) }
                    return scenario
                }
            }
        }
    }

    private static var losses: [CCCase] {
        [(1, 90.0), (5, 80.0)].map { percent, bar in
            CCCase(
                name: "\(percent) % loss, 100 Mbit/s, 60 ms", figures: [.utilisation(.least(bar)), .queueBDP(.milliseconds(60), nil)]
            ) { seed in
                let bottleneck = Bottleneck(megabits(100), roundTrip: .milliseconds(60))
                return saturated(seed, link(bottleneck, roundTrip: .milliseconds(60), loss: Double(percent) / 100))
            }
        }
    }

    /// Transfers through the tunnel: their own control meets ours, and only what they offer can be sent.
    private static var transfers: [CCCase] {
        [0, 1, 5].map { percent in
            CCCase(
                name: "TCP BBR through the tunnel, \(percent) % loss, 100 Mbit/s, 40 ms",
                figures: [.utilisation(percent == 0 ? .least(90) : nil), .queueBDP(.milliseconds(40), nil)],
                scenario: { transfer($0, percent, .bbr1) }, plain: { transfer($0, percent, .bbr1, .plain) })
        }
            + [
                CCCase(
                    name: "TCP CUBIC through the tunnel, 100 Mbit/s, 40 ms",
                    figures: [.utilisation(.least(90)), .queueBDP(.milliseconds(40), nil)],
                    scenario: { transfer($0, 0, .cubic) }, plain: { transfer($0, 0, .cubic, .plain) }),
                CCCase(
                    name: "TCP BBR after a game, 1 % loss, 100 Mbit/s, 40 ms", figures: [.utilisation(.least(80))],
                    scenario: { afterGame($0, .tunnel(0)) }, plain: { afterGame($0, .plain) }),
                CCCase(
                    name: "TCP BBR after a game, 1 % loss, 100 Mbit/s, 40 ms, 20 ms of jitter",
                    figures: [.utilisation(.least(70))],
                    scenario: { afterGame($0, .tunnel(0), jitter: .milliseconds(10)) },
                    plain: { afterGame($0, .plain, jitter: .milliseconds(10)) }),
            ]
    }

    private static func transfer(
        _ seed: UInt64, _ percent: Int, _ traffic: CongestionScenario.Traffic, _ way: CongestionScenario.Way = .tunnel(0)
    ) -> CongestionScenario {
        let roundTrip = Duration.milliseconds(40)
        var scenario = saturated(
            seed, link(Bottleneck(megabits(100), roundTrip: roundTrip), roundTrip: roundTrip, loss: Double(percent) / 100))
        scenario.tunnels = way == .plain ? 0 : 1
        scenario.flows = [CongestionScenario.Flow(traffic, over: way)]
        return scenario
    }

    /// What is known of the path when the transfer begins is what a game showed of it.
    private static func afterGame(
        _ seed: UInt64, _ way: CongestionScenario.Way, jitter: Duration? = nil
    ) -> CongestionScenario {
        var scenario = transfer(seed, 1, .bbr1, way)
        if let jitter {
            scenario.up.jitter = jitter
            scenario.down.jitter = jitter
        }
        scenario.duration = .seconds(18)
        scenario.warmUp = .seconds(12)
        scenario.flows = [
            CongestionScenario.Flow(.game(), over: way), CongestionScenario.Flow(.bbr1, over: way, starts: .seconds(10)),
        ]
        return scenario
    }

    private static var fairness: [CCCase] {
        let against = [(10.0, 40), (50.0, 40), (50.0, 100)].map { rate, milliseconds in
            let share = CCFigure(name: "share_percent", bar: .between(25, 75), isOfLink: false) { outcome in
                let rates = (0..<2).map {
                    Double(outcome.up.rate(ofUser: $0, from: outcome.warmUp, to: outcome.duration).bitsPerSecond)
                }
                return 100 * rates[0] / max(1, rates[0] + rates[1])
            }
            return CCCase(
                name: "against one CUBIC flow, \(Int(rate)) Mbit/s, \(milliseconds) ms", figures: [share, .utilisation(nil)]
            ) { seed in
                let roundTrip = Duration.milliseconds(milliseconds)
                var scenario = saturated(
                    seed, link(Bottleneck(megabits(rate), roundTrip: roundTrip), roundTrip: roundTrip), seconds: 120,
                    warmUp: 20)
                scenario.flows.append(CongestionScenario.Flow(.cubic, over: .plain))
                return scenario
            }
        }
        let jain = CCFigure(name: "jain_index", bar: .least(0.95), isOfLink: false) {
            $0.up.fairness(users: 2, from: .seconds(25), to: $0.duration)
        }
        let two = CCCase(name: "two tunnels, 50 Mbit/s, 40 ms, 20 s after the second", figures: [jain, .utilisation(nil)]) { seed in
            let roundTrip = Duration.milliseconds(40)
            var scenario = saturated(
                seed, link(Bottleneck(megabits(50), roundTrip: roundTrip), roundTrip: roundTrip), seconds: 60, warmUp: 25)
            scenario.tunnels = 2
            scenario.flows.append(CongestionScenario.Flow(.saturating(), over: .tunnel(1), starts: .seconds(5)))
            return scenario
        }
        return against + [two]
    }

    private static var changes: [CCCase] {
        let roundTrip = Duration.milliseconds(40)
        let rates = [megabits(50), megabits(5), megabits(50)]
        let times: [Duration] = [.zero, .seconds(20), .seconds(40)]
        let before = Double(rates[0].bytes(in: roundTrip))
        func adaptation(_ index: Int, _ name: String) -> CCFigure {
            CCFigure(name: name, bar: .most(3)) { $0.up.adaptation(to: rates[index], after: times[index])?.inSeconds ?? .infinity }
        }
        let losses = CCFigure(name: "lost_at_drop_bdp", bar: .most(2)) {
            Double($0.up.droppedBytes(from: times[1], to: times[1] + .seconds(10))) / before
        }
        let change = CCCase(
            name: "path change 50, 5, 50 Mbit/s, 40 ms",
            figures: [adaptation(1, "adapted_down_s"), adaptation(2, "adapted_up_s"), losses, .utilisation(nil)]
        ) { seed in
            let steps = zip(times, rates).map { Bottleneck.Step(at: $0, rate: $1) }
            let bottleneck = Bottleneck(.steps(steps), queueBytes: Int(before))
            return saturated(seed, link(bottleneck, roundTrip: roundTrip), seconds: 60, warmUp: 10)
        }
        return [change]
    }

    private static var policer: CCCase {
        let rate = megabits(10)
        let share = CCFigure(name: "utilisation_percent", bar: nil) {
            100 * Double($0.up.rate(ofUser: 0, from: $0.warmUp, to: $0.duration).bytesPerSecond) / Double(rate.bytesPerSecond)
        }
        let lost = CCFigure(name: "policed_percent", bar: .most(3)) { 100 * $0.up.loss(.policer) }
        return CCCase(name: "policer of 10 Mbit/s and 125 kB, 40 ms", figures: [lost, share]) { seed in
            let bottleneck = Bottleneck(
                .rate(megabits(100)), queueBytes: 500_000,
                policer: Bottleneck.Policer(rate: rate, burstBytes: 125_000))
            return saturated(seed, link(bottleneck, roundTrip: .milliseconds(40)), seconds: 60, warmUp: 5)
        }
    }

    /// A TCP upload and a game through one tunnel, over a link with a deep buffer.
    private static var gameBesideUpload: CCCase {
        func game(_ share: Double, _ name: String, _ bar: CCBar?) -> CCFigure {
            CCFigure(name: name, bar: bar) { outcome in
                (outcome.flows.last?.delays.percentile(share)?.inMilliseconds ?? .infinity) - 20
            }
        }
        func scenario(_ seed: UInt64, _ way: CongestionScenario.Way) -> CongestionScenario {
            let roundTrip = Duration.milliseconds(40)
            let link = link(Bottleneck(megabits(20), roundTrip: .milliseconds(300)), roundTrip: roundTrip)
            return CongestionScenario(
                seed: seed, duration: .seconds(40), warmUp: .seconds(10), up: link.up, down: link.down,
                tunnels: way == .plain ? 0 : 1,
                flows: [
                    CongestionScenario.Flow(.cubic, over: way),
                    CongestionScenario.Flow(.game(), over: way, starts: .milliseconds(500)),
                ])
        }
        return CCCase(
            name: "game beside a TCP upload, 20 Mbit/s, 40 ms, 300 ms buffer",
            figures: [
                game(0.5, "game_p50_above_idle_ms", nil), game(0.99, "game_p99_above_idle_ms", .most(10)), .utilisation(nil),
            ],
            scenario: { scenario($0, .tunnel(0)) }, plain: { scenario($0, .plain) })
    }
}
