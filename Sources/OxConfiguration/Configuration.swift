public import OxModel

/// What a configuration file says, checked as a whole. Two files that mean the same are equal, however they are written.
public struct Configuration: Equatable, Sendable {
    public enum Role: String, Sendable {
        case client, relay
    }

    public let interface: Interface
    /// Present in a relay's file alone.
    public let relay: RelaySettings?
    /// In the file's order.
    public let peers: [Peer]
    /// In the file's order: the first that holds for a packet counts.
    public let classRules: [ClassRule]
    /// In the file's order: at most one a class.
    public let repairWishes: [RepairWish]
    public let features: Features
    public let logLevel: LogLevel

    public var role: Role { relay == nil ? .client : .relay }
}

extension Configuration {
    public struct Interface: Equatable, Sendable {
        /// The TUN device's.
        public let name: String
        public let privateKey: SecretKey
        /// Inside the tunnel, each with the network around it.
        public let addresses: [IPPrefix]
        /// UDP; 0 for any.
        public let listenPort: UInt16
        /// Of the TUN device, in bytes.
        public let mtu: Int
        /// Nil: chosen when the default route goes through the tunnel.
        public let firewallMark: UInt32?
        public let table: RoutingTable
        /// Outer networks to and from which datagrams may go unencrypted, if the other side says the same.
        public let unencryptedNetworks: [IPPrefix]
        /// Threads that move packets.
        public let workers: WorkerCount
        /// One CPU for each worker to stay on; empty: no choice was made.
        public let cpus: [Int]
        /// How long a worker looks for packets before it sleeps. Nil for off. Whole microseconds.
        public let busyPoll: Duration?
        /// Whether packet buffers are asked for in huge pages.
        public let hugePages: FeatureChoice
        /// Bytes by which the packet buffers of all workers may grow under load.
        public let bufferMemory: Int
    }

    public enum WorkerCount: Equatable, Sendable {
        /// One for a client; for a relay half of the CPUs, but no more than peers.
        case automatic
        case number(Int)
    }

    /// Where the routes for allowed-ips go.
    public enum RoutingTable: Equatable, Sendable {
        /// The main table; for a default route one of its own.
        case automatic
        /// No routes are made.
        case off
        case number(UInt32)
    }

    public struct RelaySettings: Equatable, Sendable {
        /// Whether IP forwarding is turned on for the tunnel's interface.
        public let forward: Bool
        public let nat: NAT
    }

    /// Which interfaces' addresses stand for the clients' outside.
    public enum NAT: Equatable, Sendable {
        case off
        /// Any but the tunnel's.
        case everyInterface
        case interfaces([String])
    }

    public struct Peer: Equatable, Sendable {
        /// For people.
        public let name: String?
        public let publicKey: PublicKey
        public let presharedKey: SecretKey?
        public let endpoint: Endpoint?
        /// Networks, their host bits zero.
        public let allowedIPs: [IPPrefix]
        /// Nil for off. Whole seconds.
        public let persistentKeepalive: Duration?
    }

    public enum FeatureChoice: String, CaseIterable, Sendable {
        case on, off
        /// On where measurements say that it wins.
        case auto
    }

    public struct Features: Equatable, Sendable {
        /// Several inner packets in one datagram.
        public let batch: FeatureChoice
        /// An inner packet over two datagrams.
        public let split: FeatureChoice
        /// Super-packets of TCP and UDP as trains of datagrams, their headers once.
        public let train: FeatureChoice
        /// Packets of one flow that arrive together go to the device as one super-packet.
        public let coalesce: FeatureChoice
        /// The kernel's segmentation and receive offloads, on the device and on the UDP port.
        public let offload: FeatureChoice
        /// AES-256-GCM. `auto`: where it is faster than ChaCha20-Poly1305.
        public let aesGCM: FeatureChoice
        /// AEADs by ipsec-mb, where it is installed.
        public let ipsecMB: FeatureChoice
        /// AVX2 and AVX-512 variants of the parser and the checksum.
        public let simd: FeatureChoice
        public let pathMTUDiscovery: FeatureChoice
        /// Datagrams leave at the rate and in the amount that BBR finds the path to carry.
        public let congestionControl: FeatureChoice
        /// Classes, and flows in them, take turns before the path (FQ-CoDel).
        public let fairQueue: FeatureChoice
        /// Smaller probes, and gaming and realtime packets ahead of the pacing. `auto`: while there is such traffic.
        public let gamingMode: FeatureChoice
        /// Packets that are not urgent wait a little for company. `auto`: while that was measured to pay.
        public let batchHold: FeatureChoice
        /// Pacing heeds forecasts of the path.
        public let predictivePacing: FeatureChoice
        /// What gets lost is repaired where that is in time, by copies, a code, or sending it again.
        public let repair: FeatureChoice
        /// Headers of inner packets cross compressed, where that pays.
        public let headerCompression: FeatureChoice
    }

    public enum LogLevel: String, CaseIterable, Sendable {
        case trace, debug, info, notice, warning, error, critical
    }
}
