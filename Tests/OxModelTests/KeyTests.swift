import OxModel
import Testing

struct KeyTests {
    /// RFC 7748 section 6.1: Alice's public key, and its base64.
    static let alice: [UInt8] = [
        0x85, 0x20, 0xf0, 0x09, 0x89, 0x30, 0xa7, 0x54, 0x74, 0x8b, 0x7d, 0xdc, 0xb4, 0x3e, 0xf7, 0x5a, 0x0d, 0xbf, 0x3a, 0x0d,
        0x26, 0x38, 0x1a, 0xf4, 0xeb, 0xa4, 0xa9, 0x8e, 0xaa, 0x9b, 0x4e, 0x6a,
    ]

    @Test func `a key has WireGuard's encoding`() throws {
        let key = try #require(PublicKey(bytes: Self.alice))
        #expect(key.description == "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=")
        #expect(PublicKey(base64: key.description) == key)
        #expect(key.shortDescription == "hSDwCYkw…")
        #expect(PublicKey(bytes: Self.alice.dropLast()) == nil && PublicKey(bytes: Self.alice + [0]) == nil)
    }

    @Test func `every byte at every place survives the encoding`() {
        for place in 0..<32 {
            for byte in UInt8.min ... .max {
                var bytes = [UInt8](repeating: 0x5a, count: 32)
                bytes[place] = byte
                #expect(Base64.decodeKey(Base64.encodeKey(bytes)) == bytes)
            }
        }
    }

    @Test func `every character outside the alphabet is refused`() {
        let alphabet = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        let good = Array(PublicKey(bytes: Self.alice)!.description.utf8)
        for place in 0..<42 {
            for byte in UInt8(0)..<128 {
                var text = good
                text[place] = byte
                #expect((Base64.decodeKey(String(decoding: text, as: UTF8.self)) != nil) == alphabet.contains(byte))
            }
        }
    }

    @Test func `a key has one encoding: its unused bits are zero`() {
        let text = PublicKey(bytes: Self.alice)!.description.dropLast(2)
        let accepted = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
            .filter { PublicKey(base64: text + "\($0)=") != nil }
        #expect(accepted == "AEIMQUYcgkosw048")
    }

    @Test(arguments: [
        "", "=", String(repeating: "A", count: 44), String(repeating: "A", count: 43), String(repeating: "A", count: 42) + "==",
        String(repeating: "A", count: 43) + "= ", " " + String(repeating: "A", count: 43) + "=",
        String(repeating: "é", count: 21) + "A=",
    ])
    func `text of another shape is no key`(text: String) {
        #expect(PublicKey(base64: text) == nil)
    }
}
