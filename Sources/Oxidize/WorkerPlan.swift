import OxConfiguration
package import OxCore

/// One worker of a node: the ports that it owns, and where it runs.
package struct WorkerSetup {
    package var device: Port
    package var network: Port
    package var memory: BufferMemory
    package var busyPoll: Duration?
    /// The CPU that its thread stays on. Nil for any.
    package var cpu: Int?

    package init(
        device: Port, network: Port, memory: BufferMemory = BufferMemory(), busyPoll: Duration? = nil, cpu: Int? = nil
    ) {
        self.device = device
        self.network = network
        self.memory = memory
        self.busyPoll = busyPoll
        self.cpu = cpu
    }
}

/// How many workers a tunnel has, and on which CPUs they stay.
struct WorkerPlan: Equatable {
    /// A CPU for each worker; nil for any.
    var cpus: [Int?]
    var count: Int { cpus.count }

    static let automaticMost = 8

    /// - Parameter allowed: CPUs that this process may use.
    init(_ configuration: Configuration, allowed: [Int]) throws(TunnelError) {
        let chosen = configuration.interface.cpus
        if let missing = chosen.first(where: { !allowed.contains($0) }) {
            throw TunnelError(
                .configuration,
                "cpus names \(missing), which this process may not use: name some of "
                    + allowed.map(String.init).joined(separator: ", "))
        }
        let count: Int
        switch configuration.interface.workers {
        case .number(let number): count = number
        case .automatic where !chosen.isEmpty: count = chosen.count
        case .automatic where configuration.role == .client: count = 1
        case .automatic:
            count = max(1, min(allowed.count / 2, WorkerPlan.automaticMost, configuration.peers.count))
        }
        if !chosen.isEmpty {
            cpus = chosen
        } else if count == 1 || allowed.isEmpty {
            cpus = [Int?](repeating: nil, count: count)
        } else {
            cpus = (0..<count).map { allowed[$0 % allowed.count] }
        }
    }

    /// Buffers near each worker's CPU; all workers grow by what is configured together.
    func memory(_ configuration: Configuration) -> [BufferMemory] {
        let growth = BufferMemory.Allowance(bytes: configuration.interface.bufferMemory)
        return cpus.map { cpu in
            BufferMemory(
                node: cpu.flatMap(Machine.numaNode(of:)).map(Int32.init),
                hugePages: configuration.interface.hugePages == .on, growth: growth)
        }
    }
}
