import OxConfiguration
import OxController
import OxCore
import OxModel
import Oxidize

/// What came of a run.
public struct Outcome: Sendable, Equatable {
    public var seed: UInt64
    public var packetsSent: UInt64
    public var packetsDelivered: UInt64
    public var datagramsSent: UInt64
    /// Drops of all nodes, by name.
    public var drops: [String: UInt64]
    /// Datagrams that the network lost, by name.
    public var lost: [String: UInt64]
    public var handshakes: Int
    /// Packets neither delivered, nor in a turn that the network damaged, nor covered by a named drop: none in a correct tunnel.
    public var unexplained: [UInt64]
    /// Wrong bytes, duplicates, packets from nowhere: none in a correct tunnel.
    public var violations: [String]
    /// Of the packets sent in the last tenth of the run, the share that arrived.
    public var finalDelivery: Double
}

/// Runs the real controllers, handshakes and C tunnels of a relay and its clients in virtual time over a simulated network.
public final class Simulation {
    private let scenario: Scenario
    private var random: SeededGenerator
    private var network: Network
    private var ledger = PacketLedger()
    private var hosts: [Host] = []
    private var settings: [NodeSettings] = []
    private var now = Instant(nanoseconds: 1_000_000_000)
    private let began: Instant
    private var nextPacket: UInt64 = 1
    private var datagrams: UInt64 = 0
    private var pastDrops: [String: UInt64] = [:]
    private var handshakes = 0
    private var lateSent: Set<UInt64> = []
    private var lateArrived = 0
    /// 2026-01-01.
    private static let wallBase = WallTime(nanoseconds: 1_767_225_600_000_000_000)

    /// Host 0 is the relay, 192.0.2.1:51820; client i is at 198.51.100.i:40000.
    public init(_ scenario: Scenario) throws {
        try Core.start()
        self.scenario = scenario
        random = SeededGenerator(seed: scenario.seed)
        network = Network(
            scenario.link, relay: Simulation.address(of: 0), random: SeededGenerator(seed: random.next()), start: now)
        began = now
        settings = try SimulatedKeys.settings(scenario, random: &random)
        for index in settings.indices {
            hosts.append(
                try Host(
                    index: index, settings: settings[index], address: Simulation.address(of: index),
                    random: SeededGenerator(seed: random.next()), now: now))
        }
    }

    static func address(of host: Int) -> SocketAddress {
        host == 0
            ? SocketAddress(IPAddress(v4: 0xc000_0201), port: 51820)
            : SocketAddress(IPAddress(v4: 0xc633_6400 + UInt32(host)), port: 40000)
    }

    public func run() throws -> Outcome {
        let end = began + scenario.duration
        let interval = Duration.nanoseconds(1_000_000_000 / Int64(max(1, scenario.packetsPerSecond)))
        var trafficAt = now
        var mishaps = scenario.mishaps.sorted { $0.at < $1.at }
        while now < end {
            while let first = mishaps.first, began + first.at <= now { try befall(mishaps.removeFirst().what) }
            if trafficAt <= now {
                for client in 1..<hosts.count { exchange(client, late: end - now < scenario.duration * 0.1) }
                trafficAt += interval
            }
            deliver()
            for host in hosts where host.due.map({ $0 <= now }) ?? false { turn(host) }
            let next = [trafficAt, network.next, mishaps.first.map { began + $0.at }, end] + hosts.map(wakes)
            now = max(now + .nanoseconds(1), next.compactMap { $0 }.min() ?? end)
        }
        return settle()
    }

    /// When the host has something to do of its own.
    private func wakes(_ host: Host) -> Instant? {
        guard let asleep = host.asleepUntil, asleep > now else { return host.due }
        return asleep
    }

    /// Lets what is under way arrive, drops what waits under its name, and sums up.
    private func settle() -> Outcome {
        let grace = now + .seconds(2)
        while let next = network.next, next <= grace {
            now = max(now, next)
            deliver()
        }
        for host in hosts {
            host.node.forgetWaiting(now: now)
            turn(host)
        }
        while let next = network.next {
            now = max(now, next)
            deliver()
        }
        var drops = pastDrops
        for host in hosts { drops.merge(host.node.drops(), uniquingKeysWith: +) }
        for host in hosts { handshakes += host.node.sessionsInstalled }
        var unexplained = ledger.unexplained()
        let covered = drops.filter { !Simulation.datagramDrops.contains($0.key) }.values.reduce(0, +)
        unexplained.removeFirst(min(unexplained.count, Int(covered)))
        return Outcome(
            seed: scenario.seed, packetsSent: ledger.sent, packetsDelivered: ledger.delivered, datagramsSent: datagrams,
            drops: drops, lost: network.lost, handshakes: handshakes, unexplained: unexplained,
            violations: ledger.violations,
            finalDelivery: lateSent.isEmpty ? 0 : Double(lateArrived) / Double(lateSent.count))
    }

    /// Drops of whole datagrams damage their turn instead of explaining one packet; those of handshakes and copies explain none.
    static let datagramDrops: Set<String> = [
        "replayed", "too_old", "handshake_replayed", "handshake_rate", "handshake_unexpected", "handshake_stranger",
        "session_unknown", "key_expired", "unauthenticated", "event_ring_full",
    ]

    // MARK: Packets

    /// One packet, or super-packet, each way between a client and the relay.
    private func exchange(_ client: Int, late: Bool) {
        for (from, to) in [(client, 0), (0, client)] {
            let host = hosts[from]
            if let asleep = host.asleepUntil, asleep > now { continue }
            let length = Int.random(in: scenario.packetBytes, using: &random)
            let count = random.chance(scenario.superPackets) ? UInt64.random(in: 2...40, using: &random) : 1
            let ids = nextPacket..<nextPacket + count
            nextPacket += count
            guard let packets = push(ids, to: host, from, to, length: length) else { continue }
            for (id, packet) in zip(ids, packets) { ledger.entered(id, host: from, bytes: packet) }
            if late { lateSent.formUnion(ids) }
            // Sometimes packets gather before the worker turns.
            if random.chance(0.8) { turn(host) }
        }
    }

    /// Hands one packet, or a super-packet, to the host's device. Nil when the device is full; else the packets that it stands for.
    private func push(_ ids: Range<UInt64>, to host: Host, _ from: Int, _ to: Int, length: Int) -> [[UInt8]]? {
        if ids.count == 1 {
            let packet = SimulatedPacket.make(id: ids.lowerBound, from: from, to: to, length: length)
            return host.device(of: ids.lowerBound).push(packet) ? [packet] : nil
        }
        let headers = SimulatedPacket.headerBytes(v4: ids.lowerBound % 2 == 0)
        let payload = max(8, length - headers)
        let made = SimulatedPacket.makeSuper(ids: ids, from: from, to: to, payload: payload)
        let isTaken = host.device(of: ids.lowerBound).push(
            made.packet, segment: UInt16(payload), transport: UInt16(headers - 8), protocol: 17)
        return isTaken ? made.parts : nil
    }

    private func turn(_ host: Host) {
        if let asleep = host.asleepUntil {
            if asleep > now { return }
            host.asleepUntil = nil
        }
        let sent = host.run(now: now, wallBase: Simulation.wallBase) { packet in
            guard let id = SimulatedPacket.id(of: packet.bytes) else { return }
            ledger.arrived(id, bytes: packet.bytes, at: host.index)
            if lateSent.contains(id) { lateArrived += 1 }
        }
        let queuesAreEmpty = host.node.queuedPackets == 0
        for (turn, packets) in sent {
            // A handshake carries nothing.
            if packets.contains(where: { $0.bytes.first.map { $0 >= 0x40 } ?? false }) {
                ledger.left(turn, queuesAreEmpty: queuesAreEmpty)
            }
            for packet in packets {
                datagrams += 1
                guard let to = packet.to else { continue }
                let arrives = network.send(
                    packet.bytes, from: host.address, to: to, ecn: packet.ecn, turn: turn, now: now)
                if !arrives { ledger.damage(turn) }
            }
        }
    }

    private func deliver() {
        while let flight = network.pop(upTo: now) {
            guard let host = hosts.first(where: { $0.address == flight.to }) else {
                network.drop("nat_forgotten")
                ledger.damage(flight.turn)
                continue
            }
            if let asleep = host.asleepUntil, asleep > now {
                network.drop("asleep")
                ledger.damage(flight.turn)
                continue
            }
            let before = host.node.drops()
            guard host.network(of: flight.bytes).push(flight.bytes, from: flight.from, ecn: flight.ecn) else {
                network.drop("port_full")
                ledger.damage(flight.turn)
                continue
            }
            turn(host)
            // A copy that came too late, or for a session that is gone, took its packets with it.
            let after = host.node.drops()
            for name in Simulation.datagramDrops where after[name] ?? 0 > before[name] ?? 0 { ledger.damage(flight.turn) }
        }
    }

    // MARK: Mishaps

    private func befall(_ mishap: Scenario.Mishap) throws {
        switch mishap {
        case .rebinding(let client): hosts[client + 1].address.port &+= 1
        case .sleep(let client, let duration): hosts[client + 1].asleepUntil = now + duration
        case .clockSet(let client, let by): hosts[client + 1].wallOffset += by
        case .relayRestart:
            let old = hosts[0]
            old.node.forgetWaiting(now: now)
            turn(old)
            pastDrops.merge(old.node.drops(), uniquingKeysWith: +)
            handshakes += old.node.sessionsInstalled
            hosts[0] = try Host(
                index: 0, settings: settings[0], address: old.address, random: SeededGenerator(seed: random.next()),
                now: now, turns: old.turnCount)
        }
    }
}
