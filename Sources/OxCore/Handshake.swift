internal import COxCrypto
public import OxModel

/// What kind of handshake datagram bytes are, by their first byte.
public enum HandshakeMessageKind: Sendable {
    case initiation, response, cookieReply

    public init?(_ message: [UInt8]) {
        switch message.first {
        case UInt8(OX_TYPE_INITIATION): self = .initiation
        case UInt8(OX_TYPE_RESPONSE): self = .response
        case UInt8(OX_TYPE_COOKIE_REPLY): self = .cookieReply
        default: return nil
        }
    }
}

/// One Noise handshake in progress, in either role (Wire.md section 4).
@safe public final class Handshake {
    private let pointer: OpaquePointer
    /// The message that this side sent last: a cookie reply is bound to it.
    public private(set) var sent: [UInt8] = []

    private init() throws(CoreError) {
        guard let made = unsafe ox_handshake_create() else {
            throw CoreError(attempt: "begin a handshake", reason: .noMemory)
        }
        unsafe pointer = made
    }

    deinit { unsafe ox_handshake_destroy(pointer) }

    /// The index in a message's header: whose it is, the kind of message tells. Nil for a message cut short.
    public static func index(of message: [UInt8]) -> UInt32? {
        guard message.count >= 8 else { return nil }
        return unsafe message.withUnsafeBufferPointer { unsafe ox_handshake_index($0.baseAddress) }
    }

    /// Begins as initiator; the initiation is in `sent`.
    public convenience init(
        initiatingFrom local: Identity, to remote: PublicKey, preshared: PresharedKey, index: UInt32,
        payload: HandshakePayload, cookie: [UInt8]?
    ) throws(CoreError) {
        try self.init()
        let bytes = payload.encoded()
        let pointer = unsafe pointer
        try unsafe write(attempt: "start a handshake with \(remote.shortDescription)", cookie: cookie) { out, length in
            unsafe remote.bytes.withUnsafeBufferPointer { key in
                unsafe bytes.withUnsafeBufferPointer { body in
                    unsafe ox_handshake_initiate(
                        pointer, local.pointer, key.baseAddress, preshared.bytes, index, body.baseAddress, body.count,
                        out, length)
                }
            }
        }
    }

    public struct Initiation {
        public let handshake: Handshake
        public let remote: PublicKey
        public let index: UInt32
        public let payload: HandshakePayload
    }

    /// Reads an initiation as its responder.
    public static func read(initiation message: [UInt8], local: Identity) throws(CoreError) -> Initiation {
        let handshake = try Handshake()
        var remote = [UInt8](repeating: 0, count: PublicKey.byteCount)
        var index: UInt32 = 0
        let pointer = unsafe handshake.pointer
        let payload = try unsafe readPayload(attempt: "read an initiation") { out, length in
            unsafe message.withUnsafeBufferPointer { bytes in
                unsafe remote.withUnsafeMutableBufferPointer { key in
                    unsafe ox_handshake_read_initiation(
                        pointer, local.pointer, bytes.baseAddress, bytes.count, key.baseAddress, &index, out, length)
                }
            }
        }
        return Initiation(handshake: handshake, remote: PublicKey(bytes: remote)!, index: index, payload: payload)
    }

    /// Answers the initiation that was read; the response is in `sent`.
    public func respond(
        preshared: PresharedKey, index: UInt32, payload: HandshakePayload, cookie: [UInt8]?
    ) throws(CoreError) {
        let bytes = payload.encoded()
        let pointer = unsafe pointer
        try unsafe write(attempt: "answer a handshake", cookie: cookie) { out, length in
            unsafe bytes.withUnsafeBufferPointer { body in
                unsafe ox_handshake_respond(
                    pointer, preshared.bytes, index, body.baseAddress, body.count, out, length)
            }
        }
    }

    /// Reads the response as its initiator. A forged one leaves the handshake open.
    public func read(response message: [UInt8], local: Identity) throws(CoreError) -> HandshakePayload {
        var index: UInt32 = 0
        let pointer = unsafe pointer
        return try unsafe Handshake.readPayload(attempt: "read a response") { out, length in
            unsafe message.withUnsafeBufferPointer { bytes in
                unsafe ox_handshake_read_response(
                    pointer, local.pointer, bytes.baseAddress, bytes.count, &index, out, length)
            }
        }
    }

    /// The cookie in a reply to what was sent to `remote`.
    public func read(cookieReply message: [UInt8], remote: PublicKey) throws(CoreError) -> [UInt8] {
        var cookie = [UInt8](repeating: 0, count: Int(OX_COOKIE_BYTES))
        let sent = sent
        let status = unsafe cookie.withUnsafeMutableBufferPointer { out in
            unsafe message.withUnsafeBufferPointer { bytes in
                unsafe sent.withUnsafeBufferPointer { original in
                    unsafe remote.bytes.withUnsafeBufferPointer { key in
                        unsafe ox_cookie_read(
                            key.baseAddress, original.baseAddress, original.count, bytes.baseAddress, bytes.count,
                            out.baseAddress)
                    }
                }
            }
        }
        try CoreError.check(status, "read a cookie reply")
        return cookie
    }

    /// The transport keys of a finished handshake, for a session of the worker. Once only.
    func takeKeys(aead: AEAD) throws(CoreError) -> OpaquePointer {
        guard let aead = ox_aead(rawValue: UInt32(aead.rawValue)),
            let keys = unsafe ox_handshake_keys(pointer, aead)
        else { throw CoreError(attempt: "keep a session's keys", reason: .noMemory) }
        return unsafe keys
    }

    private func write(
        attempt: String, cookie: [UInt8]?,
        _ body: (UnsafeMutablePointer<UInt8>?, UnsafeMutablePointer<Int>) -> ox_status
    ) throws(CoreError) {
        var message = [UInt8](repeating: 0, count: Int(OX_HANDSHAKE_MAX))
        var length = 0
        let status = unsafe message.withUnsafeMutableBufferPointer { unsafe body($0.baseAddress, &length) }
        guard status == .OX_OK else { throw CoreError(attempt: attempt, reason: .badKey) }
        message.removeLast(message.count - length)
        if let cookie {
            unsafe message.withUnsafeMutableBufferPointer { out in
                unsafe cookie.withUnsafeBufferPointer { bytes in
                    unsafe ox_handshake_set_mac2(out.baseAddress, out.count, bytes.baseAddress)
                }
            }
        }
        sent = message
    }

    private static func readPayload(
        attempt: String, _ body: (UnsafeMutablePointer<UInt8>?, UnsafeMutablePointer<Int>) -> ox_status
    ) throws(CoreError) -> HandshakePayload {
        var bytes = [UInt8](repeating: 0, count: Int(OX_HANDSHAKE_PAYLOAD_MAX))
        var length = 0
        let status = unsafe bytes.withUnsafeMutableBufferPointer { unsafe body($0.baseAddress, &length) }
        try CoreError.check(status, attempt)
        guard let payload = HandshakePayload(decoding: bytes.prefix(length)) else {
            throw CoreError(attempt: attempt, reason: .badFormat)
        }
        return payload
    }
}
