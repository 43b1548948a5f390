import FoundationEssentials
import OxModel
import Testing

@testable import OxConfiguration

/// Whatever the text: a configuration that survives being written and read, or errors that a person can act on.
struct ConfigurationFuzz {
    static let corpus = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Fuzz/corpus/configuration")

    /// Name and text of each file, by name.
    static func seeds() throws -> [(name: String, text: [UInt8])] {
        try FileManager.default.contentsOfDirectory(atPath: corpus.path).sorted().map { name in
            (name, Array(try Data(contentsOf: corpus.appending(path: name))))
        }
    }

    /// What is wrong with how the text was treated, or nil. Returns whether it was valid by `valid`.
    static func complaint(about text: String, valid: inout Bool) -> String? {
        let configuration: Configuration
        do {
            configuration = try Sample.parse(text)
            valid = true
        } catch {
            valid = false
            let lineCount = 1 + text.utf8.count { $0 == UInt8(ascii: "\n") }
            if error.errors.isEmpty { return "no error" }
            for error in error.errors {
                let line = error.line ?? 0
                if !(1...lineCount).contains(line) { return "line \(line) of \(lineCount)" }
                if error.message.isEmpty || error.remedy.isEmpty { return "an empty sentence: \(error)" }
                if !error.description.unicodeScalars.allSatisfy(isPrintable) { return "unprintable: \(error)" }
            }
            return nil
        }
        do {
            let again = try Sample.parse(configuration.rendered(secrets: .included))
            if again != configuration { return "changed by being written and read" }
            return configuration.changes(to: again).isEmpty ? nil : "differs from itself"
        } catch {
            return "what was written does not parse: \(error)"
        }
    }

    @Test func `every text of the corpus is treated well`() throws {
        let seeds = try Self.seeds()
        #expect(seeds.count >= 12)
        for seed in seeds {
            var valid = false
            let complaint = Self.complaint(about: String(decoding: seed.text, as: UTF8.self), valid: &valid)
            #expect(complaint == nil, "\(seed.name)")
            if seed.name.hasPrefix("valid-") { #expect(valid, "\(seed.name)") }
        }
    }

    /// 2 seconds, or as many as OX_FUZZ_SECONDS says; the first text depends on OX_FUZZ_SEED alone.
    @Test func `mutated texts are treated well`() throws {
        let environment = ProcessInfo.processInfo.environment
        let seconds = environment["OX_FUZZ_SECONDS"].flatMap(Int.init) ?? 2
        let seed = environment["OX_FUZZ_SEED"].flatMap(UInt64.init) ?? 1
        var mutator = TextMutator(seeds: try Self.seeds().map(\.text), seed: seed)
        let clock = ContinuousClock()
        let end = clock.now + .seconds(seconds)
        var (texts, validTexts) = (0, 0)
        while clock.now < end {
            let text = mutator.next()
            var valid = false
            if let complaint = Self.complaint(about: text, valid: &valid) {
                Issue.record("seed \(seed), text \(texts): \(complaint)\n\(Data(text.utf8).base64EncodedString())")
                return
            }
            texts += 1
            validTexts += valid ? 1 : 0
        }
        print("configuration fuzz: \(texts) texts, \(validTexts) valid, seed \(seed)")
        #expect(texts > 0)
    }
}

/// Texts made from others by changing bytes, lines and words. The same seed gives the same texts.
struct TextMutator {
    private let seeds: [[UInt8]]
    private var state: UInt64

    private static let words: [[UInt8]] = [
        "\"", "'", "'''", "\"\"\"", "[", "]", "[[", "]]", "{", "}", "=", ".", ",", "#", "\n", "\r\n", "\\", "\\u0041", "\\n",
        "0", "-1", "0x", "1e9", "inf", "nan", "true", "9223372036854775807", "-9223372036854775808", "1979-05-27T07:32:00Z",
        "\u{0}", "\u{1b}", "\u{202e}", "é", "::/0", "0.0.0.0/0", "/33", "[relay]", "[[peer]]", "[interface]", "[log.x]",
        "peer.x = 1\n", "\"private-key\"", "private-key = ", "preshared-key = '", "-file", "off", "25ms", "name = \"\\u007f\"",
    ].map { Array($0.utf8) } + ConfigurationKey.all.map { Array($0.name.utf8) }

    init(seeds: [[UInt8]], seed: UInt64) {
        self.seeds = seeds
        state = seed
    }

    mutating func next() -> String {
        var text = seeds[below(seeds.count)]
        for _ in 0..<(1 << below(4)) { mutate(&text) }
        return String(decoding: text.prefix(8192), as: UTF8.self)
    }

    private mutating func mutate(_ text: inout [UInt8]) {
        let place = below(text.count + 1)
        switch below(7) {
        case 0: if place < text.count { text[place] = UInt8(below(256)) }
        case 1: if place < text.count { text[place] ^= 1 << UInt8(below(8)) }
        case 2: text.removeSubrange(place..<min(text.count, place + 1 + below(16)))
        case 3: text.insert(contentsOf: TextMutator.words[below(TextMutator.words.count)], at: place)
        case 4:
            let other = seeds[below(seeds.count)]
            let start = below(other.count + 1)
            text.insert(contentsOf: other[start..<min(other.count, start + below(64))], at: place)
        case 5:
            var lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            lines.insert(lines[below(lines.count)], at: below(lines.count + 1))
            text = Array(lines.joined(separator: [UInt8(ascii: "\n")]))
        default:
            var lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            lines.remove(at: below(lines.count))
            text = Array(lines.joined(separator: [UInt8(ascii: "\n")]))
        }
    }

    /// SplitMix64. The bias of the remainder does not matter here.
    private mutating func below(_ bound: Int) -> Int {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return Int((z ^ (z >> 31)) % UInt64(bound))
    }
}
