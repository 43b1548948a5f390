/// A network namespace under /run/netns. Inside an `Enclosure` its name needs to be unique there only, and it vanishes
/// with it.
struct Namespace {
    let name: String

    /// What goes in front of a command that is to run in it. Not `ip netns exec`, which mounts a /sys of its own, as
    /// containers refuse.
    var entry: [String] { ["nsenter", "--net=/run/netns/\(name)", "--"] }

    static func make(_ name: String, _ children: ChildProcesses) throws -> Namespace {
        try children.run(["ip", "netns", "add", name])
        let made = Namespace(name: name)
        try children.run(["ip", "link", "set", "dev", "lo", "up"], in: made)
        return made
    }

    /// Joins two namespaces by a veth pair whose ends have these addresses and the names of the opposite namespaces.
    static func connect(
        _ left: Namespace, _ leftAddress: String, _ right: Namespace, _ rightAddress: String, _ children: ChildProcesses
    ) throws {
        try children.run([
            "ip", "link", "add", "name", right.name, "netns", left.name, "type", "veth",
            "peer", "name", left.name, "netns", right.name,
        ])
        for (namespace, device, address) in [(left, right.name, leftAddress), (right, left.name, rightAddress)] {
            try children.run(["ip", "address", "add", address, "dev", device], in: namespace)
            try children.run(["ip", "link", "set", "dev", device, "up"], in: namespace)
        }
    }

    /// Counters of a network device, in IP bytes where the device is a TUN.
    struct Counters {
        var receivedBytes: UInt64
        var receivedPackets: UInt64
        var sentBytes: UInt64
        var sentPackets: UInt64
    }

    func counters(of device: String, _ children: ChildProcesses) throws -> Counters {
        // proc_pid_net(5): eight columns of receipt, then eight of transmission.
        let table = try children.run(["cat", "/proc/net/dev"], as: "counters", in: self)
        for line in table.split(separator: "\n") {
            let halves = line.split(separator: ":", maxSplits: 1)
            guard halves.count == 2, halves[0].drop(while: { $0 == " " }) == device else { continue }
            let numbers = halves[1].split(separator: " ").compactMap { UInt64($0) }
            guard numbers.count >= 10 else { break }
            return Counters(
                receivedBytes: numbers[0], receivedPackets: numbers[1], sentBytes: numbers[8], sentPackets: numbers[9])
        }
        throw LabFailure("/proc/net/dev of the namespace \(name) does not tell of \(device)")
    }
}
