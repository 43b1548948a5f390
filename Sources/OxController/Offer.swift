public import OxModel

/// Optional parts of the protocol that a side is willing to use, as bits of the wire (Wire.md section 4.5).
public struct FeatureSet: OptionSet, Hashable, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Several inner packets in one datagram.
    public static let batch = FeatureSet(rawValue: 1 << 0)
    /// An inner packet over two datagrams.
    public static let split = FeatureSet(rawValue: 1 << 1)
    /// Super-packets as trains of cars; checksums that were verified before the seal.
    public static let train = FeatureSet(rawValue: 1 << 2)
    /// Frames that repair what is lost.
    public static let repair = FeatureSet(rawValue: 1 << 3)
    /// Packets with compressed headers.
    public static let headerCompression = FeatureSet(rawValue: 1 << 4)

    /// As the configuration calls them.
    public var names: [String] {
        let all: [(FeatureSet, String)] = [
            (.batch, "batch"), (.split, "split"), (.train, "train"), (.repair, "repair"),
            (.headerCompression, "header-compression"),
        ]
        return all.filter { contains($0.0) }.map(\.1)
    }
}

/// What a handshake message carries, authenticated (Wire.md section 4.5). A response states choices: exactly one AEAD.
public struct Offer: Hashable, Sendable {
    /// Best first.
    public var aeads: [AEAD]
    public var features: FeatureSet
    /// The ids under which the sender wants to receive, one a path.
    public var sessions: [PathID: RemoteSessionID]
    /// The sender's addresses inside the tunnel. For people: allowed-ips decide.
    public var innerAddresses: [IPAddress]

    public init(
        aeads: [AEAD], features: FeatureSet, sessions: [PathID: RemoteSessionID], innerAddresses: [IPAddress] = []
    ) {
        self.aeads = aeads
        self.features = features
        self.sessions = sessions
        self.innerAddresses = innerAddresses
    }
}

/// The TAI64N label of an initiation. It must grow from one initiation of a peer to the next.
public struct Timestamp: Hashable, Comparable, Sendable {
    /// Seconds of TAI64.
    public var seconds: UInt64
    public var nanoseconds: UInt32

    public init(seconds: UInt64, nanoseconds: UInt32) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }

    public static func < (a: Timestamp, b: Timestamp) -> Bool {
        (a.seconds, a.nanoseconds) < (b.seconds, b.nanoseconds)
    }
}
