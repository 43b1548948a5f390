import FoundationEssentials
import OxModel
import Testing

@testable import OxConfiguration

struct SecretFileTests {
    static let privateKey = "private-key = \"\(Sample.key(1))\""

    @Test(arguments: [
        ("/keys/open", "other users of this machine have access to the key file '/keys/open'; run: chmod 600 /keys/open"),
        ("/keys/group", "other users of this machine have access to the key file '/keys/group'; run: chmod 600 /keys/group"),
        ("/keys/foreign",
            "the key file '/keys/foreign' belongs to another user; make it yours or root's: chown root /keys/foreign"),
        ("/keys/nonsense",
            "the content of '/keys/nonsense' is no key; write the 44 characters that 'oxidize genkey' prints"),
        ("/keys/two", "the content of '/keys/two' is no key; write the 44 characters that 'oxidize genkey' prints"),
        ("/keys/large",
            "the key file '/keys/large' is too large for one key; keep nothing in it but the 44 characters of the key"),
        ("/keys/none", "the key file cannot be used: '/keys/none' does not exist; check the path"),
        ("", "the name of the key file is empty; write a path, from this file's directory or absolute"),
    ])
    func `a key file that must not be used is refused with the command that helps`(path: String, error: String) {
        #expect(
            Sample.errors(replacing: Self.privateKey, with: "private-key-file = \"\(path)\"") == ["2: \(error)"])
    }

    @Test func `a key in the file itself wants a file that others cannot read`() {
        let world = Sample.errors(Sample.client, permissions: 0o644)
        #expect(
            world == ["2: the file has a key in it and every user of this machine can read it; run: chmod 600 f.toml"])
        #expect(Sample.errors(Sample.client, permissions: 0o640) == [])
        let outside = Sample.client.replacing(Self.privateKey, with: "private-key-file = \"/keys/psk\"")
        #expect(Sample.errors(outside, permissions: 0o644) == [])
    }

    @Test func `a private key is given once`() {
        #expect(
            Sample.errors(replacing: Self.privateKey, with: Self.privateKey + "\nprivate-key-file = \"/keys/psk\"")
                == ["3: private-key and private-key-file are both given; keep one of the two"])
    }

    @Test(arguments: [
        "private-key = \"c2VjcmV0c2VjcmV0\"", "private-key = [\"c2VjcmV0c2VjcmV0\"]", "private-key = \"c2VjcmV0",
        "private-key = '''c2VjcmV0\nc2VjcmV0'''", "private-key = c2VjcmV0c2VjcmV0", "private-key = \"c2VjcmV0\\u0041\"",
        "private-key = \"c2VjcmV0\"\nprivate-key = \"c2VjcmV0\"", "private-key = \"\"",
    ])
    func `what is wrong with a private key is said without showing it`(line: String) {
        let errors = Sample.errors(replacing: Self.privateKey, with: line)
        #expect(!errors.isEmpty)
        #expect(errors.allSatisfy { !$0.contains("c2V") }, "\(errors)")
    }

    @Test func `a key of zeros is refused`() {
        #expect(
            Sample.errors(replacing: Sample.key(1), with: Sample.key(0))
                == ["2: the value of private-key is a key of zeros; make a key with 'oxidize genkey'"])
    }

    @Test func `secrets are cut out of the text before the TOML parser gets it`() throws {
        let text = "[a]\nprivate-key = \"0123\" # x\n[[b]]\n[[b]]\npreshared-key='4567'\npublic-key = \"89\""
        let scanner = TOMLScanner(Array(text.utf8))
        let found = scanner.secrets.mapValues { String(decoding: Array(text.utf8)[$0], as: UTF8.self) }
        #expect(found == [["a", "private-key"]: "0123", ["b", "#1", "preshared-key"]: "4567"])
        guard case .table(let a)? = try Document(text).root["a"], case .secret("0123")? = a["private-key"] else {
            Issue.record("the secret did not come back")
            return
        }
    }

    @Test func `files are read from the disk with their permissions, through links`() throws {
        let manager = FileManager.default
        let directory = manager.temporaryDirectory.appending(path: "oxidize-configuration-\(UInt64.random(in: 0 ... .max))")
        try manager.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? manager.removeItem(at: directory) }
        func path(_ name: String) -> String { directory.appending(path: name).path }
        func write(_ name: String, _ text: String, _ permissions: Int) throws {
            try Data(text.utf8).write(to: directory.appending(path: name))
            try manager.setAttributes([.posixPermissions: permissions], ofItemAtPath: path(name))
        }
        try write("ox1.toml", Sample.client.replacing(Self.privateKey, with: "private-key-file = \"link\""), 0o644)
        try write("key", Sample.key(6) + "\n", 0o600)
        try manager.createSymbolicLink(atPath: path("link"), withDestinationPath: "key")
        let configuration = try Configuration.load(path: path("ox1.toml"))
        #expect(configuration.interface.name == "ox1")
        #expect(configuration.interface.privateKey == SecretKey(bytes: [UInt8](repeating: 6, count: 32)))

        try manager.setAttributes([.posixPermissions: 0o604], ofItemAtPath: path("key"))
        var errors = #expect(throws: ConfigurationErrors.self) { try Configuration.load(path: path("ox1.toml")) }
        #expect(errors?.errors.first?.remedy == "run: chmod 600 \(path("link"))")

        errors = #expect(throws: ConfigurationErrors.self) { try Configuration.load(path: path("missing.toml")) }
        #expect(errors?.description.hasPrefix("'\(path("missing.toml"))' does not exist; ") == true)
        #expect(errors?.isPermission == false)
        errors = #expect(throws: ConfigurationErrors.self) { try Configuration.load(path: directory.path) }
        #expect(errors?.description.contains("is not a regular file") == true)
        try Data([0xff, 0xfe]).write(to: directory.appending(path: "binary"))
        errors = #expect(throws: ConfigurationErrors.self) { try Configuration.load(path: path("binary")) }
        #expect(errors?.description.contains("is not UTF-8 text") == true)
    }
}
