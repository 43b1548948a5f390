import OxConfiguration
import OxCore
import OxModel
import Testing

@testable import Oxidize

@Suite struct EndpointLookupTests {
    /// A resolver that knows the name after so many questions, and a clock that only its sleeps move.
    private final class Invented {
        var now = Instant(nanoseconds: 0)
        var questions = 0
        let knowsAfter: Int

        init(knowsAfter: Int) { self.knowsAfter = knowsAfter }

        var lookup: EndpointLookup {
            EndpointLookup(
                find: { endpoint throws(CoreError) in
                    self.questions += 1
                    guard self.questions > self.knowsAfter else {
                        throw CoreError(attempt: "find the address of \(endpoint.host)", reason: .badFormat)
                    }
                    return [SocketAddress(IPAddress("192.0.2.9")!, port: endpoint.port)]
                }, now: { self.now }, sleep: { self.now += $0 })
        }
    }

    private func client(
        of networks: String, endpoint: String = "relay.example.net:51820"
    ) throws -> Configuration {
        try configuration(peers: ["endpoint = \"\(endpoint)\"\nallowed-ips = [\"\(networks)\"]"])
    }

    @Test func `with the default route in the tunnel a name is asked for until it resolves`() throws {
        let invented = Invented(knowsAfter: 4)
        let found = try invented.lookup.addresses(client(of: "0.0.0.0/0"))
        #expect(found.values.map { $0.map(\.description) } == [["192.0.2.9:51820"]])
        #expect(found.keys.map(\.host) == ["relay.example.net"])
        #expect(invented.questions == 5)
    }

    @Test func `after ten seconds it is given up, with a sentence`() throws {
        let invented = Invented(knowsAfter: .max)
        let configuration = try client(of: "::/0")
        let error = #expect(throws: TunnelError.self) { try invented.lookup.addresses(configuration) }
        #expect(error?.kind == .system)
        #expect(error?.description.contains("relay.example.net") == true)
        #expect(error?.description.contains("default route") == true)
        #expect(invented.now - Instant(nanoseconds: 0) <= EndpointLookup.patience)
        #expect(invented.questions > 10)
    }

    @Test func `a name that other routes do not need may be missing`() throws {
        let invented = Invented(knowsAfter: .max)
        #expect(try invented.lookup.addresses(client(of: "10.0.0.0/8")).isEmpty)
        #expect(invented.questions == 1)
    }

    @Test func `an address is not asked for`() throws {
        let invented = Invented(knowsAfter: 0)
        #expect(try invented.lookup.addresses(client(of: "0.0.0.0/0", endpoint: "192.0.2.1:51820")).isEmpty)
        #expect(invented.questions == 0)
    }
}
