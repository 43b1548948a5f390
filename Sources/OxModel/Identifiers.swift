/// A configured peer: its slot in the worker's peer table. Reused only after the peer has been removed.
public struct PeerID: Hashable, Comparable, Sendable {
    public var rawValue: UInt32
    public init(_ rawValue: UInt32) { self.rawValue = rawValue }
    public static func < (a: PeerID, b: PeerID) -> Bool { a.rawValue < b.rawValue }
    /// Which of `count` workers has the peer.
    public func worker(of count: Int) -> Int { Int(rawValue) % count }
}

/// One of the links between two peers. Path 0 is the one on which the handshake ran.
public struct PathID: Hashable, Comparable, Sendable {
    public var rawValue: UInt8
    public init(_ rawValue: UInt8) { self.rawValue = rawValue }
    public static let first = PathID(0)
    public static func < (a: PathID, b: PathID) -> Bool { a.rawValue < b.rawValue }
}

/// A session id that this side issued: what the other side writes into its datagrams (Wire.md section 5.1).
public struct SessionID: Hashable, Comparable, Sendable {
    public var rawValue: UInt32
    public init(_ rawValue: UInt32) { self.rawValue = rawValue }
    public static func < (a: SessionID, b: SessionID) -> Bool { a.rawValue < b.rawValue }
    /// Which of `count` workers the kernel brings the session's datagrams to: its peer's.
    public func worker(of count: Int) -> Int { Int(rawValue & 0xff) % count }
}

/// A session id as the other side issued it: its value, and how many bytes it takes in a header (0 to 4).
public struct RemoteSessionID: Hashable, Sendable {
    public var rawValue: UInt32
    public var byteCount: Int
    public init(_ rawValue: UInt32, byteCount: Int) {
        self.rawValue = rawValue
        self.byteCount = byteCount
    }
}

/// The AEADs of the wire, by their numbers (Wire.md section 4.5).
public enum AEAD: UInt8, CaseIterable, Sendable {
    case none = 0
    case chaCha20Poly1305 = 1
    case aes256GCM = 2

    /// As people and JSON read it.
    public var name: String {
        switch self {
        case .none: "none"
        case .chaCha20Poly1305: "chacha20-poly1305"
        case .aes256GCM: "aes-256-gcm"
        }
    }
}
