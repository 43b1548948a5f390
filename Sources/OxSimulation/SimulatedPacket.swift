import OxModel

/// UDP over IPv4 or IPv6, numbered in its payload, its checksums right.
enum SimulatedPacket {
    /// Even numbers are IPv4, odd ones IPv6, so that both cross.
    static func make(id: UInt64, from: Int, to: Int, length: Int) -> [UInt8] {
        let v4 = id % 2 == 0
        let headers = v4 ? 28 : 48
        let total = max(length, headers + 8)
        var packet: [UInt8] = v4 ? v4Header(total, from, to) : v6Header(total, from, to)
        let udpLength = UInt16(total - (headers - 8))
        packet += [0x30, 0x39, 0x30, 0x3a, UInt8(udpLength >> 8), UInt8(udpLength & 0xff), 0, 0]
        packet += (0..<8).map { UInt8(truncatingIfNeeded: id >> (56 - 8 * $0)) }
        for index in packet.count..<total { packet.append(UInt8(truncatingIfNeeded: UInt64(index) &* 31 &+ id)) }
        return packet
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

    private static func v4Header(_ total: Int, _ from: Int, _ to: Int) -> [UInt8] {
        var header: [UInt8] = [0x45, 0, UInt8(total >> 8), UInt8(total & 0xff), 0, 0, 0x40, 0, 64, 17, 0, 0]
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
