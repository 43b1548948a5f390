import OxModel

/// A run: some clients and one relay, what they send, and what befalls them. Everything else follows from the seed.
public struct Scenario: Sendable {
    public enum Mishap: Sendable, Equatable {
        /// The client's NAT forgets it: it appears under another port from now on.
        case rebinding(client: Int)
        /// The client's machine sleeps, and finds its clocks ahead when it wakes.
        case sleep(client: Int, Duration)
        /// The client's civil time is set, forwards or backwards.
        case clockSet(client: Int, by: Duration)
        /// The relay's process dies and begins anew, knowing nothing.
        case relayRestart
    }

    public var seed: UInt64
    public var duration: Duration
    public var clients: Int
    public var link: LinkModel
    /// Each client sends and is sent so many packets a second.
    public var packetsPerSecond: Int
    /// Bytes of each inner packet.
    public var packetBytes: ClosedRange<Int>
    public var batch: Bool
    /// The share of sends that are super-packets of 2 to 40 datagrams.
    public var superPackets: Double
    /// Sessions live this long before they are replaced, so that short runs see it too.
    public var rekeyAfter: Duration
    /// Workers of the relay. They turn one after the other.
    public var relayWorkers = 1
    public var mishaps: [(at: Duration, what: Mishap)]

    public init(
        seed: UInt64, duration: Duration = .seconds(20), clients: Int = 2, link: LinkModel = LinkModel(),
        packetsPerSecond: Int = 30, packetBytes: ClosedRange<Int> = 60...1500, batch: Bool = true, superPackets: Double = 0,
        rekeyAfter: Duration = .seconds(120), mishaps: [(at: Duration, what: Mishap)] = []
    ) {
        self.seed = seed
        self.duration = duration
        self.clients = clients
        self.link = link
        self.packetsPerSecond = packetsPerSecond
        self.packetBytes = packetBytes
        self.batch = batch
        self.superPackets = superPackets
        self.rekeyAfter = rekeyAfter
        self.mishaps = mishaps
    }

    /// Loss, reordering, duplication, rekeying, NAT rebinding, sleeping machines and clocks that jump, as the seed has it.
    public static func rough(seed: UInt64, duration: Duration = .seconds(20)) -> Scenario {
        var random = SeededGenerator(seed: seed ^ 0x6f78_6964_697a_6521)
        var scenario = Scenario(seed: seed, duration: duration)
        scenario.clients = Int.random(in: 1...3, using: &random)
        scenario.link = LinkModel(
            delay: .milliseconds(Int.random(in: 1...80, using: &random)),
            jitter: .milliseconds(Int.random(in: 0...20, using: &random)),
            loss: Double.random(in: 0...0.1, using: &random),
            duplication: Double.random(in: 0...0.05, using: &random),
            reordering: Double.random(in: 0...0.05, using: &random),
            mtu: [1252, 1372, 1472].randomElement(using: &random)!)
        scenario.batch = Bool.random(using: &random)
        scenario.superPackets = Double.random(in: 0...0.3, using: &random)
        scenario.rekeyAfter = .seconds(Int.random(in: 2...8, using: &random))
        let victim = Int.random(in: 0..<scenario.clients, using: &random)
        let end = duration.wholeNanoseconds
        func moment() -> Duration { .nanoseconds(Int64.random(in: end / 10...end * 8 / 10, using: &random)) }
        scenario.mishaps = [
            (moment(), .rebinding(client: victim)),
            (moment(), .rebinding(client: 0)),
            (moment(), .clockSet(client: victim, by: .seconds(Int.random(in: -7200...7200, using: &random)))),
            // It wakes again before the end, so that the last packets show whether the tunnel has recovered.
            (moment() * 0.75, .sleep(client: victim, .milliseconds(Int.random(in: 100...4000, using: &random)))),
        ]
        if seed % 4 == 0 { scenario.mishaps.append((moment(), .relayRestart)) }
        return scenario
    }
}
