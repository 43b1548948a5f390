import OxConfiguration
import OxCore
import OxModel
import Testing

@testable import Oxidize

struct AEADChoiceTests {
    private func candidates(chaCha: Double, aes: Double?) -> [AEADChoice.Candidate] {
        [
            .init(aead: .chaCha20Poly1305, provider: "a", nanoseconds: chaCha),
            .init(aead: .aes256GCM, provider: "b", nanoseconds: aes),
        ]
    }

    @Test func `AES-256-GCM is offered, and first, where it is faster`() {
        let faster = AEADChoice(.auto, candidates(chaCha: 500, aes: 150))
        #expect(faster.offered == [.aes256GCM, .chaCha20Poly1305])
        #expect(faster.reason == "the fastest here first")
        let slower = AEADChoice(.auto, candidates(chaCha: 500, aes: 501))
        #expect(slower.offered == [.chaCha20Poly1305])
        #expect(slower.reason == "aes-256-gcm is not faster here")
    }

    @Test func `the configuration has the last word, except where the CPU has`() {
        #expect(AEADChoice(.on, candidates(chaCha: 1, aes: 2)).offered == [.aes256GCM, .chaCha20Poly1305])
        #expect(AEADChoice(.off, candidates(chaCha: 2, aes: 1)).offered == [.chaCha20Poly1305])
        #expect(AEADChoice(.off, candidates(chaCha: 2, aes: 1)).reason == "aes-gcm is off in [features]")
        #expect(AEADChoice(.on, candidates(chaCha: 1, aes: nil)).offered == [.chaCha20Poly1305])
        #expect(AEADChoice(.on, candidates(chaCha: 1, aes: nil)).reason == "this CPU has no AES instructions")
    }

    @Test func `what is offered is what was measured`() throws {
        try Core.start()
        let measured = try AEADChoice.measured(.auto)
        #expect(measured.candidates.map(\.aead) == [.chaCha20Poly1305, .aes256GCM])
        #expect(measured.offered.last == .chaCha20Poly1305)
        #expect(measured.candidates.allSatisfy { $0.provider.count > 4 })
    }
}
