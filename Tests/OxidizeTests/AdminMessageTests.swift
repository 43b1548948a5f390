import Testing

@testable import Oxidize

struct AdminMessageTests {
    private func refusal(_ line: String) -> String? {
        guard case .refusal(let response) = AdminProtocol.read(request: line) else { return nil }
        return response.error
    }

    @Test(arguments: AdminRequest.Command.allCases)
    func `every request survives its line`(_ command: AdminRequest.Command) {
        for peer in [nil, "laptop", "Zoë's \"old\" laptop \\ 🐧"] {
            let request = AdminRequest(command, peer: peer)
            let line = AdminProtocol.line(request)
            #expect(line.last == "\n")
            #expect(!line.dropLast().contains("\n"))
            #expect(AdminProtocol.read(request: String(line.dropLast())) == .request(request))
        }
    }

    @Test func `what is wrong with a request is said`() {
        #expect(refusal("")?.contains("version") == true)
        #expect(refusal("status")?.contains("JSON") == true)
        #expect(refusal(#"{"version":2,"command":"status"}"#)?.contains("speaks version 1") == true)
        #expect(refusal(#"{"version":1}"#)?.contains("no command") == true)
        #expect(refusal(#"{"version":1,"command":"explode"}"#)?.contains("status, ping, reload, stop") == true)
        #expect(refusal(#"{"version":1,"command":"ping","peer":7}"#)?.contains("peer") == true)
        let long = #"{"version":1,"command":"ping","peer":"\#(String(repeating: "x", count: 4096))"}"#
        #expect(refusal(long)?.contains("4096") == true)
    }

    @Test func `fields of later versions are passed over`() {
        #expect(
            AdminProtocol.read(request: #"{"command":"status","colour":"red","version":1}"#) == .request(.init(.status)))
    }

    @Test func `no bytes make the reader fail otherwise than by a refusal`() {
        var random = SystemRandomNumberGenerator()
        let seeds = [
            #"{"version":1,"command":"ping","peer":"laptop"}"#, #"{"version":1e999,"command":"\u0000"}"#,
            String(repeating: "[", count: 4000), String(repeating: #"{"version":"#, count: 400),
        ].map { Array($0.utf8) }
        for round in 0..<4000 {
            var bytes = seeds[round % seeds.count]
            for _ in 0..<Int.random(in: 0...4, using: &random) {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[place] = .random(in: 0...255, using: &random)
                case 1: bytes.remove(at: place)
                default: bytes.insert(contentsOf: bytes[place...].prefix(8), at: place)
                }
            }
            let line = String(decoding: bytes, as: UTF8.self)
            switch AdminProtocol.read(request: line) {
            case .request(let request): #expect(request.version == 1)
            case .refusal(let response): #expect(response.error != nil)
            }
            _ = AdminProtocol.read(response: line)
        }
    }

    @Test func `a status keeps its values, and names of drops as they are`() throws {
        let port = TunnelStatus.Port(
            received: 1, sent: 2, sendFailed: 3, lastFailure: "no/route", kernelDrops: 4, kernelDropsHandshake: 5,
            offload: true, offloadFallbacks: 0, superReceived: 6, superSent: 7)
        let path = TunnelStatus.Path(
            id: 0, remoteAddress: "[2001:db8::1]:51820", mtuBytes: 1452, rttMs: 40.25, rttVarianceMs: 0.5, rttMinMs: 39,
            lossPercent: 1.5, datagramsSent: 1, datagramsReceived: 2, bytesSent: .max, bytesReceived: 4, acknowledged: 5,
            lost: 6, unresolved: 7, ceMarked: 8)
        let peer = TunnelStatus.Peer(
            name: "a\tb", publicKey: "key=", presharedKey: true, state: "connected", silent: false, endpoint: nil,
            allowedIps: ["10.0.0.0/8"], persistentKeepaliveS: 25, aead: "none", encrypted: false, sessionAgeS: 1,
            initiator: true, lastHandshakeAgoS: 1, handshakeMs: 2, handshakeAttempt: nil, packetsSent: 1,
            packetsReceived: 2, packetBytesSent: 3, packetBytesReceived: 4, paths: [path])
        #expect(peer.hint == nil)
        var silent = peer
        (silent.state, silent.handshakeAttempt, silent.endpoint, silent.paths) = ("connecting", 3, "relay.test:443", [])
        #expect(silent.hint == nil)
        silent.handshakeAttempt = 4
        #expect(silent.hint?.hasPrefix("no answer from relay.test:443: is the endpoint right") == true)
        let status = TunnelStatus(
            interface: "ox0", pid: 4321, role: "client", publicKey: "key=", listenPort: 51820, firewallMark: nil, uptimeS: 3,
            aeadsOffered: ["aes-256-gcm"], aeadsOfferedReason: "fast",
            aeads: [.init(name: "aes-256-gcm", provider: "libsodium 1.0.18", sealNs: 900.5)], peers: [peer],
            drops: ["no_route": 1, "replay_old_packet": 2], device: port, network: port,
            workers: [], numaNodes: 1)
        let line = AdminProtocol.line(AdminResponse(status: status))
        #expect(AdminProtocol.read(response: line)?.status == status)
        for part in [
            #""rtt_variance_ms":0.5"#, #""loss_percent":1.5"#, #""allowed_ips":["10.0.0.0/8"]"#, #""no_route":1"#,
            #""replay_old_packet":2"#, #""persistent_keepalive_s":25"#, #""bytes_sent":18446744073709551615"#,
            #""last_failure":"no/route""#, #""pid":4321"#, #""aeads_offered_reason":"fast""#, #""seal_ns":900.5"#,
        ] { #expect(line.contains(part), "\(part) in \(line)") }
    }
}
