package import OxConfiguration
package import OxCore
package import OxModel

/// Which AEADs this side offers, best first, and why: measured once, at the start.
package struct AEADChoice: Equatable, Sendable {
    package struct Candidate: Equatable, Sendable {
        package var aead: AEAD
        /// Who computes it.
        package var provider: String
        /// For 1,400 bytes; nil where this machine cannot run it.
        package var nanoseconds: Double?
    }

    package var candidates: [Candidate]
    package var offered: [AEAD]
    package var reason: String

    package static func measured(_ choice: Configuration.FeatureChoice) throws(CoreError) -> AEADChoice {
        var candidates: [Candidate] = []
        for aead in [AEAD.chaCha20Poly1305, .aes256GCM] {
            let cost = Core.supports(aead: aead.rawValue) ? try Core.sealingCost(aead) : nil
            candidates.append(Candidate(aead: aead, provider: Core.provider(of: aead), nanoseconds: cost))
        }
        return AEADChoice(choice, candidates)
    }

    /// AES-256-GCM goes first where this machine has the instructions and is faster with them. It is left out where it is not, as
    /// both sides must gain.
    package init(_ choice: Configuration.FeatureChoice, _ candidates: [Candidate]) {
        self.candidates = candidates
        func cost(_ aead: AEAD) -> Double? { candidates.first { $0.aead == aead }?.nanoseconds }
        guard let aes = cost(.aes256GCM) else {
            (offered, reason) = ([.chaCha20Poly1305], "this CPU has no AES instructions")
            return
        }
        switch choice {
        case .off: (offered, reason) = ([.chaCha20Poly1305], "aes-gcm is off in [features]")
        case .on: (offered, reason) = ([.aes256GCM, .chaCha20Poly1305], "aes-gcm is on in [features]")
        case .auto where aes < cost(.chaCha20Poly1305) ?? .infinity:
            (offered, reason) = ([.aes256GCM, .chaCha20Poly1305], "the fastest here first")
        case .auto: (offered, reason) = ([.chaCha20Poly1305], "aes-256-gcm is not faster here")
        }
    }
}
