public import OxModel

/// Tunnels and plain flows that share one bottleneck each way. Everything else follows from the seed.
public struct CongestionScenario: Sendable {
    /// What a flow sends.
    public enum Traffic: Sendable, Equatable {
        /// As much as the tunnel takes: a few milliseconds of packets wait at all times, and no more. Only through a tunnel.
        case saturating(packetBytes: Int = 1400)
        /// So many IP bytes a second, in packets of one size.
        case constant(Rate, packetBytes: Int = 1400)
        /// Small packets at a steady pace.
        case game(packetsPerSecond: Int = 60, packetBytes: Int = 128)
        /// RTP with 160 bytes of sound, every 20 ms.
        case call
        /// At a rate for about so long, then silent for about so long: half as long to one and a half times, at random.
        case onOff(Rate, on: Duration, off: Duration, packetBytes: Int = 1400)
        /// A transfer without end, under the control of CUBIC.
        case cubic
        /// Likewise of BBR in its first version.
        case bbr1

        var isTransfer: Bool { self == .cubic || self == .bbr1 }
        /// Takes all that it gets.
        public var isGreedy: Bool { if case .saturating = self { true } else { isTransfer } }
    }

    public enum Way: Sendable, Hashable {
        /// Through the tunnel with this index.
        case tunnel(Int)
        /// As it is, over the same link.
        case plain
    }

    public enum Direction: Int, Sendable, CaseIterable {
        /// From the client to the relay.
        case up = 0
        case down = 1

        public var other: Direction { self == .up ? .down : .up }
    }

    public struct Flow: Sendable {
        public var traffic: Traffic
        public var way: Way
        public var direction: Direction
        /// Since the start, and up to about 100 ms later as the seed has it.
        public var starts: Duration
        /// Delays within which deliveries are counted apart.
        public var within: [Duration]

        public init(
            _ traffic: Traffic, over way: Way = .tunnel(0), _ direction: Direction = .up, starts: Duration = .zero,
            within: [Duration] = []
        ) {
            self.traffic = traffic
            self.way = way
            self.direction = direction
            self.starts = starts
            self.within = within
        }
    }

    public var seed: UInt64
    public var duration: Duration
    /// Figures are of what comes after it, unless they say otherwise. Whole tenths of a second.
    public var warmUp: Duration
    public var up: LinkModel
    public var down: LinkModel
    public var tunnels: Int
    public var flows: [Flow]
    /// Events that are closer together than this count as one, as those of a network card do; zero: none.
    public var granularity: Duration = .zero
    /// Differences from the defaults of both ends.
    public var features: [(feature: SimulatedFeature, isOn: Bool)] = []
    /// Of both ends.
    public var classRules: [ClassRule] = []
    public var repairWishes: [RepairWish] = []

    public init(
        seed: UInt64, duration: Duration, warmUp: Duration, up: LinkModel, down: LinkModel, tunnels: Int = 1, flows: [Flow]
    ) {
        precondition(flows.allSatisfy { if case .tunnel(let index) = $0.way { index < tunnels } else { true } })
        precondition(flows.allSatisfy { flow in
            if case .saturating = flow.traffic { flow.way != .plain } else { true }
        })
        self.seed = seed
        self.duration = duration
        self.warmUp = warmUp
        self.up = up
        self.down = down
        self.tunnels = tunnels
        self.flows = flows
    }

    /// Who shares the link: the tunnels first, then the plain flows, in their order.
    public var users: Int { tunnels + flows.count { $0.way == .plain } }

    public func link(_ direction: Direction) -> LinkModel { direction == .up ? up : down }

    /// What is of the flow with this index is of this class.
    public static func rule(_ trafficClass: TrafficClass, flow index: Int) -> ClassRule {
        let port = FlowPacket.port(of: index)
        return ClassRule(trafficClass, ports: port...port)
    }
}
