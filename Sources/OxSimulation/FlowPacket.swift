import OxModel

/// An IPv4 packet of a flow, whose payload says which, and when it was sent. Each word of that is followed by its complement in the end,
/// so that the transport's checksum is the same whatever they say.
struct FlowPacket {
    enum Kind: UInt8 { case data = 1, acknowledgement = 2 }

    struct Label: Equatable {
        var flow: Int
        var kind: Kind
        var number: UInt64
        var sent: UInt64
    }

    static let leastBytes = 40 + labelBytes
    private static let labelBytes = 32
    static func port(of flow: Int) -> UInt16 { UInt16(20_000 + flow) }

    private(set) var bytes: [UInt8]
    private let at: Int

    /// - Parameters:
    ///   - isTCP: else it is UDP.
    ///   - from: 0 for the relay, 1 for the client.
    init(flow: Int, isTCP: Bool, from: Int, bytes count: Int) {
        let size = max(count, Self.leastBytes)
        at = isTCP ? 40 : 28
        bytes = SimulatedPacket.v4Header(size, from, 1 - from, protocol: isTCP ? 6 : 17)
        for number in [Self.port(of: flow), 443] { bytes += [UInt8(number >> 8), UInt8(number & 0xff)] }
        if isTCP {
            bytes += [0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x10, 0xff, 0xff, 0, 0, 0, 0]
        } else {
            bytes += [UInt8((size - 20) >> 8), UInt8((size - 20) & 0xff), 0, 0]
        }
        bytes += [UInt8](repeating: 0, count: size - at)
        write(Label(flow: flow, kind: .data, number: 0, sent: 0))
        let sum = SimulatedPacket.checksum(bytes, v4: true, protocol: isTCP ? 6 : 17)
        let field = isTCP ? 36 : 26
        bytes[field] = UInt8(sum >> 8)
        bytes[field + 1] = UInt8(sum & 0xff)
    }

    mutating func write(_ label: Label) {
        let first = UInt64(label.kind.rawValue) << 56 | UInt64(label.flow) << 48 | label.number & 0xffff_ffff_ffff
        for (index, word) in [first, label.sent, ~first, ~label.sent].enumerated() {
            for byte in 0..<8 {
                bytes[at + 8 * index + byte] = UInt8(truncatingIfNeeded: word >> UInt64(56 - 8 * byte))
            }
        }
    }

    /// Nil for what is no packet of a flow.
    static func label(_ packet: Span<UInt8>) -> Label? {
        guard packet.count >= leastBytes, packet[0] == 0x45 else { return nil }
        let at = packet[9] == 6 ? 40 : 28
        func word(_ index: Int) -> UInt64 {
            var value: UInt64 = 0
            for byte in 0..<8 { value = value << 8 | UInt64(packet[at + 8 * index + byte]) }
            return value
        }
        let first = word(0)
        guard word(2) == ~first, let kind = Kind(rawValue: UInt8(first >> 56)) else { return nil }
        return Label(flow: Int(first >> 48 & 0xff), kind: kind, number: first & 0xffff_ffff_ffff, sent: word(1))
    }
}
