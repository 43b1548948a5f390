import OxModel

/// What a path sent in some time.
public struct Load: Equatable, Sendable {
    /// Inner packets, and their bytes.
    public var packets: UInt64
    public var packetBytes: UInt64
    /// What carried them: datagrams, and bytes of their UDP payload.
    public var datagrams: UInt64
    public var bytes: UInt64
    public var interval: Duration

    public init(
        packets: UInt64 = 0, packetBytes: UInt64 = 0, datagrams: UInt64 = 0, bytes: UInt64 = 0, interval: Duration = .zero
    ) {
        self.packets = packets
        self.packetBytes = packetBytes
        self.datagrams = datagrams
        self.bytes = bytes
        self.interval = interval
    }

    /// IPv4 and UDP headers around a datagram; IPv6's are 20 bytes more.
    static let outerHeaders: UInt64 = 28

    public static func + (a: Load, b: Load) -> Load {
        Load(
            packets: a.packets + b.packets, packetBytes: a.packetBytes + b.packetBytes, datagrams: a.datagrams + b.datagrams,
            bytes: a.bytes + b.bytes, interval: a.interval + b.interval)
    }

    public var packetsPerSecond: Double { interval > .zero ? Double(packets) / interval.inSeconds : 0 }

    var wireBytes: UInt64 { bytes + Load.outerHeaders * datagrams }

    /// Bytes on the wire for each packet beside its own.
    var overhead: Double {
        packets == 0 ? 0 : (Double(wireBytes) - Double(packetBytes)) / Double(packets)
    }

    /// The share of wire bytes that this load saved against the same packets with the other's overhead; nil without packets.
    func savedShare(against other: Load) -> Double? {
        guard packets > 0, other.packets > 0 else { return nil }
        let expected = Double(packetBytes) + Double(packets) * other.overhead
        return expected > 0 ? 1 - Double(wireBytes) / expected : nil
    }
}
