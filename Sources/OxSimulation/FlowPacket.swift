import OxModel

/// An IPv4 packet of a flow, whose payload says which, and when it was sent. Each word of that is followed by its complement in the end,
/// so that the transport's checksum is the same whatever they say. What counts in a real flow's headers counts here: the identification,
/// TCP's numbers, RTP's sequence and time.
struct FlowPacket {
    enum Kind: UInt8 { case data = 1, acknowledgement = 2 }

    enum Form { case udp, rtp, tcp }

    struct Label: Equatable {
        var flow: Int
        var kind: Kind
        var number: UInt64
        var sent: UInt64
    }

    static let leastBytes = 40 + labelBytes
    private static let labelBytes = 32
    private static let rtpVersion: UInt8 = 0x80
    /// Bytes of a segment of which an acknowledgement speaks.
    private static let segmentBytes = 1460
    static func port(of flow: Int) -> UInt16 { UInt16(20_000 + flow) }

    private(set) var bytes: [UInt8]
    private let form: Form
    private let at: Int
    /// How many were written.
    private var count: UInt32 = 0
    /// Of the header and of the transport, without what counts.
    private var headerSum: UInt16 = 0
    private var transportSum: UInt16 = 0

    /// - Parameter from: 0 for the relay, 1 for the client.
    init(flow: Int, form: Form, from: Int, bytes count: Int) {
        let size = max(count, Self.leastBytes)
        let isTCP = form == .tcp
        self.form = form
        at = form == .udp ? 28 : 40
        bytes = SimulatedPacket.v4Header(size, from, 1 - from, protocol: isTCP ? 6 : 17)
        headerSum = ~(UInt16(bytes[10]) << 8 | UInt16(bytes[11]))
        for number in [Self.port(of: flow), 443] { bytes += [UInt8(number >> 8), UInt8(number & 0xff)] }
        if isTCP {
            bytes += [0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x10, 0xff, 0xff, 0, 0, 0, 0]
        } else {
            bytes += [UInt8((size - 20) >> 8), UInt8((size - 20) & 0xff), 0, 0]
        }
        // PCMA, and a source.
        if form == .rtp { bytes += [Self.rtpVersion, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0x13, 0x57] }
        bytes += [UInt8](repeating: 0, count: size - at)
        put(Label(flow: flow, kind: .data, number: 0, sent: 0))
        transportSum = ~SimulatedPacket.checksum(bytes, v4: true, protocol: isTCP ? 6 : 17)
    }

    /// Makes it the next packet of the flow.
    mutating func write(_ label: Label) {
        put(label)
        let identification = UInt16(truncatingIfNeeded: 700 + count)
        put(identification, at: 4)
        put(~Self.sum(headerSum, [identification]), at: 10)
        let fields: [UInt16]
        switch form {
        case .udp: fields = []
        case .rtp:
            //= RFC 3550 section 5.1
            //# sequence number, timestamp
            fields = [UInt16(truncatingIfNeeded: 4000 + count)] + Self.words(160 &* count)
            for (index, field) in fields.enumerated() { put(field, at: 30 + 2 * index) }
        case .tcp:
            let sent = UInt32(5000) &+ count &* UInt32(bytes.count - at)
            let acknowledged = label.kind == .data ? 900 : 5000 + UInt64(Self.segmentBytes) * label.number
            fields = Self.words(sent) + Self.words(UInt32(truncatingIfNeeded: acknowledged))
            for (index, field) in fields.enumerated() { put(field, at: 24 + 2 * index) }
        }
        let sum = ~Self.sum(transportSum, fields)
        put(sum == 0 ? 0xffff : sum, at: form == .tcp ? 36 : 26)
        count &+= 1
    }

    private static func words(_ value: UInt32) -> [UInt16] { [UInt16(value >> 16), UInt16(value & 0xffff)] }

    //= RFC 1071 section 1
    //# the one's complement sum of 16-bit words
    private static func sum(_ first: UInt16, _ words: [UInt16]) -> UInt16 {
        var sum = words.reduce(UInt32(first)) { $0 + UInt32($1) }
        while sum >> 16 != 0 { sum = sum & 0xffff + sum >> 16 }
        return UInt16(sum)
    }

    private mutating func put(_ value: UInt16, at offset: Int) {
        bytes[offset] = UInt8(value >> 8)
        bytes[offset + 1] = UInt8(value & 0xff)
    }

    private mutating func put(_ label: Label) {
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
        let at = packet[9] == 6 || packet[28] == rtpVersion ? 40 : 28
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
