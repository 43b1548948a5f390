import OxConfiguration
import OxCore
import OxModel

/// Finds the addresses of peers' names before the tunnel's routes can swallow the questions.
struct EndpointLookup {
    /// For as long names are asked again that do not resolve. One question may take longer.
    static let patience = Duration.seconds(10)
    private static let pause = Duration.milliseconds(500)

    var find: (Endpoint) throws(CoreError) -> [SocketAddress] = { endpoint throws(CoreError) in
        try Resolver.addresses(host: endpoint.host, port: endpoint.port)
    }
    var now: () -> Instant = SystemClock.now
    var sleep: (Duration) -> Void = { _ = Poll.wait(readable: [], timeout: $0) }

    /// Where the default route stays as it is a name may be missing: it is looked up again while the tunnel runs.
    func addresses(_ configuration: Configuration) throws(TunnelError) -> ResolvedEndpoints {
        let isRequired = NetworkPlan.takesDefaultRoute(configuration)
        let deadline = now() + EndpointLookup.patience
        var missing = Set(configuration.peers.compactMap(\.endpoint)).filter { $0.address == nil }
        var found: ResolvedEndpoints = [:]
        while true {
            var failure: CoreError?
            for endpoint in missing {
                if !isRequired, now() >= deadline { return found }
                do {
                    found[endpoint] = try find(endpoint)
                    missing.remove(endpoint)
                } catch {
                    failure = error
                }
            }
            guard isRequired, let failure else { return found }
            guard now() + EndpointLookup.pause < deadline else {
                throw TunnelError(
                    .system,
                    "\(failure); without it the default route cannot go through the tunnel: "
                        + "check the name and the name server, or write an address as the endpoint")
            }
            sleep(EndpointLookup.pause)
        }
    }
}
