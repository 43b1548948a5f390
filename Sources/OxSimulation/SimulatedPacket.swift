import OxModel

/// UDP over IPv4 or IPv6, numbered in its payload, its checksums right.
enum SimulatedPacket {
    /// Even numbers are IPv4, odd ones IPv6, so that both cross.
    static func make(id: UInt64, from: Int, to: Int, length: Int) -> [UInt8] {
        let v4 = id % 2 == 0
        var packet = headers(v4: v4, payload: max(8, length - headerBytes(v4: v4)), from: from, to: to)
        packet += payload(id: id, length: max(8, length - headerBytes(v4: v4)))
        let at = headerBytes(v4: v4) - 2
        let sum = checksum(packet, v4: v4)
        packet[at] = UInt8(sum >> 8)
        packet[at + 1] = UInt8(sum & 0xff)
        return packet
    }

    /// A super-packet of datagrams with `payload` bytes each, and the packets that it stands for.
    static func makeSuper(ids: Range<UInt64>, from: Int, to: Int, payload bytes: Int) -> (packet: [UInt8], parts: [[UInt8]]) {
        let v4 = ids.lowerBound % 2 == 0
        let parts = ids.map { id -> [UInt8] in
            var packet = headers(v4: v4, payload: bytes, from: from, to: to) + payload(id: id, length: bytes)
            let at = headerBytes(v4: v4) - 2
            let sum = checksum(packet, v4: v4)
            packet[at] = UInt8(sum >> 8)
            packet[at + 1] = UInt8(sum & 0xff)
            return packet
        }
        let whole = headers(v4: v4, payload: bytes * ids.count, from: from, to: to)
        return (whole + parts.flatMap { $0.dropFirst(headerBytes(v4: v4)) }, parts)
    }

    static func headerBytes(v4: Bool) -> Int { v4 ? 28 : 48 }

    /// Whether two packets are the same but for the identification of a packet that is never fragmented, which means nothing
    /// (RFC 6864 section 4.1).
    static func same(_ a: [UInt8], _ b: [UInt8]) -> Bool {
        guard a.count == b.count, a.count > 20, a[0] >> 4 == 4, a[6] & 0x40 != 0 else { return a == b }
        return a[..<4] == b[..<4] && a[6..<10] == b[6..<10] && a[12...] == b[12...]
    }

    private static func headers(v4: Bool, payload: Int, from: Int, to: Int) -> [UInt8] {
        let total = headerBytes(v4: v4) + payload
        let udpLength = UInt16(8 + payload)
        return (v4 ? v4Header(total, from, to) : v6Header(total, from, to))
            + [0x30, 0x39, 0x30, 0x3a, UInt8(udpLength >> 8), UInt8(udpLength & 0xff), 0, 0]
    }

    /// The id, and then bytes that differ by 31 from one to the next and begin where the id says: a piece of the pattern, as 223 times
    /// 31 is 1 modulo 256.
    private static func payload(id: UInt64, length: Int) -> [UInt8] {
        let begin = Int(id &* 223 & 0xff)
        return (0..<8).map { UInt8(truncatingIfNeeded: id >> (56 - 8 * $0)) } + pattern[(begin + 8)..<(begin + max(8, length))]
    }

    private static let pattern = (0..<(256 + 1 << 16)).map { UInt8(truncatingIfNeeded: $0 &* 31) }

    /// RFC 768, RFC 8200 section 8.1.
    static func checksum(_ packet: [UInt8], v4: Bool, protocol number: UInt8 = 17) -> UInt16 {
        let transport = v4 ? 20 : 40
        var sum = UInt32(number) + UInt32(packet.count - transport)
        var at = v4 ? 12 : 8
        while at < packet.count {
            sum += UInt32(packet[at]) << 8 | (at + 1 < packet.count ? UInt32(packet[at + 1]) : 0)
            at += 2
        }
        while sum >> 16 != 0 { sum = sum & 0xffff + sum >> 16 }
        return sum == 0xffff ? 0xffff : ~UInt16(sum)
    }

    static func id(of packet: [UInt8]) -> UInt64? {
        let at = packet.first.map { $0 >> 4 } == 4 ? 28 : 48
        guard packet.count >= at + 8 else { return nil }
        return packet[at..<at + 8].reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// The relay is 10.99.0.1 or fd99::1, client i 10.99.1.i or fd99::1:i.
    static func v4Address(of host: Int) -> UInt32 { host == 0 ? 0x0a63_0001 : 0x0a63_0100 + UInt32(host) }
    static func v6Address(of host: Int) -> IPAddress {
        IPAddress(high: 0xfd99_0000_0000_0000, low: host == 0 ? 1 : 0x1_0000 + UInt64(host))
    }

    static func v4Header(_ total: Int, _ from: Int, _ to: Int, protocol number: UInt8 = 17) -> [UInt8] {
        var header: [UInt8] = [0x45, 0, UInt8(total >> 8), UInt8(total & 0xff), 0, 0, 0x40, 0, 64, number, 0, 0]
        for address in [v4Address(of: from), v4Address(of: to)] {
            header += (0..<4).map { UInt8(truncatingIfNeeded: address >> (24 - 8 * UInt32($0))) }
        }
        var sum: UInt32 = 0
        for index in stride(from: 0, to: 20, by: 2) { sum += UInt32(header[index]) << 8 | UInt32(header[index + 1]) }
        while sum >> 16 != 0 { sum = sum & 0xffff + sum >> 16 }
        header[10] = ~UInt8(truncatingIfNeeded: sum >> 8)
        header[11] = ~UInt8(truncatingIfNeeded: sum)
        return header
    }

    private static func v6Header(_ total: Int, _ from: Int, _ to: Int) -> [UInt8] {
        let payload = total - 40
        return [0x60, 0, 0, 0, UInt8(payload >> 8), UInt8(payload & 0xff), 17, 64]
            + v6Address(of: from).bytes + v6Address(of: to).bytes
    }
}
