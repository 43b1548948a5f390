import FoundationEssentials
import OxCore
import OxModel
import Testing

@testable import Oxidize

/// A server at a path of its own, and what it was asked.
private final class Fixture {
    let directory: String
    let server: AdminServer

    init(patience: Duration = .seconds(5), handler: @escaping AdminServer.Handler = { _ in AdminResponse() }) throws {
        directory = FileManager.default.temporaryDirectory.path + "/ox-admin-\(UInt64.random(in: 0...UInt64.max))"
        server = try AdminServer(
            path: AdminProtocol.socketPath("ox0", directory), patience: patience, handler: handler)
        try server.start()
    }

    var client: AdminClient { AdminClient("ox0", stateDirectory: directory) }

    func connect() throws -> UnixConnection {
        try UnixConnection.connect(path: AdminProtocol.socketPath("ox0", directory))
    }

    deinit {
        server.stop()
        try? FileManager.default.removeItem(atPath: directory)
    }
}

private func say(_ text: String, _ connection: UnixConnection) throws -> AdminResponse? {
    try connection.write(text, timeout: .seconds(1))
    return try connection.readLine(limit: 1 << 20, timeout: .seconds(5)).flatMap(AdminProtocol.read(response:))
}

struct AdminServerTests {
    @Test func `a ping comes back with what the handler measured`() throws {
        let fixture = try Fixture { request in
            request.peer == "laptop"
                ? AdminResponse(roundTrip: .milliseconds(12)) : AdminResponse(error: "there is no such peer")
        }
        #expect(try fixture.client.ping("laptop") == .milliseconds(12))
        #expect(throws: TunnelError.self) { try fixture.client.ping("desktop") }
    }

    @Test func `a reload says what has changed, or why nothing has`() throws {
        let fixture = try Fixture { $0.command == .reload ? AdminResponse(change: "1 peer added") : AdminResponse() }
        #expect(try fixture.client.reload() == "1 peer added")
        let refusing = try Fixture { _ in AdminResponse(error: "ox0.toml:3: no") }
        #expect(throws: TunnelError.self) { try refusing.client.reload() }
    }

    @Test func `malformed requests are answered by an error, and the server goes on`() throws {
        let fixture = try Fixture()
        for text in ["\n", "{\n", "GET / HTTP/1.1\n", "{\"version\":9}\n", "\u{0}\u{1}\n"] {
            let answer = try say(text, fixture.connect())
            #expect(answer?.error != nil, "\(text)")
        }
        #expect(try say(AdminProtocol.line(AdminRequest(.reload)), fixture.connect()) == AdminResponse())
    }

    @Test func `a request without end is cut off at the limit`() throws {
        let fixture = try Fixture()
        let answer = try say(String(repeating: "x", count: AdminProtocol.requestLimit + 1), fixture.connect())
        #expect(answer?.error?.contains("too long") == true)
    }

    @Test func `a client that says nothing is sent away, and keeps nobody waiting`() throws {
        let fixture = try Fixture(patience: .milliseconds(200))
        let silent = try fixture.connect()
        try silent.write("{", timeout: .seconds(1))
        #expect(try say(AdminProtocol.line(AdminRequest(.reload)), fixture.connect()) == AdminResponse())
        let line = try silent.readLine(limit: 4096, timeout: .seconds(5))
        #expect(line.flatMap(AdminProtocol.read(response:))?.error?.contains("in time") == true)
    }

    @Test func `more clients than the limit are told to come again`() throws {
        let fixture = try Fixture(patience: .seconds(2))
        let silent = try (0..<AdminProtocol.connections).map { _ in try fixture.connect() }
        let refused = try fixture.connect().readLine(limit: 4096, timeout: .seconds(1))
        #expect(refused.flatMap(AdminProtocol.read(response:))?.error?.contains("try again") == true)
        withExtendedLifetime(silent) {}
    }

    @Test func `only its own user gets at the socket`() throws {
        let fixture = try Fixture()
        let path = AdminProtocol.socketPath("ox0", fixture.directory)
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        #expect((attributes[.posixPermissions] as? UInt).map { $0 & 0o777 } == 0o600)
    }

    @Test func `a second server of the same name is refused`() throws {
        let fixture = try Fixture()
        let path = AdminProtocol.socketPath("ox0", fixture.directory)
        let refusal = #expect(throws: CoreError.self) { _ = try AdminServer(path: path) { _ in AdminResponse() } }
        #expect(refusal?.isAddressInUse == true)
    }

    @Test func `running tunnels are listed, and dead sockets are not`() throws {
        let fixture = try Fixture()
        try Data().write(to: URL(filePath: fixture.directory + "/old.sock"))
        #expect(try AdminClient.running(stateDirectory: fixture.directory) == ["ox0"])
        #expect(try AdminClient.running(stateDirectory: fixture.directory + "/nothing") == [])
        #expect(throws: TunnelError.self) { try AdminClient("ox9", stateDirectory: fixture.directory).status() }
    }
}
