import Logging
import OxConfiguration
import OxController
import OxCore
import OxModel
import Oxidize

/// A machine of the simulation: a node, the memory ports it is on, and its clocks.
final class Host {
    let index: Int
    /// One for each worker.
    private let devices: [MemoryLink]
    private let networks: [MemoryLink]
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
        var devices: [(port: Port, link: MemoryLink)] = []
        var networks: [(port: Port, link: MemoryLink)] = []
        for _ in 0..<settings.local.workers {
            devices.append(try Port.memory(capacity: 1024))
            networks.append(try Port.memory(capacity: 1024))
        }
        self.index = index
        self.devices = devices.map(\.link)
        self.networks = networks.map(\.link)
        self.address = address
        self.turns = turns
        var logger = Logger(label: "simulation") { _ in SwiftLogNoOpLogHandler() }
        logger.logLevel = .critical
        node = try Node(
            settings, workers: zip(devices, networks).map { WorkerSetup(device: $0.port, network: $1.port) },
            random: random, logger: logger, now: now, resolve: { _, _ in })
        try node.start(now: now)
        due = now
    }

    /// The device queue that packets of a flow are read from: any, as the kernel's choice is.
    func device(of flow: UInt64) -> MemoryLink { devices[Int(flow % UInt64(devices.count))] }

    /// The port that the kernel brings a datagram to: data to the owner of its session, all else to the first.
    func network(of datagram: [UInt8]) -> MemoryLink {
        let isData = datagram.count > 1 && datagram[0] & 0xc0 == 0x40
        return networks[isData ? Port.owner(of: UInt32(datagram[1]), workers: networks.count) : 0]
    }

    /// Turns workers and controller until all are at rest. Returns what was sent, by turn.
    func run(now: Instant, wallBase: WallTime, received: (MemoryLink.Packet) -> Void) -> [(TurnID, [MemoryLink.Packet])] {
        var sent: [(TurnID, [MemoryLink.Packet])] = []
        let elapsed = wallOffset + (now - Instant(nanoseconds: 0))
        let wall = WallTime(nanoseconds: wallBase.nanoseconds &+ UInt64(bitPattern: elapsed.wholeNanoseconds))
        var isIdle = false
        while !isIdle {
            turns += 1
            // Packets that were handed over need the others' turns, and their buffers one more to come home.
            var turnings = node.workers.map { $0.turn(now: now) }
            if node.workers.count > 1 { turnings = node.workers.map { $0.turn(now: now) } }
            node.control(now: now, wall: wall)
            var datagrams: [MemoryLink.Packet] = []
            for network in networks { while let datagram = network.pop() { datagrams.append(datagram) } }
            if !datagrams.isEmpty { sent.append((TurnID(host: index, number: turns), datagrams)) }
            for device in devices { while let packet = device.pop() { received(packet) } }
            due = (turnings.map(\.next) + [node.deadline(now: now)]).compactMap { $0 }.min()
            isIdle = !turnings.contains(where: \.again) && datagrams.isEmpty && (due.map { $0 > now } ?? true)
        }
        return sent
    }

    var turnCount: UInt64 { turns }
}
