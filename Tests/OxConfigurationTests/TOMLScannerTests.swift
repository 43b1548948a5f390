import Testing

@testable import OxConfiguration

struct TOMLScannerTests {
    static let text = """
        # [no] header
        a.b = "x # no comment ] [" # ]
        'q.r'."s \\" t" = 1

        [[peer]]
        ips = [ # [
          "1", '2',
          [ 3,
            4 ], ]
        long = \"\"\"
        [nothing] \\\"\"\"
        x = 1 ""\"\"\"
        after = '''
        '' ]''''
        [peer.sub]
        key = { in = 1, ner = { x = [ 1, 2 ] } }
        [[ peer ]]
        ips = []
        [peer.sub]
        key = -1.5e-3
        """

    @Test(arguments: [
        (["a"], 2), (["a", "b"], 2), (["q.r", "s \\\" t"], 3), (["peer"], 5), (["peer", "#0"], 5),
        (["peer", "#0", "ips"], 6), (["peer", "#0", "ips", "#0"], 7), (["peer", "#0", "ips", "#1"], 7),
        (["peer", "#0", "ips", "#2"], 8), (["peer", "#0", "ips", "#2", "#1"], 9), (["peer", "#0", "long"], 10),
        (["peer", "#0", "after"], 13), (["peer", "#0", "sub"], 15), (["peer", "#0", "sub", "key", "ner"], 16),
        (["peer", "#0", "sub", "key", "ner", "x", "#1"], 16), (["peer", "#1"], 17), (["peer", "#1", "ips"], 18),
        (["peer", "#1", "sub", "key"], 20),
    ])
    func `each key and element has its line`(path: [String], line: Int) {
        #expect(TOMLScanner(Array(Self.text.utf8)).lines[path] == line)
    }

    @Test func `nothing that is inside of a string or comment counts`() {
        let lines = TOMLScanner(Array(Self.text.utf8)).lines
        #expect(lines[["no"]] == nil && lines[["nothing"]] == nil && lines[["peer", "#0", "x"]] == nil)
    }

    @Test func `an unknown path has the line of what is around it`() throws {
        let document = try Document(Self.text)
        #expect(document.line(of: ["peer", "#1", "ips", "#7"]) == 18)
        #expect(document.line(of: ["peer", "#1", "sub", "other"]) == 19)
        #expect(document.line(of: ["nowhere"]) == 1)
        #expect(document.lineCount == 20)
    }

    @Test(arguments: [
        ("kitten", "sitting", 3), ("", "abc", 3), ("abc", "", 3), ("abcd", "acbd", 1), ("same", "same", 0),
    ])
    func `edit distance counts insertions, deletions, substitutions and swaps`(a: String, b: String, distance: Int) {
        #expect(editDistance(Array(a), Array(b)) == distance)
    }
}
