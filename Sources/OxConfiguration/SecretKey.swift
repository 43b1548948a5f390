import OxModel

/// 32 secret bytes of a private or preshared key, on their way from a file to locked memory.
///
/// Every copy of a `Configuration` shares this one object, and its bytes are overwritten when the last of them goes. That is
/// as far as it reaches: until then they lie in ordinary memory, which can be swapped out, and the text of the file, its
/// decoded forms and what the system read it through have been in memory that nobody overwrites. A program that keeps a key
/// moves it into locked memory at once and lets the configuration go.
public final class SecretKey: @unchecked Sendable {
    public static let byteCount = 32

    /// Written by `deinit` alone, when nobody else can look: this is why `@unchecked Sendable` holds.
    private var bytes: [UInt8]

    /// Nil unless there are 32 bytes.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == SecretKey.byteCount else { return nil }
        self.bytes = Array(bytes)
    }

    deinit {
        for index in bytes.indices { bytes[index] = 0 }
    }

    /// The bytes, to be copied to where they are kept.
    public func withBytes<Result, Failure: Error>(
        _ body: (Span<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let shared = bytes
        return try body(shared.span)
    }

    var isZero: Bool { bytes.reduce(0) { $0 | $1 } == 0 }

    /// WireGuard's encoding, in memory that is not overwritten: for a file that the user asked for with its secrets.
    var base64: String { Base64.encodeKey(bytes) }
}

extension SecretKey: Equatable {
    /// Takes the same time for any two keys.
    public static func == (a: SecretKey, b: SecretKey) -> Bool {
        var difference: UInt8 = 0
        for index in 0..<SecretKey.byteCount { difference |= a.bytes[index] ^ b.bytes[index] }
        return difference == 0
    }
}

extension SecretKey: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "(secret)" }
    public var debugDescription: String { "(secret)" }
    /// Nothing, so that `dump` and failed expectations print nothing.
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}
