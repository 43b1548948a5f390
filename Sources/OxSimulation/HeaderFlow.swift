/// Packets of a flow as applications make them, for looking at what their headers cost.
public struct HeaderFlow: Sendable {
    public enum Kind: String, CaseIterable, Sendable {
        /// 64 bytes of UDP; the IP identification counts the flow's packets.
        case game
        /// RTP with 160 bytes of sound; likewise.
        case voice
        /// A download: TCP with timestamps, 1240 bytes a packet. The identification counts.
        case download
        /// Its acknowledgements, one for two packets of it.
        case acknowledgement
    }

    private let kind: Kind
    private let from: Int
    private let to: Int
    private var count: UInt32 = 0

    private static let downloadBytes: UInt32 = 1240

    public init(_ kind: Kind, from side: TunnelPair.Side) {
        self.kind = kind
        from = side.rawValue
        to = side.other.rawValue
    }

    /// The next one.
    public mutating func next() -> [UInt8] {
        defer { count += 1 }
        let transport = kind == .game || kind == .voice ? datagram() : segment()
        let number: UInt8 = kind == .game || kind == .voice ? 17 : 6
        var packet = SimulatedPacket.v4Header(20 + transport.count, from, to, protocol: number) + transport
        Self.put(UInt16(truncatingIfNeeded: 700 + count), at: 4, in: &packet)
        Self.put(UInt16(0), at: 10, in: &packet)
        Self.put(Self.headerSum(packet), at: 10, in: &packet)
        Self.put(SimulatedPacket.checksum(packet, v4: true, protocol: number), at: 20 + (number == 17 ? 6 : 16), in: &packet)
        return packet
    }

    private func content(_ bytes: Int) -> [UInt8] { (0..<bytes).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ Int(count) &* 7) } }

    private func datagram() -> [UInt8] {
        var payload = content(kind == .voice ? 172 : 64)
        if kind == .voice {
            //= RFC 3550 section 5.1
            //# version, payload type, sequence number, timestamp, SSRC
            payload[0] = 0x80
            payload[1] = 8
            Self.put(UInt16(truncatingIfNeeded: 4000 + count), at: 2, in: &payload)
            Self.put(UInt32(160 * count), at: 4, in: &payload)
            Self.put(UInt32(0x1357_9bdf), at: 8, in: &payload)
        }
        var header: [UInt8] = [0x69, 0x87, 0x69, 0x87, 0, 0, 0, 0]
        Self.put(UInt16(8 + payload.count), at: 4, in: &header)
        return header + payload
    }

    private func segment() -> [UInt8] {
        let isData = kind == .download
        var header: [UInt8] = isData ? [0x01, 0xbb, 0xc3, 0x50] : [0xc3, 0x50, 0x01, 0xbb]
        header += [UInt8](repeating: 0, count: 8) + [8 << 4, 0x10, 0x01, 0xf5, 0, 0, 0, 0, 1, 1, 8, 10] + [UInt8](repeating: 0, count: 8)
        Self.put(isData ? UInt32(5000) + count * Self.downloadBytes : 900, at: 4, in: &header)
        Self.put(isData ? UInt32(900) : 5000 + (2 * count + 2) * Self.downloadBytes, at: 8, in: &header)
        // Timestamps of milliseconds, packets of a tenth of one.
        Self.put(UInt32(70_000) + count / 10, at: 24, in: &header)
        Self.put(UInt32(90_000) + count / 10, at: 28, in: &header)
        return header + content(isData ? Int(Self.downloadBytes) : 0)
    }

    private static func put(_ value: some FixedWidthInteger, at offset: Int, in bytes: inout [UInt8]) {
        let count = value.bitWidth / 8
        for index in 0..<count { bytes[offset + index] = UInt8(truncatingIfNeeded: value >> (8 * (count - 1 - index))) }
    }

    //= RFC 791 section 3.1
    //# the one's complement of the one's complement sum of the header's words
    private static func headerSum(_ packet: [UInt8]) -> UInt16 {
        var sum: UInt32 = 0
        for index in stride(from: 0, to: 20, by: 2) { sum += UInt32(packet[index]) << 8 | UInt32(packet[index + 1]) }
        while sum >> 16 != 0 { sum = sum & 0xffff + sum >> 16 }
        return ~UInt16(sum)
    }
}
