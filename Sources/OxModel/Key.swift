/// A Curve25519 public key. Public keys are no secrets and are plain values; secret keys stay in locked memory and never have
/// this form.
public struct PublicKey: Hashable, Sendable, CustomStringConvertible {
    public static let byteCount = 32

    public let bytes: [UInt8]

    /// Nil unless there are 32 bytes.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == PublicKey.byteCount else { return nil }
        self.bytes = Array(bytes)
    }

    /// WireGuard's encoding: base64 of 32 bytes, 44 characters. Nil for anything else.
    public init?(base64 text: String) {
        guard let bytes = Base64.decodeKey(text) else { return nil }
        self.init(bytes: bytes)
    }

    public var description: String { Base64.encodeKey(bytes) }

    /// Enough of it to recognise it in a log line.
    public var shortDescription: String { String(description.prefix(8)) + "…" }
}

/// Base64 (RFC 4648 section 4) of 32-byte keys. Works in time that does not depend on the key's bits.
public enum Base64 {
    /// 44 characters of 32 bytes.
    public static func encodeKey(_ bytes: [UInt8]) -> String {
        precondition(bytes.count == PublicKey.byteCount)
        var out: [UInt8] = []
        out.reserveCapacity(44)
        for start in stride(from: 0, to: 33, by: 3) {
            let group = (0..<3).map { start + $0 < 32 ? UInt32(bytes[start + $0]) : 0 }
            let bits = group[0] << 16 | group[1] << 8 | group[2]
            for shift in [18, 12, 6, 0] { out.append(character(UInt8(truncatingIfNeeded: bits >> UInt32(shift)) & 63)) }
        }
        out[43] = UInt8(ascii: "=")
        return String(decoding: out, as: UTF8.self)
    }

    /// Nil unless `text` is 44 characters that stand for exactly 32 bytes, unused bits zero.
    public static func decodeKey(_ text: String) -> [UInt8]? {
        let characters = Array(text.utf8)
        guard characters.count == 44, characters[43] == UInt8(ascii: "=") else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(33)
        var invalid: Int32 = 0
        for start in stride(from: 0, to: 44, by: 4) {
            var bits: Int32 = 0
            for offset in 0..<4 {
                let last = start + offset == 43
                let value = last ? 0 : value(characters[start + offset])
                invalid |= value
                bits = bits << 6 | (value & 63)
            }
            for shift in [16, 8, 0] { bytes.append(UInt8(truncatingIfNeeded: bits >> Int32(shift))) }
        }
        guard invalid >= 0, bytes[32] == 0 else { return nil }
        bytes.removeLast()
        return bytes
    }

    /// Arithmetic instead of a table, so that no memory access depends on a secret.
    private static func character(_ value: UInt8) -> UInt8 {
        let v = Int32(value)
        var c = v + 65
        c += ((25 - v) >> 8) & 6
        c -= ((51 - v) >> 8) & 75
        c -= ((61 - v) >> 8) & 15
        c += ((62 - v) >> 8) & 3
        return UInt8(truncatingIfNeeded: c)
    }

    /// -1 for a character outside the alphabet.
    private static func value(_ character: UInt8) -> Int32 {
        let c = Int32(character)
        func inside(_ low: Int32, _ high: Int32, _ offset: Int32) -> Int32 {
            (((low - 1 - c) & (c - (high + 1))) >> 8) & (c + offset)
        }
        return -1 + inside(65, 90, -64) + inside(97, 122, -70) + inside(48, 57, 5) + inside(43, 43, 20)
            + inside(47, 47, 17)
    }
}
