internal import COxWire
public import OxModel

/// The authenticated payload of a handshake message, in numbers of the wire (Wire.md section 4.5).
public struct HandshakePayload: Equatable, Sendable {
    /// TAI64N, nil in a response.
    public var timestamp: (seconds: UInt64, nanoseconds: UInt32)?
    public var aeads: [UInt8]
    public var features: UInt32
    public var sessions: [PathID: RemoteSessionID]
    public var addresses: [IPAddress]

    public init(
        timestamp: (seconds: UInt64, nanoseconds: UInt32)?, aeads: [UInt8], features: UInt32,
        sessions: [PathID: RemoteSessionID], addresses: [IPAddress]
    ) {
        self.timestamp = timestamp
        self.aeads = aeads
        self.features = features
        self.sessions = sessions
        self.addresses = addresses
    }

    public static func == (a: Self, b: Self) -> Bool {
        a.timestamp?.seconds == b.timestamp?.seconds && a.timestamp?.nanoseconds == b.timestamp?.nanoseconds
            && a.aeads == b.aeads && a.features == b.features && a.sessions == b.sessions && a.addresses == b.addresses
    }

    /// The bytes to encrypt. What does not fit (more addresses than the wire has room for) is left out.
    func encoded() -> [UInt8] {
        var offer = ox_offer()
        if let timestamp {
            let bytes =
                (0..<8).map { UInt8(truncatingIfNeeded: timestamp.seconds >> (56 - 8 * $0)) }
                + (0..<4).map { UInt8(truncatingIfNeeded: timestamp.nanoseconds >> (24 - 8 * UInt32($0))) }
            unsafe withUnsafeMutableBytes(of: &offer.timestamp) { unsafe $0.copyBytes(from: bytes) }
        }
        offer.versions.0 = 1
        let listed = aeads.prefix(Int(OX_OFFER_AEADS_MAX))
        offer.aead_count = UInt8(listed.count)
        unsafe withUnsafeMutableBytes(of: &offer.aeads) { unsafe $0.copyBytes(from: listed) }
        offer.features = features
        let paths = sessions.sorted { $0.key < $1.key }.prefix(Int(OX_OFFER_PATHS_MAX))
        offer.path_count = UInt8(paths.count)
        unsafe withUnsafeMutableBytes(of: &offer.paths) { raw in
            let slots = unsafe raw.bindMemory(to: ox_offer_path.self)
            for (index, (path, session)) in paths.enumerated() {
                unsafe slots[index] = ox_offer_path(
                    path: path.rawValue, session_bytes: UInt8(session.byteCount), session: session.rawValue)
            }
        }
        let inner = addresses.prefix(Int(OX_OFFER_ADDRESSES_MAX))
        offer.address_count = UInt8(inner.count)
        unsafe withUnsafeMutableBytes(of: &offer.addresses) { unsafe $0.copyBytes(from: inner.flatMap(\.bytes)) }
        var bytes = [UInt8](repeating: 0, count: Int(OX_OFFER_BYTES_MAX))
        let status = unsafe bytes.withUnsafeMutableBufferPointer { unsafe ox_offer_write(&offer, $0.baseAddress) }
        precondition(status == .OX_OK, "an offer within its limits fits")
        return bytes
    }

    /// Nil for bytes that are no payload, or speak no version that we do.
    init?(decoding bytes: some Collection<UInt8>) {
        var offer = ox_offer()
        let bytes = Array(bytes)
        let status = unsafe bytes.withUnsafeBufferPointer { unsafe ox_offer_read($0.baseAddress, $0.count, &offer) }
        guard status == .OX_OK, withBytes(of: offer.versions).contains(1) else { return nil }
        let label = withBytes(of: offer.timestamp)
        if label.contains(where: { $0 != 0 }) {
            timestamp = (
                label.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }, label.suffix(4).reduce(0) { $0 << 8 | UInt32($1) }
            )
        }
        aeads = Array(withBytes(of: offer.aeads).prefix(Int(offer.aead_count)))
        features = offer.features
        sessions = [:]
        let paths = unsafe withUnsafeBytes(of: offer.paths) { raw in
            unsafe Array(raw.bindMemory(to: ox_offer_path.self).prefix(Int(offer.path_count)))
        }
        for path in paths {
            sessions[PathID(path.path)] = RemoteSessionID(path.session, byteCount: Int(path.session_bytes))
        }
        let inner = withBytes(of: offer.addresses)
        addresses = (0..<Int(offer.address_count)).compactMap { IPAddress(bytes: inner[16 * $0..<16 * $0 + 16]) }
    }
}
