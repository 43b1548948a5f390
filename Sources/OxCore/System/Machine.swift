internal import COxBase
internal import COxIO

/// What the machine has to offer to workers.
public enum Machine {
    private static let cpusMost = 1024

    /// Numbers of the CPUs that the calling thread may use, ascending.
    public static func allowedCPUs() -> [Int] {
        var cpus = [UInt32](repeating: 0, count: cpusMost)
        let count = unsafe ox_cpus_allowed(&cpus, UInt32(cpus.count))
        return cpus.prefix(Int(count)).map(Int.init)
    }

    /// Memory nodes to choose from: 1 where there is nothing to choose.
    public static var numaNodes: Int { Int(ox_numa_nodes()) }

    /// Of a CPU; nil where there is nothing to choose.
    public static func numaNode(of cpu: Int) -> Int? {
        let node = ox_numa_node_of_cpu(UInt32(cpu))
        return node < 0 ? nil : Int(node)
    }
}
