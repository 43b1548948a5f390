import OxModel
import OxSimulation

/// One flow over one kind of loss.
struct RepairCase: Sendable {
    let flow: String
    let loss: String
    let figures: [RepairFigure]
    let scenario: @Sendable (UInt64) -> CongestionScenario

    var name: String { "\(flow), \(loss)" }

    static let all = [
        gameIndependent, gameOutages, gameBursts, gameBurstsPatient, voice, voiceBursts, bulk, bulkDefault, stream, gameClean,
        bulkClean, bulkAfterLoss, bulkRest, gameAfterLoss,
    ]

    private static let delay = Duration.milliseconds(20)

    private enum Kind {
        /// Payloads of 64 bytes, 60 a second.
        case game
        /// 160 bytes, 50 a second.
        case voice
        /// 1,200 bytes, 2,000 a second.
        case bulk
        /// 1,000 bytes, 400 a second.
        case stream

        var trafficClass: TrafficClass {
            switch self {
            case .game: .gaming
            case .voice: .realtime
            case .bulk: .bulk
            case .stream: .streaming
            }
        }

        var traffic: CongestionScenario.Traffic {
            switch self {
            case .game: .game(packetsPerSecond: 60, packetBytes: 64 + headers)
            case .voice: .game(packetsPerSecond: 50, packetBytes: 160 + headers)
            case .bulk: .game(packetsPerSecond: 2000, packetBytes: 1200 + headers)
            case .stream: .game(packetsPerSecond: 400, packetBytes: 1000 + headers)
            }
        }

        var seconds: Int {
            switch self {
            case .game, .voice: 630
            case .bulk: 70
            case .stream: 180
            }
        }

        /// Of IPv4 and UDP.
        private var headers: Int { 28 }
    }

    /// - Parameter wish: what the user has said, beside the class.
    private static func scenario(
        _ seed: UInt64, _ kind: Kind, within budgets: [Int], seconds: Int? = nil, warmUp: Int = 10, wish: RepairWish? = nil,
        _ lose: (inout LinkModel) -> Void
    ) -> CongestionScenario {
        var link = LinkModel(delay: delay)
        lose(&link)
        var scenario = CongestionScenario(
            seed: seed, duration: .seconds(seconds ?? kind.seconds), warmUp: .seconds(warmUp), up: link, down: link,
            flows: [.init(kind.traffic, within: budgets.map { delay + .milliseconds($0) })])
        scenario.classRules = [CongestionScenario.rule(kind.trafficClass, flow: 0)]
        scenario.repairWishes = wish.map { [$0] } ?? []
        return scenario
    }

    private static func bursts(of length: Double, loss: Double) -> OxSimulation.GilbertElliott {
        let goodFromBad = 1 / length
        return OxSimulation.GilbertElliott(badFromGood: goodFromBad * loss / (1 - loss), goodFromBad: goodFromBad)
    }

    private static let independent = "5 % independent"
    private static let inBursts = "5 % in bursts of 3"

    private static let gameIndependent = RepairCase(
        flow: "game 64 B 60 pps", loss: independent,
        figures: [
            .unrepaired(within: 0, ms: 50), .residual(within: 0, ms: 50, .most(0.05), udpspeeder: 0.38),
            .bytes(.most(120), udpspeeder: 189), .delay(.most(0), udpspeeder: 8.5),
        ] + RepairFigure.byTool
    ) { seed in
        scenario(seed, .game, within: [50]) { $0.loss = 0.05 }
    }

    private static let gameOutages = RepairCase(
        flow: "game 64 B 60 pps", loss: "2 % in outages of 20 ms",
        figures: [
            .unrepaired(within: 0, ms: 50), .residual(within: 0, ms: 50, .most(0.25), udpspeeder: 1.8), .bytes(.most(200)), .delay(.most(0)),
        ]
    ) { seed in
        scenario(seed, .game, within: [50]) { $0.outages = Outages(length: .milliseconds(20), share: 0.02) }
    }

    private static let gameBursts = RepairCase(
        flow: "game 64 B 60 pps", loss: inBursts,
        figures: [
            .unrepaired(within: 0, ms: 50), .residual(within: 0, ms: 50, .most(1.6), udpspeeder: 3.1), .bytes(.most(200)), .delay(.most(0)),
        ]
    ) { seed in
        scenario(seed, .game, within: [50]) { $0.lossBursts = bursts(of: 3, loss: 0.05) }
    }

    private static let gameBurstsPatient = RepairCase(
        flow: "game 64 B 60 pps, lateness 100 ms", loss: inBursts,
        figures: [.residual(within: 0, ms: 100, .most(0.6)), .bytes(.most(200)), .delay(.most(0))]
    ) { seed in
        scenario(seed, .game, within: [100], wish: RepairWish(.gaming, lateness: .milliseconds(100))) {
            $0.lossBursts = bursts(of: 3, loss: 0.05)
        }
    }

    private static let voice = RepairCase(
        flow: "voice 160 B 50 pps", loss: independent,
        figures: [
            .unrepaired(within: 0, ms: 60), .residual(within: 0, ms: 60, .most(0.05)), .bytes(.most(200)), .delay(.most(0)),
        ]
    ) { seed in
        scenario(seed, .voice, within: [60]) { $0.loss = 0.05 }
    }

    private static let voiceBursts = RepairCase(
        flow: "voice 160 B 50 pps", loss: inBursts,
        figures: [.unrepaired(within: 0, ms: 60), .residual(within: 0, ms: 60, nil), .bytes(.most(200))]
    ) { seed in
        scenario(seed, .voice, within: [60]) { $0.lossBursts = bursts(of: 3, loss: 0.05) }
    }

    private static let bulk = RepairCase(
        flow: "bulk 1200 B 2000 pps, loss 0.1%", loss: inBursts,
        figures: [
            .unrepaired(within: 0, ms: 20), .residual(within: 0, ms: 20, .most(0.1), udpspeeder: 0.52), .bytes(.most(50), udpspeeder: 50),
            .delay(.most(0)),
        ]
    ) { seed in
        scenario(seed, .bulk, within: [20], wish: RepairWish(.bulk, residual: 0.001, lateness: .milliseconds(20))) {
            $0.lossBursts = bursts(of: 3, loss: 0.05)
        }
    }

    private static let bulkDefault = RepairCase(
        flow: "bulk 1200 B 2000 pps", loss: "2 % independent",
        figures: [.unrepaired(within: 0, ms: 20), .residual(within: 0, ms: 20, .most(0.5)), .bytes(.most(50)), .delay(.most(0))]
    ) { seed in
        scenario(seed, .bulk, within: [20]) { $0.loss = 0.02 }
    }

    /// What may take longer than a round trip is sent again.
    private static let stream = RepairCase(
        flow: "stream 1000 B 400 pps", loss: "2 % independent",
        figures: [
            .unrepaired(within: 0, ms: 150), .residual(within: 0, ms: 150, .most(0.5)), .bytes(.most(5)), .delay(.most(0)),
        ] + RepairFigure.byTool
    ) { seed in
        scenario(seed, .stream, within: [150]) { $0.loss = 0.02 }
    }

    // MARK: Without loss

    private static let clean: [RepairFigure] = [.residual(within: 0, ms: 50, .most(0)), .bytes(.most(5)), .delay(.most(0))]

    private static let gameClean = RepairCase(flow: "game 64 B 60 pps", loss: "none", figures: clean) { seed in
        scenario(seed, .game, within: [50], seconds: 130) { _ in }
    }

    private static let bulkClean = RepairCase(flow: "bulk 1200 B 2000 pps", loss: "none", figures: clean) { seed in
        scenario(seed, .bulk, within: [50], seconds: 40) { _ in }
    }

    /// From the fifth second without loss on, to the thirtieth.
    private static let bulkAfterLoss = RepairCase(
        flow: "bulk 1200 B 2000 pps", loss: "none since 5 s to 30 s", figures: [.bytes(.most(5))]
    ) { seed in
        scenario(seed, .bulk, within: [50], seconds: 45, warmUp: 25) {
            $0.loss = 0.05
            $0.lossEnds = .seconds(20)
        }
    }

    private static let bulkRest = RepairCase(
        flow: "bulk 1200 B 2000 pps", loss: "none since 31 s", figures: [.bytes(.between(-0.01, 0.01))]
    ) { seed in
        scenario(seed, .bulk, within: [50], seconds: 65, warmUp: 51) {
            $0.loss = 0.05
            $0.lossEnds = .seconds(20)
        }
    }

    private static let gameAfterLoss = RepairCase(
        flow: "game 64 B 60 pps", loss: "none since 5 s", figures: [.bytes(.most(5))]
    ) { seed in
        scenario(seed, .game, within: [50], seconds: 90, warmUp: 25) {
            $0.loss = 0.05
            $0.lossEnds = .seconds(20)
        }
    }
}
