import FoundationEssentials

extension DemoStage {
    // MARK: wireguard-go

    func startWireGuard(_ places: Places) throws -> Tunnel {
        narrator.say("Starting wireguard-go in the client and in the relay, with new keys")
        let clientKey = try makeKey("wg-client", "wg")
        let relayKey = try makeKey("wg-relay", "wg")
        let relay = try startWireGuard(
            "wg-relay", places.relay, Self.relayInside,
            ["listen-port", "\(Self.port)", "peer", clientKey, "allowed-ips", "\(Self.clientInside)/32"])
        let client = try startWireGuard(
            "wg-client", places.client, Self.clientInside,
            [
                "peer", relayKey, "endpoint", "\(Self.relayOutside):\(Self.port)",
                "allowed-ips", "\(Self.relayInside)/32,\(Self.serverNetwork)",
            ])
        try children.run(["ip", "route", "add", Self.serverNetwork, "dev", "wg-client"], in: places.client)
        return Tunnel(ends: [client, relay], handshakeMilliseconds: nil)
    }

    /// `name` is that of the device, of the process and of the key.
    private func startWireGuard(
        _ name: String, _ place: Namespace, _ address: String, _ options: [String]
    ) throws -> ChildProcess {
        // Without the variable it refuses to start where the kernel has WireGuard.
        let end = try children.start(
            name, ["wireguard-go", "--foreground", name], in: place,
            environment: ["WG_I_PREFER_BUGGY_USERSPACE_TO_POLISHED_KMOD": "1"])
        try children.waitUntilReady(end, seconds: 5) {
            FileManager.default.fileExists(atPath: "/var/run/wireguard/\(name).sock")
        }
        try children.run(["wg", "set", name, "private-key", keyFile(name)] + options, in: place)
        try children.run(["ip", "address", "add", "\(address)/24", "dev", name], in: place)
        try children.run(["ip", "link", "set", "dev", name, "up"], in: place)
        return end
    }

    // MARK: Oxidize

    func startOxidize(_ places: Places) throws -> Tunnel {
        narrator.say("Making keys, and writing the files of the relay and of the client")
        let clientKey = try makeKey("ox-client", oxidize)
        let relayKey = try makeKey("ox-relay", oxidize)
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
            allowed-ips = "\(Self.clientInside)/32"
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
            allowed-ips = ["\(Self.relayInside)/32", "\(Self.serverNetwork)"]
            """)
        let handshake = try children.poll("was connected", of: client, seconds: 15) { try handshakeMilliseconds() }
        narrator.say("The client and the relay have agreed on keys")
        return Tunnel(ends: [client, relay], handshakeMilliseconds: handshake)
    }

    private func startOxidize(_ role: String, _ place: Namespace, _ configuration: String) throws -> ChildProcess {
        let file = "\(children.directory)/\(role).toml"
        try Data((configuration + "\n").utf8).write(to: URL(filePath: file))
        narrator.show("\(role).toml", configuration)
        narrator.say("Starting: oxidize \(role) \(role).toml")
        let end = try children.start(
            "oxidize-\(role)", [oxidize, role, file, "--state-directory", stateDirectory], in: place)
        try children.waitUntilReady(end, seconds: 10) {
            FileManager.default.fileExists(atPath: "\(stateDirectory)/ox-\(role).sock")
        }
        return end
    }

    private var stateDirectory: String { children.directory + "/state" }

    private struct Status: Decodable {
        struct Peer: Decodable {
            let state: String
            let handshake_ms: Double?
        }
        let peers: [Peer]
    }

    /// Nil before there is a session.
    private func handshakeMilliseconds() throws -> Double? {
        let text = try children.run(
            [oxidize, "show", "ox-client", "--json", "--state-directory", stateDirectory], as: "oxidize-show")
        guard let status = try? JSONDecoder().decode(Status.self, from: Data(text.utf8)), let peer = status.peers.first
        else { throw LabFailure("the answer of oxidize show is not understood:\n\(text)") }
        return peer.state == "connected" ? peer.handshake_ms : nil
    }

    // MARK: Keys

    private func keyFile(_ name: String) -> String { "\(children.directory)/\(name).key" }

    /// Makes a private key in a file of its own, which only its owner reads. Returns the public key.
    private func makeKey(_ name: String, _ program: String) throws -> String {
        let key = try children.run([program, "genkey"], as: "genkey")
        let made = FileManager.default.createFile(
            atPath: keyFile(name), contents: Data(key.utf8), attributes: [.posixPermissions: 0o600])
        guard made else { throw LabFailure("cannot write \(keyFile(name))") }
        let publicKey = try children.run([program, "pubkey"], as: "pubkey", input: keyFile(name))
        return String(publicKey.prefix { !$0.isNewline })
    }
}
