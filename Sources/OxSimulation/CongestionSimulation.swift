import OxController
import OxCore
import OxModel
import OxTraffic
import Oxidize

/// Runs the real controllers and the real C tunnels of a congestion scenario, and its plain flows, in virtual time.
public final class CongestionSimulation {
    /// What is on its way in the link.
    struct Cargo {
        /// Of a tunnel; nil for a packet of a plain flow.
        var datagram: DatagramStore.Datagram?
        var tunnel: Int
        var label: FlowPacket.Label
    }

    private let scenario: CongestionScenario
    private let clock: (() -> UInt64)?
    private var random: SeededGenerator
    /// By direction.
    private var links: [Link<Cargo>] = []
    private let store = DatagramStore()
    /// Of each tunnel the client's end, then the relay's: by the direction in which they send.
    private var ends: [TunnelEnd] = []
    private var flows: [FlowRun] = []
    private var now = Instant(nanoseconds: 1_000_000_000)
    private var began: Instant
    private var ended = Instant(nanoseconds: .max)
    private let linkRates: [Rate]
    /// 2026-01-01.
    private static let wallBase = WallTime(nanoseconds: 1_767_225_600_000_000_000)
    private static let portCapacity = 4096
    /// For handshakes and the search of the MTU, before the scenario begins.
    private static let settling = Duration.seconds(8)
    /// Packets that leave so shortly before the end need not arrive.
    private static let grace = Duration.seconds(1)

    public struct Failure: Error, CustomStringConvertible {
        public let description: String
    }

    /// - Parameter clock: nanoseconds of processor time, to see what the controllers use. It changes nothing else.
    public init(_ scenario: CongestionScenario, clock: (() -> UInt64)? = nil) throws {
        try Core.start()
        self.scenario = scenario
        self.clock = clock
        random = SeededGenerator(seed: scenario.seed)
        began = now
        linkRates = CongestionScenario.Direction.allCases.map { scenario.link($0).bottleneck?.highestRate ?? Rate(bitsPerSecond: 1_000_000_000) }
        for tunnel in 0..<scenario.tunnels { try open(tunnel) }
    }

    private func open(_ tunnel: Int) throws {
        var settings = try SimulatedKeys.settings(Scenario(seed: scenario.seed, clients: 1), random: &random)
        for index in settings.indices {
            for (feature, isOn) in scenario.features { feature.set(&settings[index], isOn) }
            settings[index].classRules = scenario.classRules
            for wish in scenario.repairWishes {
                settings[index].local.repair.goals[wish.trafficClass] = RedundancyGoal(wish.trafficClass, wish: wish)
            }
        }
        for direction in CongestionScenario.Direction.allCases {
            let side = direction == .up ? 1 : 0
            let host = try Host(
                index: side, settings: settings[side], address: Simulation.address(of: side),
                random: SeededGenerator(seed: random.next()), now: now, portCapacity: Self.portCapacity)
            ends.append(TunnelEnd(tunnel: tunnel, direction: direction, host: host, now: now))
        }
    }

    private func end(_ tunnel: Int, _ direction: CongestionScenario.Direction) -> TunnelEnd {
        ends[2 * tunnel + direction.rawValue]
    }

    public func run() throws -> CongestionOutcome {
        try connect()
        var user = scenario.tunnels
        for (index, flow) in scenario.flows.enumerated() {
            let mine: Int
            if case .tunnel(let tunnel) = flow.way {
                mine = tunnel
            } else {
                mine = user
                user += 1
            }
            flows.append(FlowRun(index, flow, user: mine, start: now, random: SeededGenerator(seed: random.next())))
        }
        proceed(until: began + scenario.warmUp)
        for index in links.indices { links[index].meter.reset() }
        let before = totals()
        proceed(until: ended)
        return outcome(since: before)
    }

    /// Handshakes and what follows from them, over a link on which nothing waits or is lost.
    private func connect() throws {
        links = CongestionScenario.Direction.allCases.map { direction in
            let model = scenario.link(direction)
            return Link(
                LinkModel(delay: model.delay, mtu: model.mtu), random: SeededGenerator(seed: random.next()), start: now)
        }
        proceed(until: now + Self.settling)
        guard ends.allSatisfy({ $0.host.node.sessionsInstalled > 0 }) else {
            throw Failure(description: "a tunnel did not connect within \(Self.settling.inSeconds) s")
        }
        // What is on its way arrives by the link that it was sent into.
        while let next = links.compactMap(\.next).min() {
            now = max(now, next)
            step()
        }
        began = now
        ended = now + scenario.duration
        links = CongestionScenario.Direction.allCases.map { direction in
            Link(scenario.link(direction), random: SeededGenerator(seed: random.next()), start: now)
        }
    }

    // MARK: Time

    private func proceed(until end: Instant) {
        while now < end {
            step()
            var next = min(end.nanoseconds, links[0].next?.nanoseconds ?? .max, links[1].next?.nanoseconds ?? .max)
            for end in ends { next = min(next, end.host.due?.nanoseconds ?? .max) }
            for flow in flows { next = min(next, wakes(flow)) }
            let grain = UInt64(max(1, scenario.granularity.wholeNanoseconds))
            next = (max(next, now.nanoseconds + 1) + grain - 1) / grain * grain
            now = Instant(nanoseconds: min(next, end.nanoseconds))
        }
    }

    private func wakes(_ flow: FlowRun) -> UInt64 {
        guard flow.isTransfer, flow.due <= now else { return flow.due.nanoseconds }
        return min(
            flow.sender.deadline?.nanoseconds ?? .max, flow.sender.departure?.nanoseconds ?? .max,
            flow.acknowledgeAt?.nanoseconds ?? .max)
    }

    /// All that happens now.
    private func step() {
        for direction in CongestionScenario.Direction.allCases {
            while let (cargo, ecn) = links[direction.rawValue].pop(upTo: now) { arrive(cargo, ecn, direction) }
        }
        for flow in flows where wakes(flow) <= now.nanoseconds || flow.due == now { act(flow) }
        // The turn of one may make the other's due.
        for end in ends where end.isTouched || end.host.due.map({ $0 <= now }) ?? false { turn(end) }
    }

    private func turn(_ end: TunnelEnd) {
        var isIdle = false
        while !isIdle {
            fill(end)
            end.isTouched = false
            let again = end.host.turn(now: now, wallBase: Self.wallBase, clock: clock)
            var sent = false
            while let datagram = store.take(from: end.host.network) {
                sent = true
                send(datagram, from: end)
            }
            while end.host.device.pop({ arrive($0) }) {}
            isIdle = !again && !sent && !end.isTouched
        }
    }

    private func send(_ datagram: DatagramStore.Datagram, from end: TunnelEnd) {
        let bytes = Int(datagram.bytes) + Link<Cargo>.headerBytes
        end.datagrams += 1
        end.wireBytes += UInt64(bytes)
        let cargo = Cargo(
            datagram: datagram, tunnel: end.tunnel, label: FlowPacket.Label(flow: 0, kind: .data, number: 0, sent: 0))
        let copies = links[end.direction.rawValue].send(
            cargo, bytes: bytes, ecn: datagram.ecn, user: end.tunnel, now: now)
        if copies == 0 { store.release(datagram) }
        for _ in 1..<max(1, copies) { store.retain(datagram) }
    }

    private func arrive(_ cargo: Cargo, _ ecn: UInt8, _ direction: CongestionScenario.Direction) {
        guard let datagram = cargo.datagram else { return received(cargo.label) }
        defer { store.release(datagram) }
        let end = end(cargo.tunnel, direction.other)
        let from = self.end(cargo.tunnel, direction).sender
        if !store.push(datagram, to: end.host.network, from: from, ecn: ecn) {
            turn(end)
            precondition(
                store.push(datagram, to: end.host.network, from: from, ecn: ecn), "a turn makes room in the port")
        }
        end.isTouched = true
    }

    private func arrive(_ packet: Span<UInt8>) {
        if let label = FlowPacket.label(packet) { received(label) }
    }

    // MARK: Flows

    /// It is time for it to do something, or something has made room for it.
    private func act(_ flow: FlowRun) {
        if flow.isTransfer {
            flow.sender.expire(now: now)
            if let due = flow.acknowledgeAt, due <= now { acknowledge(flow) }
            return pump(flow)
        }
        while flow.due <= now {
            if flow.isSaturating {
                if let end = sendingEnd(of: flow) { end.isTouched = true }
            } else {
                emit(flow, .data, flow.number())
            }
            flow.rest(now: now)
        }
    }

    private func pump(_ flow: FlowRun) {
        guard flow.due <= now else { return }
        while let number = flow.sender.send(now: now) { emit(flow, .data, number) }
    }

    /// Saturating flows through this end add what it has room for.
    private func fill(_ end: TunnelEnd) {
        for flow in flows where flow.isSaturating && flow.due <= now + .milliseconds(1) && sendingEnd(of: flow) === end {
            let count = end.room(now: now, linkRate: linkRates[end.direction.rawValue])
            for _ in 0..<count { emit(flow, .data, flow.number()) }
            end.spend(count)
        }
    }

    private func sendingEnd(of flow: FlowRun) -> TunnelEnd? {
        if case .tunnel(let tunnel) = flow.flow.way { end(tunnel, flow.flow.direction) } else { nil }
    }

    private func emit(_ flow: FlowRun, _ kind: FlowPacket.Kind, _ number: UInt64) {
        let direction = kind == .data ? flow.flow.direction : flow.flow.direction.other
        let label = FlowPacket.Label(flow: flow.index, kind: kind, number: number, sent: now.nanoseconds)
        if kind == .data, isMeasured(now) { flow.outcome.sent += 1 }
        switch flow.flow.way {
        case .plain:
            let bytes = kind == .data ? flow.packetBytes : flow.acknowledgement.bytes.count
            _ = links[direction.rawValue].send(
                Cargo(datagram: nil, tunnel: 0, label: label), bytes: bytes, ecn: 0, user: flow.user, now: now)
        case .tunnel(let tunnel):
            let end = end(tunnel, direction)
            if kind == .data {
                flow.data.write(label)
                _ = end.push(flow.data.bytes)
            } else {
                flow.acknowledgement.write(label)
                _ = end.push(flow.acknowledgement.bytes)
            }
        }
    }

    private func isMeasured(_ sent: Instant) -> Bool {
        sent >= began + scenario.warmUp && sent + Self.grace < ended
    }

    private func received(_ label: FlowPacket.Label) {
        guard label.flow < flows.count else { return }
        let flow = flows[label.flow]
        if label.kind == .acknowledgement {
            flow.acknowledged(upTo: label.number, now: now)
            return pump(flow)
        }
        let second = Int((now.nanoseconds - began.nanoseconds) / 1_000_000_000)
        let isMeasured = isMeasured(Instant(nanoseconds: label.sent))
        if flow.take(label, second: second, isMeasured: isMeasured, now: now) { acknowledge(flow) }
    }

    private func acknowledge(_ flow: FlowRun) { emit(flow, .acknowledgement, flow.acknowledge()) }

    // MARK: Results

    private struct Totals {
        var turns: UInt64 = 0
        var datagrams: UInt64 = 0
        var wireBytes: UInt64 = 0
        var innerPackets: UInt64 = 0
        var innerBytes: UInt64 = 0
        var controlNanoseconds: UInt64 = 0
        var controls: UInt64 = 0
    }

    private func totals() -> Totals {
        var sum = Totals()
        for end in ends {
            sum.turns += end.host.turnCount
            sum.datagrams += end.datagrams
            sum.wireBytes += end.wireBytes
            sum.innerPackets += end.packetsSent
            sum.innerBytes += end.packetBytesSent
            sum.controlNanoseconds += end.host.controlNanoseconds
            sum.controls += end.host.controls
        }
        return sum
    }

    private func outcome(since before: Totals) -> CongestionOutcome {
        let after = totals()
        var drops: [String: UInt64] = [:]
        for end in ends { drops.merge(end.host.node.drops(), uniquingKeysWith: +) }
        let seen = links.indices.map { index in
            LinkOutcome(
                meter: links[index].meter, model: scenario.link(CongestionScenario.Direction(rawValue: index)!),
                warmUp: scenario.warmUp, duration: scenario.duration)
        }
        return CongestionOutcome(
            seed: scenario.seed, duration: scenario.duration, warmUp: scenario.warmUp, up: seen[0], down: seen[1],
            flows: flows.map(\.outcome), turns: after.turns - before.turns, datagrams: after.datagrams - before.datagrams,
            wireBytes: after.wireBytes - before.wireBytes, innerPackets: after.innerPackets - before.innerPackets,
            innerBytes: after.innerBytes - before.innerBytes,
            repairs: (0..<scenario.tunnels).map { end($0, .up).repaired }, drops: drops, controlNanoseconds: after.controlNanoseconds - before.controlNanoseconds,
            controls: after.controls - before.controls)
    }
}
