import OxModel

/// A key of the configuration file: the one list from which unknown keys get their suggestions, a reload knows what it can
/// apply, and the manual is checked.
public struct ConfigurationKey: Hashable, Sendable {
    public enum Table: String, CaseIterable, Sendable {
        case interface, relay, peer, `class`, `repair`, features, log

        /// As the file writes its header.
        public var header: String { isMany ? "[[\(rawValue)]]" : "[\(rawValue)]" }

        private var isMany: Bool { self == .peer || self == .class || self == .repair }
    }

    /// What a changed value needs.
    public enum Reload: Sendable {
        /// A reload applies it; sessions go on.
        case live
        /// The program has to be started again.
        case restart
    }

    public let table: Table
    public let name: String
    /// The TOML type, and the unit of a number.
    public let type: String
    /// Nil when the key is required.
    public let defaultValue: String?
    public let range: String
    public let reload: Reload
    /// Whether its value must never be shown.
    public let isSecret: Bool

    private init(
        _ table: Table, _ name: String, _ type: String, default defaultValue: String?, _ range: String,
        _ reload: Reload, isSecret: Bool = false
    ) {
        self.table = table
        self.name = name
        self.type = type
        self.defaultValue = defaultValue
        self.range = range
        self.reload = reload
        self.isSecret = isSecret
    }

    public static let all: [ConfigurationKey] = [
        .init(.interface, "name", "string", default: "the file's name", "1 to 15 of A-Z a-z 0-9 _ = + . -", .restart),
        .init(.interface, "private-key", "string", default: nil, "base64 of 32 bytes", .restart, isSecret: true),
        .init(.interface, "private-key-file", "string", default: nil, "path", .restart),
        .init(
            .interface, "address", "string or array of strings", default: "[]",
            "up to \(Limits.addresses) addresses with prefix length", .restart),
        .init(.interface, "listen-port", "integer", default: "51820 for a relay, 0 for a client", "0 to 65535", .restart),
        .init(.interface, "mtu", "integer, bytes", default: "1500", "1280 to 1500", .restart),
        .init(.interface, "fwmark", "integer or \"auto\"", default: "\"auto\"", "1 to 0xffffffff", .restart),
        .init(.interface, "table", "string or integer", default: "\"auto\"", "auto, off, 1 to 4294967295", .restart),
        .init(
            .interface, "unencrypted-networks", "string or array of strings", default: "[]",
            "networks with prefix length 1 or more", .live),
        .init(.interface, "workers", "integer or \"auto\"", default: "\"auto\"", "auto, 1 to \(Limits.workers)", .restart),
        .init(.interface, "cpus", "array of integers", default: "[]", "one CPU for each worker", .restart),
        .init(
            .interface, "busy-poll", "integer, microseconds, or \"off\"", default: "\"off\"",
            "off, 1 to \(Limits.busyPollMicroseconds)", .restart),
        .init(.interface, "huge-pages", "string", default: "\"auto\"", "on, off, auto", .restart),
        .init(
            .interface, "buffer-memory", "string or integer, bytes", default: "\"64MB\"", "0, or 8MB to 2GB", .restart),
        .init(.relay, "forward", "boolean", default: "true", "true, false", .restart),
        .init(.relay, "nat", "boolean or array of strings", default: "false", "true, false, interface names", .restart),
        .init(.peer, "name", "string", default: "none", "1 to 64 printable characters", .live),
        .init(.peer, "public-key", "string", default: nil, "base64 of 32 bytes", .live),
        .init(.peer, "preshared-key", "string", default: "none", "base64 of 32 bytes", .live, isSecret: true),
        .init(.peer, "preshared-key-file", "string", default: "none", "path", .live),
        .init(.peer, "endpoint", "string", default: "none", "host:port", .live),
        .init(.peer, "allowed-ips", "string or array of strings", default: "[]", "networks", .live),
        .init(
            .peer, "persistent-keepalive", "string or integer, seconds", default: "\"off\"", "off, 1s to 65535s", .live),
        .init(
            .class, "class", "string", default: nil, TrafficClass.allCases.map(\.name).joined(separator: ", "), .live),
        .init(.class, "protocol", "string or integer", default: "none", "udp, tcp, 1 to 255", .live),
        .init(.class, "ports", "string or integer", default: "none", "1 to 65535, or two of them: 27015-27030", .live),
        .init(.class, "prefix", "string", default: "none", "a network with prefix length 1 or more", .live),
        .init(
            .class, "dscp", "string or integer", default: "none", "DF, LE, VA, EF, CS0 to CS7, AF11 to AF43, 0 to 63", .live),
        .init(
            .repair, "class", "string", default: nil, TrafficClass.allCases.map(\.name).joined(separator: ", "), .live),
        .init(.repair, "loss", "string, percent", default: "\"0.1%\" for gaming and realtime, \"0.5%\"", "0.001% to 50%", .live),
        .init(
            .repair, "lateness", "string, time", default: "50ms for gaming, 60ms for realtime, 150ms for streaming",
            "\(Limits.repairLateness.lowerBound)ms to \(Limits.repairLateness.upperBound)ms", .live),
        .init(.repair, "cost", "string, percent", default: "\"200%\" for sparse flows, \"50%\"", "0% to 200%", .live),
        .init(.features, "batch", "string", default: "\"auto\"", "on, off, auto", .restart),
        .init(.features, "split", "string", default: "\"auto\"", "on, off, auto", .restart),
        .init(.features, "train", "string", default: "\"auto\"", "on, off, auto", .restart),
        .init(.features, "coalesce", "string", default: "\"auto\"", "on, off, auto", .restart),
        .init(.features, "offload", "string", default: "\"auto\"", "on, off, auto", .restart),
        .init(.features, "aes-gcm", "string", default: "\"auto\"", "on, off, auto", .restart),
        .init(.features, "ipsec-mb", "string", default: "\"auto\"", "on, off, auto", .restart),
        .init(.features, "simd", "string", default: "\"auto\"", "on, off, auto", .restart),
        .init(.features, "path-mtu-discovery", "string", default: "\"auto\"", "on, off, auto", .restart),
        .init(.features, "congestion-control", "string", default: "\"auto\"", "on, off, auto", .live),
        .init(.features, "fair-queue", "string", default: "\"auto\"", "on, off, auto", .live),
        .init(.features, "gaming-mode", "string", default: "\"auto\"", "on, off, auto", .live),
        .init(.features, "batch-hold", "string", default: "\"off\"", "on, off, auto", .live),
        .init(.features, "predictive-pacing", "string", default: "\"off\"", "on, off, auto", .live),
        .init(.features, "repair", "string", default: "\"auto\"", "on, off, auto", .restart),
        .init(.features, "header-compression", "string", default: "\"auto\"", "on, off, auto", .restart),
        .init(
            .log, "level", "string", default: "\"info\"", "trace, debug, info, notice, warning, error, critical", .live),
    ]

    public static func keys(of table: Table) -> [ConfigurationKey] { all.filter { $0.table == table } }

    /// The names of keys whose values are cut out of the text before anything else reads it.
    static let secretNames = Set(all.filter(\.isSecret).map(\.name))
}

/// Limits of a configuration.
public enum Limits {
    /// Bytes of a configuration file.
    public static let fileBytes = 16 << 20
    /// Bytes of a file that holds one key.
    public static let keyFileBytes = 4096
    /// As many as a handshake can carry.
    public static let addresses = 4
    public static let peers = 1 << 16
    public static let peerNameCharacters = 64
    /// Characters of a network interface's name.
    public static let interfaceNameBytes = 15
    /// Threads that move packets.
    public static let workers = 16
    /// The largest number of a CPU.
    static let cpu = 1023
    static let busyPollMicroseconds = 10_000
    /// One step of growth, and the most. Or 0, for none.
    static let bufferMemory = (8 << 20)...(2 << 30)
    static let bufferMemoryDefault = 64 << 20
    /// Tables and arrays inside each other.
    static let depth = 16
    /// Of `[[class]]`: as many as the core takes.
    public static let classRules = 256
    /// Of `[[repair]]`: thousandths of a percent, and milliseconds.
    static let repairLoss = 1...50_000
    static let repairCost = 0...200_000
    static let repairLateness = 5...2000
}
