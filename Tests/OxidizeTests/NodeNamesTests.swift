import Logging
import OxConfiguration
import OxCore
import OxModel
import Testing

@testable import Oxidize

/// A client's node over ports in memory, and a resolver that only writes down what it is asked.
private final class NamedClient {
    struct Question: Equatable {
        var peer: PeerID
        var endpoint: Endpoint
    }

    final class Questions { var all: [Question] = [] }

    let questions = Questions()
    let node: Node
    private let network: MemoryLink
    private var now = Instant(nanoseconds: 1_000_000_000)

    init(endpoint: String, found: [String] = []) throws {
        try Core.start()
        let configured = try NamedClient.settings(endpoint: endpoint)
        let device = try Port.memory(capacity: 64)
        let network = try Port.memory(capacity: 64)
        self.network = network.link
        let questions = questions
        node = try Node(
            configured.settings, device: device.port, network: network.port,
            random: SystemRandomNumberGenerator(), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            now: now, resolve: { questions.all.append(Question(peer: $0, endpoint: $1)) })
        var addresses: ResolvedEndpoints = [:]
        if let endpoint = configured.endpoint, !found.isEmpty {
            addresses[endpoint] = found.map { SocketAddress($0)! }
        }
        try node.start(addresses: addresses, now: now)
    }

    private static func settings(endpoint: String) throws -> (settings: NodeSettings, endpoint: Endpoint?) {
        let configuration = try configuration(
            peers: ["endpoint = \"\(endpoint)\"\nallowed-ips = [\"10.0.0.0/8\"]"])
        return (try NodeSettings(configuration, aeads: [.chaCha20Poly1305]), configuration.peers[0].endpoint)
    }

    /// Lets time pass. Returns where initiations went.
    func pass(_ duration: Duration) -> [String] {
        var sent: [String] = []
        for _ in 0..<Int(duration.inMilliseconds / 100) {
            now += .milliseconds(100)
            _ = node.workers[0].turn(now: now)
            node.control(now: now, wall: WallTime(nanoseconds: now.nanoseconds))
            _ = node.workers[0].turn(now: now)
            while let packet = network.pop() { sent += packet.to.map { [$0.description] } ?? [] }
        }
        return sent
    }

    func reload(endpoint: String) throws {
        try node.apply(NamedClient.settings(endpoint: endpoint).settings, now: now)
    }

    func answer(_ addresses: [String]) throws {
        let question = try #require(questions.all.last)
        node.resolved(question.peer, question.endpoint, addresses.map { SocketAddress($0)! }, now: now)
    }
}

@Suite struct NodeNamesTests {
    @Test func `what was looked up before the start is used without a question`() throws {
        let client = try NamedClient(endpoint: "relay.example.net:7", found: ["192.0.2.1:7", "192.0.2.2:7"])
        let sent = client.pass(.seconds(1))
        #expect(sent.first == "192.0.2.1:7")
        #expect(sent.contains("192.0.2.2:7"))
        #expect(client.questions.all.isEmpty)
    }

    @Test func `a name is asked for once at a time`() throws {
        let client = try NamedClient(endpoint: "relay.example.net:7")
        #expect(client.pass(.seconds(30)).isEmpty)
        #expect(client.questions.all.count == 1)
        try client.answer([])
        _ = client.pass(.seconds(30))
        #expect(client.questions.all.count == 2)
        try client.answer(["192.0.2.1:7"])
        #expect(client.pass(.seconds(1)).first == "192.0.2.1:7")
    }

    @Test(arguments: ["old.example.net:7", "192.0.2.1:7", "new.example.net:8"])
    func `a name that a reload brings is looked up, and tried at once`(old: String) throws {
        let client = try NamedClient(endpoint: old, found: ["192.0.2.1:7"])
        #expect(Set(client.pass(.seconds(2))) == ["192.0.2.1:7"])
        try client.reload(endpoint: "new.example.net:7")
        #expect(client.questions.all.map(\.endpoint.description) == ["new.example.net:7"])
        try client.answer(["192.0.2.9:7", "192.0.2.10:7"])
        let sent = client.pass(.seconds(5))
        #expect(sent.first == "192.0.2.9:7")
        #expect(Set(sent) == ["192.0.2.9:7", "192.0.2.10:7"])
    }

    @Test func `a new name that does not resolve is asked for again`() throws {
        let client = try NamedClient(endpoint: "192.0.2.1:7")
        try client.reload(endpoint: "new.example.net:7")
        try client.answer([])
        _ = client.pass(.seconds(6))
        #expect(client.questions.all.count == 2)
        try client.answer(["192.0.2.9:7"])
        #expect(client.pass(.seconds(1)).first == "192.0.2.9:7")
    }

    @Test func `an answer to what is no longer asked changes nothing`() throws {
        let client = try NamedClient(endpoint: "old.example.net:7")
        _ = client.pass(.seconds(1))
        try client.reload(endpoint: "192.0.2.1:7")
        try client.answer(["192.0.2.66:7"])
        #expect(Set(client.pass(.seconds(10))) == ["192.0.2.1:7"])
    }

    @Test func `a reload that keeps the name asks nothing`() throws {
        let client = try NamedClient(endpoint: "relay.example.net:7", found: ["192.0.2.1:7"])
        _ = client.pass(.seconds(1))
        try client.reload(endpoint: "relay.example.net:7")
        #expect(Set(client.pass(.seconds(1))) == ["192.0.2.1:7"])
        #expect(client.questions.all.isEmpty)
    }
}
