private import COxCrypto
public import OxModel
internal import Synchronization

/// A side's static key pair, in locked memory.
@safe public final class Identity: @unchecked Sendable {
    let pointer: OpaquePointer
    public let publicKey: PublicKey

    /// Throws for a key that is not one, and when there is no memory to lock it in.
    public init(privateKey: Span<UInt8>) throws(CoreError) {
        precondition(privateKey.count == PublicKey.byteCount)
        let made = unsafe privateKey.withUnsafeBufferPointer { unsafe ox_identity_create($0.baseAddress) }
        guard let made = unsafe made else { throw CoreError(attempt: "use the private key", reason: .badKey) }
        unsafe pointer = made
        publicKey = unsafe PublicKey(
            bytes: UnsafeBufferPointer(start: ox_identity_public(made), count: PublicKey.byteCount))!
    }

    deinit { unsafe ox_identity_destroy(pointer) }
}

/// Making keys, for people.
public enum KeyTool {
    /// 32 random bytes; clamped, they are a private key.
    public static func random(clamped: Bool) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: PublicKey.byteCount)
        unsafe bytes.withUnsafeMutableBufferPointer { unsafe ox_key_random($0.baseAddress, clamped) }
        return bytes
    }

    public static func publicKey(of privateKey: [UInt8]) throws(CoreError) -> PublicKey {
        precondition(privateKey.count == PublicKey.byteCount)
        var bytes = [UInt8](repeating: 0, count: PublicKey.byteCount)
        let status = unsafe bytes.withUnsafeMutableBufferPointer { out in
            unsafe privateKey.withUnsafeBufferPointer { unsafe ox_key_public($0.baseAddress, out.baseAddress) }
        }
        guard status == .OX_OK else { throw CoreError(attempt: "derive the public key", reason: .badKey) }
        return PublicKey(bytes: bytes)!
    }

    /// Overwrites the bytes in a way that the compiler keeps.
    public static func wipe(_ bytes: inout [UInt8]) {
        unsafe bytes.withUnsafeMutableBytes { unsafe ox_wipe($0.baseAddress, $0.count) }
    }
}

/// A preshared key, in locked memory.
@safe public final class PresharedKey: @unchecked Sendable {
    let bytes: UnsafeMutablePointer<UInt8>
    /// Whether there is one.
    public let isSet: Bool

    public convenience init(_ key: Span<UInt8>) throws(CoreError) {
        precondition(key.count == PublicKey.byteCount)
        try self.init(isSet: true)
        for index in 0..<key.count { unsafe bytes[index] = key[index] }
    }

    /// For peers that share none: all zero stands for it (Wire.md section 4.1).
    ///
    /// All of them have the same one: a page of locked memory for each of many peers would be too much for the kernel.
    public static func none() throws(CoreError) -> PresharedKey {
        try shared.withLock { shared throws(CoreError) in
            if let shared { return shared }
            let made = try PresharedKey(isSet: false)
            shared = made
            return made
        }
    }

    private static let shared = Mutex<PresharedKey?>(nil)

    private init(isSet: Bool) throws(CoreError) {
        guard let memory = unsafe ox_secret_create() else {
            throw CoreError(attempt: "keep the preshared key", reason: .noMemory)
        }
        unsafe bytes = memory
        self.isSet = isSet
    }

    deinit { unsafe ox_secret_destroy(bytes) }
}

extension PresharedKey: Equatable {
    /// In constant time.
    public static func == (one: PresharedKey, other: PresharedKey) -> Bool {
        unsafe ox_key_equal(one.bytes, other.bytes) && one.isSet == other.isSet
    }
}
