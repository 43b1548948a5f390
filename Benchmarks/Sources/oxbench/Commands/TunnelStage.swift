import FoundationEssentials
import OxModel

/// What is compared: a tunnel, or none.
struct TunnelPeer: Equatable {
    enum Kind: Equatable {
        case none
        /// With the AEAD that it prefers, nil for what it finds best; and with one of its features off.
        case oxidize(aead: AEADName?, without: String? = nil)
        case wireGuard(program: String)
    }

    enum AEADName: String, CaseIterable {
        case chaCha20Poly1305 = "chacha20-poly1305"
        case aes256GCM = "aes-256-gcm"
    }

    let name: String
    let kind: Kind

    static func name(without feature: String) -> String { "oxidize-without-\(feature)" }
}

/// Two namespaces and what joins them.
///
///     client ── veth, MTU 1500 ── relay          and through the tunnel
///     10.95.0.2             10.95.0.1            10.96.0.2      10.96.0.1
struct TunnelStage {
    enum Underlay: String, CaseIterable {
        /// As the kernel makes it: super-packets cross whole.
        case veth
        /// Like a network card without UDP segmentation in hardware, whose driver merges what it receives.
        case nic
    }

    static let clientOutside = "10.95.0.2"
    static let relayOutside = "10.95.0.1"
    private static let clientInside = "10.96.0.2"
    private static let relayInside = "10.96.0.1"
    private static let port = 51820

    let children: ChildProcesses
    let oxbench: String
    let ends: TunnelEnds
    let client: Namespace
    let relay: Namespace
    /// Nil when something else than a veth pair joins the namespaces, with the outside addresses.
    let underlay: Underlay?

    init(children: ChildProcesses, oxbench: String, oxidize: String, underlay: Underlay?) throws {
        self.children = children
        self.oxbench = oxbench
        self.underlay = underlay
        ends = TunnelEnds(children: children, oxidize: oxidize)
        client = try Namespace.make("client", children)
        relay = try Namespace.make("relay", children)
        guard let underlay else { return }
        try Namespace.connect(client, "\(Self.clientOutside)/24", relay, "\(Self.relayOutside)/24", children)
        if underlay == .nic {
            try setOffloads(["tx-udp-segmentation", "off", "rx-udp-gro-forwarding", "on"])
        }
    }

    /// What has to be installed to open a way for each of them, and to pass traffic; with the Debian packages.
    static func programs(for peers: [TunnelPeer]) -> [String: String] {
        var needed = ["ip": "iproute2", "nsenter": "util-linux", "ping": "iputils-ping", "iperf3": "iperf3"]
        for case .wireGuard(let program) in peers.map(\.kind) {
            needed["wg"] = "wireguard-tools"
            if !program.contains("/") { needed[program] = program }
        }
        return needed
    }

    /// A way from the client to the relay.
    struct Way {
        let peer: TunnelPeer
        let traffic: Traffic
        let clientAddress: String
        /// The client's end, then the relay's; none without a tunnel.
        let ends: [ChildProcess]
        /// What both ends agreed on, where they tell.
        let aead: String?
        let relayStartSeconds: Double

        func processorSeconds() throws -> Double { try ends.map { try $0.processorSeconds() }.reduce(0, +) }
        /// Of the larger end.
        func residentBytes() throws -> UInt64 { try ends.map { try $0.residentBytes() }.max() ?? 0 }
    }

    /// - Parameter configuredPeers: how many the relay knows; one of them is the client.
    func open(_ peer: TunnelPeer, configuredPeers: Int = 1) throws -> Way {
        switch peer.kind {
        case .none: way(peer, ends: [], server: Self.relayOutside, client: Self.clientOutside)
        case .oxidize(let aead, let feature): try openOxidize(peer, aead, without: feature, configuredPeers)
        case .wireGuard(let program): try openWireGuard(peer, program, configuredPeers)
        }
    }

    func close(_ way: Way) throws {
        for end in way.ends { try children.stop(end) }
    }

    /// Without it, every datagram crosses the underlay by itself, as on a cable, and its counters count it so.
    func setSegmentation(_ isOn: Bool) throws {
        let value = isOn ? "on" : "off"
        try setOffloads(["tso", value, "gso", value])
        if underlay == .veth { try setOffloads(["tx-udp-segmentation", value]) }
    }

    /// IP bytes over the underlay so far, both directions.
    func wireBytes() throws -> UInt64 {
        let counters = try client.counters(of: relay.name, children)
        let ethernetHeader: UInt64 = 14
        return counters.sentBytes + counters.receivedBytes
            - ethernetHeader * (counters.sentPackets + counters.receivedPackets)
    }

    private func setOffloads(_ values: [String]) throws {
        try children.run(["ethtool", "-K", relay.name] + values, in: client)
        try children.run(["ethtool", "-K", client.name] + values, in: relay)
    }

    private func way(
        _ peer: TunnelPeer, ends: [ChildProcess], server: String = relayInside, client address: String = clientInside,
        aead: String? = nil, start: Double = 0
    ) -> Way {
        let traffic = Traffic(children: children, oxbench: oxbench, client: client, server: relay, address: server)
        return Way(
            peer: peer, traffic: traffic, clientAddress: address, ends: ends, aead: aead, relayStartSeconds: start)
    }
}

// MARK: - The tunnels

extension TunnelStage {
    private func openOxidize(
        _ peer: TunnelPeer, _ aead: TunnelPeer.AEADName?, without feature: String?, _ configuredPeers: Int
    ) throws -> Way {
        let clientKey = try ends.makeKey("ox-client")
        let relayKey = try ends.makeKey("ox-relay")
        let switches = (aead.map { ["aes-gcm = \"\($0 == .aes256GCM ? "on" : "off")\""] } ?? []) + (feature.map { ["\($0) = \"off\""] } ?? [])
        let features = switches.isEmpty ? "" : (["[features]"] + switches).joined(separator: "\n") + "\n"
        let peers = strangers(configuredPeers - 1).map { key, address in
            "[[peer]]\npublic-key = \"\(key)\"\nallowed-ips = \"\(address)/32\"\n"
        }
        let (relay, start) = try timed {
            try ends.startOxidize(
                "relay", as: "ox-relay", in: self.relay,
                """
                \(features)
                [interface]
                name = "ox-relay"
                private-key-file = "ox-relay.key"
                address = "\(Self.relayInside)/16"
                listen-port = \(Self.port)

                [relay]
                forward = false

                [[peer]]
                public-key = "\(clientKey)"
                allowed-ips = "\(Self.clientInside)/32"

                \(peers.joined())
                """, seconds: 60)
        }
        let client = try ends.startOxidize(
            "client", as: "ox-client", in: self.client,
            """
            \(features)
            [interface]
            name = "ox-client"
            private-key-file = "ox-client.key"
            address = "\(Self.clientInside)/16"

            [[peer]]
            public-key = "\(relayKey)"
            endpoint = "\(Self.relayOutside):\(Self.port)"
            allowed-ips = "\(Self.relayInside)/32"
            """)
        let connection = try ends.connection("ox-client", of: client)
        return way(peer, ends: [client, relay], aead: connection.aead, start: start)
    }

    private func openWireGuard(_ peer: TunnelPeer, _ program: String, _ configuredPeers: Int) throws -> Way {
        let clientKey = try ends.makeKey("wg-client")
        let relayKey = try ends.makeKey("wg-relay")
        let peers = strangers(configuredPeers - 1).map { key, address in
            "[Peer]\nPublicKey = \(key)\nAllowedIPs = \(address)/32\n"
        }
        let (relay, start) = try timed {
            try ends.startWireGuard(
                "wg-relay", in: self.relay, address: Self.relayInside + "/16", program: program,
                settings: """
                    [Interface]
                    ListenPort = \(Self.port)
                    [Peer]
                    PublicKey = \(clientKey)
                    AllowedIPs = \(Self.clientInside)/32
                    \(peers.joined())

                    """)
        }
        let client = try ends.startWireGuard(
            "wg-client", in: self.client, address: Self.clientInside + "/16", program: program,
            settings: """
                [Peer]
                PublicKey = \(relayKey)
                Endpoint = \(Self.relayOutside):\(Self.port)
                AllowedIPs = \(Self.relayInside)/32

                """)
        let way = way(peer, ends: [client, relay], aead: TunnelPeer.AEADName.chaCha20Poly1305.rawValue, start: start)
        // Its session begins with the first packet; where a handshake is lost, it tries again after five seconds.
        _ = try children.poll("passed a ping", of: client, seconds: 5, every: 1) { () -> [Double]? in
            do {
                return try way.traffic.ping(count: 1, interval: 0.1)
            } catch is LabFailure {
                return nil
            }
        }
        return way
    }

    /// Peers that never connect: their keys and inner addresses.
    private func strangers(_ count: Int) -> [(key: String, address: String)] {
        (0..<count).map { index in
            let key = (0..<32).map { _ in UInt8.random(in: 0...255) }
            let host = index + 3
            return (Base64.encodeKey(key), "10.96.\(host >> 8).\(host & 255)")
        }
    }

    private func timed<Value>(_ body: () throws -> Value) throws -> (Value, Double) {
        let clock = ContinuousClock()
        let start = clock.now
        let value = try body()
        return (value, (clock.now - start) / .seconds(1))
    }
}
