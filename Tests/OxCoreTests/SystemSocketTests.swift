import Testing

@testable import OxCore

@Suite struct SystemSocketTests {
    private let directory = Scratch()
    private var path: String { directory.path + "/run/control.sock" }

    @Test func `a line goes there and an answer comes back`() throws {
        let listener = try UnixListener(path: path)
        #expect(try listener.accept() == nil)
        let client = try UnixConnection.connect(path: path)
        #expect(Poll.wait(readable: [listener.descriptor], timeout: .seconds(5)) == [listener.descriptor])
        let server = try #require(try listener.accept())
        try client.write("show\nsecond\nrest", timeout: .seconds(1))
        #expect(try server.readLine(limit: 100, timeout: .seconds(5)) == "show")
        #expect(try server.readLine(limit: 100, timeout: .seconds(5)) == "second")
        try server.write("answer\n", timeout: .seconds(1))
        #expect(try client.readLine(limit: 6, timeout: .seconds(5)) == "answer")
        #expect(server.peerUserID == client.peerUserID)
        #expect(server.peerUserID != nil)
    }

    @Test func `a slow peer times out and an endless line is refused`() throws {
        let listener = try UnixListener(path: path)
        let client = try UnixConnection.connect(path: path)
        let server = try #require(try listener.accept())
        #expect(throws: CoreError(attempt: "talk over a local socket", reason: .system(110))) {
            _ = try server.readLine(limit: 100, timeout: .milliseconds(20))
        }
        try client.write(String(repeating: "x", count: 5000), timeout: .seconds(1))
        #expect(throws: CoreError(attempt: "talk over a local socket", reason: .system(90))) {
            _ = try server.readLine(limit: 100, timeout: .seconds(5))
        }
    }

    @Test func `the end of the stream is nil, after what was left`() throws {
        let listener = try UnixListener(path: path)
        var client: UnixConnection? = try UnixConnection.connect(path: path)
        let server = try #require(try listener.accept())
        try client?.write("one\ntwo", timeout: .seconds(1))
        client = nil
        #expect(try server.readLine(limit: 100, timeout: .seconds(5)) == "one")
        #expect(try server.readLine(limit: 100, timeout: .seconds(5)) == "two")
        #expect(try server.readLine(limit: 100, timeout: .seconds(5)) == nil)
    }

    @Test func `writing to a peer that left fails and kills nobody`() throws {
        let listener = try UnixListener(path: path)
        var client: UnixConnection? = try UnixConnection.connect(path: path)
        let server = try #require(try listener.accept())
        #expect(client != nil)
        client = nil
        #expect(throws: CoreError(attempt: "talk over a local socket", reason: .system(32))) {
            try server.write("anyone?\n", timeout: .seconds(1))
        }
    }

    @Test func `a peer that does not read times out`() throws {
        let listener = try UnixListener(path: path)
        let client = try UnixConnection.connect(path: path)
        let server = try #require(try listener.accept())
        #expect(throws: CoreError(attempt: "talk over a local socket", reason: .system(110))) {
            try server.write(String(repeating: "x", count: 4 << 20), timeout: .milliseconds(50))
        }
        #expect(client.peerUserID != nil)
    }

    @Test func `a socket that answers is not taken over`() throws {
        let first = try UnixListener(path: path)
        #expect(throws: CoreError(attempt: "listen at \(path)", reason: .system(98))) {
            _ = try UnixListener(path: path)
        }
        first.close()
        #expect(throws: CoreError(attempt: "connect to \(path)", reason: .system(2))) {
            _ = try UnixConnection.connect(path: path)
        }
    }

    @Test func `a socket whose process died is taken over`() throws {
        try SystemFile.makeDirectory(directory.path + "/run")
        let bind = "import socket,sys; s=socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen()"
        #expect(try Subprocess.run("python3", ["-c", bind, path]).exitCode == 0)
        let listener = try UnixListener(path: path)
        _ = try UnixConnection.connect(path: path)
        #expect(try listener.accept() != nil)
    }

    @Test func `a file that is no socket stays`() throws {
        try SystemFile.makeDirectory(directory.path + "/run")
        try SystemFile.replace(path, with: "precious")
        #expect(throws: CoreError(attempt: "listen at \(path)", reason: .system(17))) {
            _ = try UnixListener(path: path)
        }
        #expect(try SystemFile.read(path) == "precious")
    }

    @Test func `only the owner may connect, and only the owner enters the directory`() throws {
        let listener = try UnixListener(path: path)
        let modes = try Subprocess.run("stat", ["-c", "%a", path, directory.path + "/run"]).output
        #expect(modes == "600\n700\n")
        #expect(listener.path == path)
    }

    @Test func `a path too long for a socket is an error`() {
        #expect(throws: CoreError.self) {
            _ = try UnixConnection.connect(path: "/tmp/" + String(repeating: "x", count: 200))
        }
    }
}

/// A directory for one test.
final class Scratch {
    let path: String

    init() {
        let made = try? Subprocess.run("mktemp", ["-d"])
        path = made?.output.split(separator: "\n").first.map(String.init) ?? ""
        precondition(!path.isEmpty, "mktemp makes a directory")
    }

    deinit { _ = try? Subprocess.run("rm", ["-rf", path]) }
}
