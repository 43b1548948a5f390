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
    /// What its controller has used, where somebody looked at a clock.
    private(set) var controlNanoseconds: UInt64 = 0
    /// How often it had cause to decide.
    private(set) var controls: UInt64 = 0

    init(
        index: Int, settings: NodeSettings, address: SocketAddress, random: SeededGenerator, now: Instant,
        turns: UInt64 = 0, portCapacity: Int = 1024
    ) throws(CoreError) {
        var devices: [(port: Port, link: MemoryLink)] = []
        var networks: [(port: Port, link: MemoryLink)] = []
        for _ in 0..<settings.local.workers {
            devices.append(try Port.memory(capacity: portCapacity))
            networks.append(try Port.memory(capacity: portCapacity))
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

    var device: MemoryLink { devices[0] }
    var network: MemoryLink { networks[0] }

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
        var isIdle = false
        while !isIdle {
            let again = turn(now: now, wallBase: wallBase)
            var datagrams: [MemoryLink.Packet] = []
            for network in networks { while let datagram = network.pop() { datagrams.append(datagram) } }
            if !datagrams.isEmpty { sent.append((TurnID(host: index, number: turns), datagrams)) }
            for device in devices { while let packet = device.pop() { received(packet) } }
            isIdle = !again && datagrams.isEmpty
        }
        return sent
    }

    /// Turns the workers once, and lets the controller decide where it has cause to. True when there is more to do at once: orders
    /// that it gave, too.
    ///
    /// - Parameter clock: what `controlNanoseconds` is reckoned by; nil for not at all.
    func turn(now: Instant, wallBase: WallTime, clock: (() -> UInt64)? = nil) -> Bool {
        turns += 1
        // Packets that were handed over need the others' turns, and their buffers one more to come home.
        var turnings = node.workers.map { $0.turn(now: now) }
        if node.workers.count > 1 { turnings = node.workers.map { $0.turn(now: now) } }
        var deadline = node.deadline(now: now)
        let isDue = deadline.map { $0 <= now } ?? false
        var isOrdered = false
        if isDue || node.workers.contains(where: \.hasEvents) {
            let orders = node.workers.reduce(0) { $0 + $1.ordersGiven }
            let elapsed = wallOffset + (now - Instant(nanoseconds: 0))
            let wall = WallTime(nanoseconds: wallBase.nanoseconds &+ UInt64(bitPattern: elapsed.wholeNanoseconds))
            let began = clock?() ?? 0
            node.control(now: now, wall: wall)
            controlNanoseconds += (clock?() ?? 0) - began
            controls += 1
            isOrdered = node.workers.reduce(0) { $0 + $1.ordersGiven } != orders
            deadline = node.deadline(now: now)
        }
        due = (turnings.map(\.next) + [deadline]).compactMap { $0 }.min()
        return isOrdered || turnings.contains(where: \.again) || (due.map { $0 <= now } ?? false)
    }

    var turnCount: UInt64 { turns }
}
