import OxModel

/// What two sides agree upon inside the handshake (Wire.md section 4.5).
enum Negotiation {
    /// The AEAD of a session, or why there is none. `isTrusted`: the other side's outer address is one to which this side may send
    /// unencrypted; the initiator says the same by listing `.none` at all.
    static func aead(initiator: [AEAD], responder: [AEAD], isTrusted: Bool) throws(Refusal) -> AEAD {
        if isTrusted, initiator.contains(.none) { return .none }
        let theirs = initiator.filter { $0 != .none }
        let ours = responder.filter { $0 != .none }
        if theirs.isEmpty, !initiator.isEmpty { throw .unencryptedNotTrusted }
        // A side lists AES-256-GCM first only where it is the faster one there. It has to be on both.
        if theirs.first == .aes256GCM, ours.first == .aes256GCM { return .aes256GCM }
        for choice in [AEAD.chaCha20Poly1305, .aes256GCM] where theirs.contains(choice) && ours.contains(choice) {
            return choice
        }
        throw .noCommonAEAD
    }

    /// The AEADs that this side lists towards an address.
    static func offered(_ local: [AEAD], isTrusted: Bool) -> [AEAD] {
        local.filter { $0 != .none } + (isTrusted ? [.none] : [])
    }
}

extension Refusal: Error {}
