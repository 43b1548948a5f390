/// An IPv4 or IPv6 address. IPv4-mapped IPv6 addresses are IPv4 addresses here, so that each host has one form.
public struct IPAddress: Hashable, Sendable {
    /// The address as IPv6 (IPv4 as ::ffff:a.b.c.d): most and least significant halves.
    public let high: UInt64
    public let low: UInt64

    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    public init(v4 value: UInt32) { self.init(high: 0, low: 0xffff_0000_0000 | UInt64(value)) }

    public var isV4: Bool { high == 0 && low >> 32 == 0xffff }
    public var isUnspecified: Bool { (high == 0 && low == 0) || (isV4 && low & 0xffff_ffff == 0) }

    /// Bits of its family: 32 or 128.
    public var bitCount: Int { isV4 ? 32 : 128 }

    /// The 16 bytes of the IPv6 form, in network byte order.
    public var bytes: [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: high >> (56 - 8 * $0)) }
            + (0..<8).map { UInt8(truncatingIfNeeded: low >> (56 - 8 * $0)) }
    }

    /// The 16 bytes of an IPv6 address (or IPv4-mapped), or the 4 of an IPv4 one.
    public init?(bytes: some Collection<UInt8>) {
        switch bytes.count {
        case 4: self.init(v4: bytes.reduce(0) { $0 << 8 | UInt32($1) })
        case 16:
            self.init(
                high: bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) },
                low: bytes.dropFirst(8).reduce(0) { $0 << 8 | UInt64($1) })
        default: return nil
        }
    }
}

extension IPAddress: CustomStringConvertible, LosslessStringConvertible {
    /// Dotted quad, or RFC 4291 text without a zone.
    public init?(_ text: String) {
        if text.contains(":") {
            guard let groups = IPAddress.groups(text) else { return nil }
            self.init(
                high: groups[0..<4].reduce(0) { $0 << 16 | UInt64($1) },
                low: groups[4..<8].reduce(0) { $0 << 16 | UInt64($1) })
        } else {
            guard let v4 = IPAddress.dottedQuad(text[...]) else { return nil }
            self.init(v4: v4)
        }
    }

    /// The recommended form of RFC 5952.
    public var description: String {
        if isV4 { return (0..<4).map { String(low >> (24 - 8 * $0) & 0xff) }.joined(separator: ".") }
        let groups = (0..<8).map { UInt16(truncatingIfNeeded: ($0 < 4 ? high : low) >> (48 - 16 * ($0 % 4))) }
        guard let run = IPAddress.longestZeroRun(groups) else {
            return groups.map { String($0, radix: 16) }.joined(separator: ":")
        }
        let left = groups[..<run.lowerBound].map { String($0, radix: 16) }.joined(separator: ":")
        let right = groups[run.upperBound...].map { String($0, radix: 16) }.joined(separator: ":")
        return left + "::" + right
    }

    /// Two or more zero groups, the first of the longest ones.
    private static func longestZeroRun(_ groups: [UInt16]) -> Range<Int>? {
        var best = 0..<0
        var start = 0
        while start < groups.count {
            var end = start
            while end < groups.count, groups[end] == 0 { end += 1 }
            if end - start > best.count { best = start..<end }
            start = end + 1
        }
        return best.count >= 2 ? best : nil
    }

    private static func dottedQuad(_ text: Substring) -> UInt32? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var value: UInt32 = 0
        for part in parts {
            guard part.count <= 3, part.allSatisfy(\.isASCIIDigit), part == "0" || part.first != "0",
                let octet = UInt8(part)
            else { return nil }
            value = value << 8 | UInt32(octet)
        }
        return value
    }

    private static func groups(_ text: String) -> [UInt16]? {
        let halves = text.split(separator: "::", omittingEmptySubsequences: false)
        guard halves.count <= 2, let left = half(halves[0], last: halves.count == 1) else { return nil }
        guard halves.count == 2 else { return left.count == 8 ? left : nil }
        guard let right = half(halves[1], last: true), left.count + right.count <= 7 else { return nil }
        return left + [UInt16](repeating: 0, count: 8 - left.count - right.count) + right
    }

    private static func half(_ text: Substring, last: Bool) -> [UInt16]? {
        if text.isEmpty { return [] }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        var groups: [UInt16] = []
        for (index, part) in parts.enumerated() {
            if last, index == parts.count - 1, part.contains(".") {
                guard let v4 = dottedQuad(part) else { return nil }
                groups += [UInt16(truncatingIfNeeded: v4 >> 16), UInt16(truncatingIfNeeded: v4)]
            } else {
                guard (1...4).contains(part.count), part.allSatisfy({ $0.isASCII && $0.isHexDigit }),
                    let group = UInt16(part, radix: 16)
                else { return nil }
                groups.append(group)
            }
        }
        return groups.count <= 8 ? groups : nil
    }
}

extension Character {
    fileprivate var isASCIIDigit: Bool { isASCII && isWholeNumber }
}

/// An address with a prefix length: a network, or an interface's address within one.
public struct IPPrefix: Hashable, Sendable, CustomStringConvertible, LosslessStringConvertible {
    public let address: IPAddress
    /// Bits that count, of the address's own family: 0 to 32, or 0 to 128.
    public let length: Int

    public init?(_ address: IPAddress, length: Int) {
        guard (0...address.bitCount).contains(length) else { return nil }
        self.address = address
        self.length = length
    }

    /// "10.0.0.0/8", "fd00::/8", or a bare address for one host.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), let address = IPAddress(String(parts[0])) else { return nil }
        guard parts.count == 2 else {
            self.init(address, length: address.bitCount)
            return
        }
        guard parts[1].count <= 3, parts[1].allSatisfy(\.isASCIIDigit), let length = Int(parts[1]) else { return nil }
        self.init(address, length: length)
    }

    public var description: String { "\(address)/\(length)" }

    /// Bits of the 128-bit form that count.
    private var mappedLength: Int { address.isV4 ? length + 96 : length }

    /// The same network with its host bits zero.
    public var network: IPPrefix {
        let bits = mappedLength
        let highMask: UInt64 = bits >= 64 ? .max : bits == 0 ? 0 : .max << UInt64(64 - bits)
        let lowMask: UInt64 = bits <= 64 ? 0 : bits == 128 ? .max : .max << UInt64(128 - bits)
        return IPPrefix(
            IPAddress(high: address.high & highMask, low: address.low & lowMask), length: length)!
    }

    public func contains(_ other: IPAddress) -> Bool {
        guard other.isV4 == address.isV4, let host = IPPrefix(other, length: length) else { return false }
        return host.network.address == network.address
    }
}

/// An outer UDP address.
public struct SocketAddress: Hashable, Sendable, CustomStringConvertible, LosslessStringConvertible {
    public var ip: IPAddress
    public var port: UInt16
    /// IPv6 zone index; 0 where it means nothing.
    public var scope: UInt32

    public init(_ ip: IPAddress, port: UInt16, scope: UInt32 = 0) {
        self.ip = ip
        self.port = port
        self.scope = scope
    }

    /// "192.0.2.1:443" or "[2001:db8::1]:443".
    public init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
            guard host.contains(":") else { return nil }
        } else if host.contains(":") {
            return nil
        }
        let digits = text[text.index(after: colon)...]
        guard let ip = IPAddress(String(host)), !digits.isEmpty, digits.allSatisfy(\.isASCIIDigit),
            let port = UInt16(digits)
        else { return nil }
        self.init(ip, port: port)
    }

    public var description: String { ip.isV4 ? "\(ip):\(port)" : "[\(ip)]:\(port)" }
}
