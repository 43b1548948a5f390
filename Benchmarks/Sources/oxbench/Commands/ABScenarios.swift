import OxModel
import OxSimulation

/// A link and its traffic, for comparing features on. Each draws something from the seed.
struct ABScenario: Sendable {
    let name: String
    let about: String
    let build: @Sendable (UInt64) -> CongestionScenario

    private static let roundTrip = Duration.milliseconds(40)

    static let all = [game, upload, saturated, lossy, mixed, calls, uplink]

    private static func over(
        _ seed: UInt64, megabits: UInt64, bufferMilliseconds: Int, loss: Double = 0, _ flows: [CongestionScenario.Flow]
    ) -> CongestionScenario {
        let bottleneck = Bottleneck(Rate(bitsPerSecond: megabits * 1_000_000), roundTrip: .milliseconds(bufferMilliseconds))
        let back = Bottleneck(Rate(bitsPerSecond: megabits * 1_000_000), roundTrip: .milliseconds(bufferMilliseconds))
        func model(_ bottleneck: Bottleneck) -> LinkModel {
            LinkModel(bottleneck: bottleneck, delay: roundTrip / 2, jitter: .milliseconds(2), keepsOrder: true, loss: loss)
        }
        return CongestionScenario(
            seed: seed, duration: .seconds(30), warmUp: .seconds(10), up: model(bottleneck), down: model(back), flows: flows)
    }

    private static let game = ABScenario(name: "game", about: "a game each way and nothing else, 20 Mbit/s") { seed in
        over(seed, megabits: 20, bufferMilliseconds: 40, [.init(.game()), .init(.game(), .down)])
    }

    private static let upload = ABScenario(
        name: "upload", about: "a game beside a TCP upload, 20 Mbit/s with a 300 ms buffer"
    ) { seed in
        over(seed, megabits: 20, bufferMilliseconds: 300, [.init(.game()), .init(.cubic)])
    }

    private static let saturated = ABScenario(name: "saturated", about: "as much as goes, 20 Mbit/s with a buffer of 1 BDP") { seed in
        over(seed, megabits: 20, bufferMilliseconds: 40, [.init(.saturating())])
    }

    private static let lossy = ABScenario(name: "lossy", about: "a game beside a TCP upload, 20 Mbit/s, 1 % loss") { seed in
        over(seed, megabits: 20, bufferMilliseconds: 40, loss: 0.01, [.init(.game()), .init(.cubic)])
    }

    private static let mixed = ABScenario(
        name: "mixed", about: "a game, a call, a stream in bursts and small packets, 10 Mbit/s with a 100 ms buffer"
    ) { seed in
        over(
            seed, megabits: 10, bufferMilliseconds: 100,
            [
                .init(.game()), .init(.call),
                .init(.onOff(Rate(bitsPerSecond: 15_000_000), on: .milliseconds(500), off: .milliseconds(1500))),
                .init(.constant(Rate(bitsPerSecond: 1_500_000), packetBytes: 150)),
            ])
    }

    /// 256 kbit/s up and 4 Mbit/s down, with buffers of 300 ms.
    private static func overUplink(_ seed: UInt64, _ flows: [CongestionScenario.Flow]) -> CongestionScenario {
        func model(_ rate: UInt64) -> LinkModel {
            LinkModel(
                bottleneck: Bottleneck(Rate(bitsPerSecond: rate), roundTrip: .milliseconds(300)), delay: roundTrip / 2,
                jitter: .milliseconds(2), keepsOrder: true)
        }
        return CongestionScenario(
            seed: seed, duration: .seconds(30), warmUp: .seconds(10), up: model(256_000), down: model(4_000_000), flows: flows)
    }

    private static let calls = ABScenario(
        name: "calls", about: "a game and a call each way, 256 kbit/s up and 4 Mbit/s down"
    ) { seed in
        overUplink(seed, [.init(.game()), .init(.call), .init(.game(), .down), .init(.call, .down)])
    }

    private static let uplink = ABScenario(
        name: "uplink", about: "a game and a call up 256 kbit/s, beside the acknowledgements of a TCP download of 4 Mbit/s"
    ) { seed in
        overUplink(seed, [.init(.game()), .init(.call), .init(.cubic, .down)])
    }
}
