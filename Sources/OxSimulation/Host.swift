import Logging
import OxConfiguration
import OxController
import OxCore
import OxModel
import Oxidize

/// A machine of the simulation: a node, the memory ports it is on, and its clocks.
final class Host {
    let index: Int
    let device: MemoryLink
    let network: MemoryLink
    let node: Node
    /// Under which the network knows it.
    var address: SocketAddress
    var wallOffset: Duration = .zero
    var asleepUntil: Instant?
    private var turns: UInt64
    private(set) var due: Instant?

    init(
        index: Int, settings: NodeSettings, address: SocketAddress, random: SeededGenerator, now: Instant,
        turns: UInt64 = 0
    ) throws(CoreError) {
        let device = try Port.memory(capacity: 1024)
        let network = try Port.memory(capacity: 1024)
        self.index = index
        self.device = device.link
        self.network = network.link
        self.address = address
        self.turns = turns
        var logger = Logger(label: "simulation") { _ in SwiftLogNoOpLogHandler() }
        logger.logLevel = .critical
        node = try Node(
            settings, device: device.port, network: network.port, random: random, logger: logger, now: now,
            resolve: { _, _ in })
        try node.start(now: now)
        due = now
    }

    /// Turns worker and controller until both are at rest. Returns what was sent, by turn.
    func run(now: Instant, wallBase: WallTime, received: (MemoryLink.Packet) -> Void) -> [(TurnID, [MemoryLink.Packet])] {
        var sent: [(TurnID, [MemoryLink.Packet])] = []
        let elapsed = wallOffset + (now - Instant(nanoseconds: 0))
        let wall = WallTime(nanoseconds: wallBase.nanoseconds &+ UInt64(bitPattern: elapsed.wholeNanoseconds))
        var isIdle = false
        while !isIdle {
            turns += 1
            let turn = node.worker.turn(now: now)
            node.control(now: now, wall: wall)
            var datagrams: [MemoryLink.Packet] = []
            while let datagram = network.pop() { datagrams.append(datagram) }
            if !datagrams.isEmpty { sent.append((TurnID(host: index, number: turns), datagrams)) }
            while let packet = device.pop() { received(packet) }
            due = [turn.next, node.deadline(now: now)].compactMap { $0 }.min()
            isIdle = !turn.again && datagrams.isEmpty && (due.map { $0 > now } ?? true)
        }
        return sent
    }

    var turnCount: UInt64 { turns }
}
