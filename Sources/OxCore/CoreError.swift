internal import COxBase
internal import COxCrypto

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Musl
#endif

/// A call into the C core that the world made fail.
public struct CoreError: Error, Equatable, Sendable, CustomStringConvertible {
    public enum Reason: Equatable, Sendable {
        case noMemory
        case system(CInt)
        case badKey
        case badFormat
        case notAuthentic
        case unsupported
    }

    /// What was tried: "open the TUN device ox0".
    public let attempt: String
    public let reason: Reason

    public init(attempt: String, reason: Reason) {
        self.attempt = attempt
        self.reason = reason
    }

    /// The operating system refused it for want of a privilege.
    public var isPermission: Bool { reason == .system(EPERM) || reason == .system(EACCES) }

    public var description: String {
        switch reason {
        case .noMemory: "cannot \(attempt): out of memory"
        case .system(let code): "cannot \(attempt): \(systemMessage(code))"
        case .badKey: "cannot \(attempt): the key is not a valid Curve25519 key"
        case .badFormat: "cannot \(attempt): the message is malformed"
        case .notAuthentic: "cannot \(attempt): authentication failed"
        case .unsupported: "cannot \(attempt): this machine does not support it"
        }
    }
}

/// What errno means, in words.
public func systemMessage(_ code: CInt) -> String {
    guard let text = unsafe strerror(code) else { return "error \(code)" }
    return unsafe String(cString: text)
}

extension CoreError {
    /// Throws unless the status is OX_OK.
    static func check(_ status: ox_status, _ attempt: @autoclosure () -> String) throws(CoreError) {
        let code = errno
        let reason: Reason
        switch status {
        case .OX_OK: return
        case .OX_E_MEMORY: reason = .noMemory
        case .OX_E_SYSTEM: reason = .system(code)
        case .OX_E_AUTH: reason = .notAuthentic
        case .OX_E_UNSUPPORTED: reason = .unsupported
        case .OX_E_FORMAT, .OX_E_AGAIN, .OX_E_SHORT, .OX_E_LIMIT: reason = .badFormat
        }
        throw CoreError(attempt: attempt(), reason: reason)
    }
}

/// The C core as a whole.
public enum Core {
    /// Prepares the core; needed once, before anything else here. May be called again.
    public static func start() throws(CoreError) {
        try CoreError.check(ox_init(), "start the cryptographic library")
    }

    /// Leaves faster ways out, for comparisons: ipsec-mb for AEADs, SIMD variants of the parser and the checksum. For the whole
    /// process, and before the first tunnel.
    public static func leaveOut(ipsecMB: Bool, simd: Bool) {
        if ipsecMB { ox_aead_force_libsodium(true) }
        if simd { ox_cpu_limit(0) }
    }

    /// Whether this machine has instructions for the AEAD.
    public static func supports(aead number: UInt8) -> Bool {
        guard let aead = ox_aead(rawValue: UInt32(number)) else { return false }
        return ox_aead_available(aead)
    }
}
