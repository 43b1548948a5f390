import FoundationEssentials

extension DemoStage {
    private var ends: TunnelEnds { TunnelEnds(children: children, oxidize: oxidize) }

    // MARK: wireguard-go

    func startWireGuard(_ places: Places) throws -> Tunnel {
        narrator.say("Starting wireguard-go in the client and in the relay, with new keys")
        let clientKey = try ends.makeKey("wg-client")
        let relayKey = try ends.makeKey("wg-relay")
        let relay = try ends.startWireGuard(
            "wg-relay", in: places.relay, address: Self.relayInside + "/24",
            settings: """
                [Interface]
                ListenPort = \(Self.port)
                [Peer]
                PublicKey = \(clientKey)
                AllowedIPs = \(Self.clientInside)/32

                """)
        let client = try ends.startWireGuard(
            "wg-client", in: places.client, address: Self.clientInside + "/24",
            settings: """
                [Peer]
                PublicKey = \(relayKey)
                Endpoint = \(Self.relayOutside):\(Self.port)
                AllowedIPs = \(Self.relayInside)/32, \(Self.serverNetwork)

                """)
        try children.run(["ip", "route", "add", Self.serverNetwork, "dev", "wg-client"], in: places.client)
        return Tunnel(ends: [client, relay], handshakeMilliseconds: nil)
    }

    // MARK: Oxidize

    /// - Parameter feature: off, and not as by default.
    func startOxidize(_ places: Places, without feature: String? = nil) throws -> Tunnel {
        let features = feature.map { "\n\n[features]\n\($0) = \"off\"" } ?? ""
        narrator.say("Making keys, and writing the files of the relay and of the client")
        let clientKey = try ends.makeKey("ox-client")
        let relayKey = try ends.makeKey("ox-relay")
        let relay = try startOxidize(
            "relay", places.relay,
            """
            [interface]
            name = "ox-relay"
            private-key-file = "ox-relay.key"
            address = "\(Self.relayInside)/24"
            listen-port = \(Self.port)

            [relay]
            forward = true

            [[peer]]
            name = "client"
            public-key = "\(clientKey)"
            allowed-ips = "\(Self.clientInside)/32"\(features)
            """)
        let client = try startOxidize(
            "client", places.client,
            """
            [interface]
            name = "ox-client"
            private-key-file = "ox-client.key"
            address = "\(Self.clientInside)/24"

            [[peer]]
            name = "relay"
            public-key = "\(relayKey)"
            endpoint = "\(Self.relayOutside):\(Self.port)"
            allowed-ips = ["\(Self.relayInside)/32", "\(Self.serverNetwork)"]\(features)
            """)
        let handshake = try ends.connection("ox-client", of: client).handshake_ms
        narrator.say("The client and the relay have agreed on keys")
        return Tunnel(ends: [client, relay], handshakeMilliseconds: handshake)
    }

    private func startOxidize(_ role: String, _ place: Namespace, _ configuration: String) throws -> ChildProcess {
        let name = "ox-" + role
        narrator.show("\(name).toml", configuration)
        narrator.say("Starting: oxidize \(role) \(name).toml")
        return try ends.startOxidize(role, as: name, in: place, configuration)
    }
}
