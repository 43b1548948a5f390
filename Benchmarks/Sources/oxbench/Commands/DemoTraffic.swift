import CLabFlow
import FoundationEssentials

/// What the demo measures on one way from the client to the server.
struct DemoFigures {
    /// Nil without a tunnel.
    var handshakeMilliseconds: Double?
    var roundTripMedianMilliseconds: Double
    var roundTripP99Milliseconds: Double
    var gameSent: Int
    var gameLost: Int
    var transferMegabitsPerSecond: Double
    /// The sender's congestion control, which decides much of the throughput: "cubic", "bbr".
    var congestionControl: String?
    var wireBytesPerGamePacket: Double
}

/// The traffic of one column: one kind after the other, so that none disturbs another.
struct DemoTraffic {
    let stage: DemoStage
    let places: DemoStage.Places

    private var children: ChildProcesses { stage.children }
    private var narrator: Narrator { stage.narrator }

    /// - Parameter tunnel: nil when there is none.
    func measure(_ tunnel: DemoStage.Tunnel?) throws -> DemoFigures {
        // It opens the session of a tunnel that waits for the first packet.
        let first = try ping(count: 1)[0]
        narrator.say("ping, \(stage.lengths.pings) times: how long there and back")
        let times = try ping(count: stage.lengths.pings).sorted()
        let median = times[(times.count - 1) / 2]
        let p99 = times[(times.count * 99 + 99) / 100 - 1]

        narrator.say("A game: 60 packets a second of 64 to 200 bytes, for \(stage.lengths.gameSeconds) s")
        let game = try playGame()
        narrator.say("A TCP transfer: iperf3, for \(stage.lengths.transferSeconds) s")
        let transfer = try transferBulk()
        return DemoFigures(
            handshakeMilliseconds: tunnel.map { $0.handshakeMilliseconds ?? max(0, first - median) },
            roundTripMedianMilliseconds: median, roundTripP99Milliseconds: p99, gameSent: game.sent,
            gameLost: game.lost, transferMegabitsPerSecond: transfer.megabits,
            congestionControl: transfer.congestionControl, wireBytesPerGamePacket: game.wireBytes)
    }

    /// Milliseconds of those that came back.
    private func ping(count: Int) throws -> [Double] {
        let command = ["ping", "-n", "-c", "\(count)", "-i", "0.02", "-W", "3", DemoStage.serverAddress]
        let text = try children.run(command, as: "ping", in: places.client, seconds: Double(count) * 0.06 + 10)
        let times = text.split(separator: "\n").compactMap { line in
            line.firstRange(of: "time=").flatMap { Double(line[$0.upperBound...].prefix { $0 != " " }) }
        }
        guard !times.isEmpty else { throw LabFailure("ping gave no times:\n\(text)") }
        return times
    }

    private struct Sent: Decodable {
        let sent_packets: Int
        let sent_payload_bytes: Int
        let send_failed_packets: Int
    }

    private struct Received: Decodable { let lost_packets: Int }

    private func playGame() throws -> (sent: Int, lost: Int, wireBytes: Double) {
        let target = "\(DemoStage.serverAddress):5000"
        let ready = children.directory + "/sink.ready"
        try? FileManager.default.removeItem(atPath: ready)
        let listening = ["--listen", target, "--ready-file", ready, "--timeout", "10s", "--linger", "500ms", "--json"]
        let sink = try children.start("flow-sink", [stage.oxbench, "flow", "sink"] + listening, in: places.server)
        try children.waitUntilReady(sink, seconds: 5) { FileManager.default.fileExists(atPath: ready) }

        let before = try places.client.counters(of: "link0", children).sentBytes
        let duration = stage.lengths.gameSeconds
        let send = ["--to", target, "--profile", "game", "--duration", "\(duration)s", "--json"]
        let sender = try children.start("flow-send", [stage.oxbench, "flow", "send"] + send, in: places.client)
        try children.finish(sender, seconds: Double(duration) + 10)
        // For what is still between the tunnel's device and the link's.
        try Signals.sleep(20_000_000)
        let bytes = try places.client.counters(of: "link0", children).sentBytes - before
        try children.finish(sink, seconds: 15)

        let sent = try sender.results(of: Sent.self)[0]
        guard sent.send_failed_packets == 0 else { throw sender.failure("could not send all packets") }
        let lost = try sink.results(of: Received.self)[0].lost_packets
        return (sent.sent_packets, lost, Self.bytesPerPacket(onLink: bytes, sent))
    }

    /// The flow's end is sent ten times and is smaller than the game's packets. What is added to a payload on its way is
    /// the same for both, so that is what gets averaged.
    private static func bytesPerPacket(onLink bytes: UInt64, _ sent: Sent) -> Double {
        let ends = 10
        let payload = sent.sent_payload_bytes + ends * Int(LAB_FLOW_HEADER)
        let added = Double(Int(bytes) - payload) / Double(sent.sent_packets + ends)
        return added + Double(sent.sent_payload_bytes) / Double(sent.sent_packets)
    }

    private struct Transfer: Decodable {
        struct End: Decodable {
            struct Sum: Decodable { let bits_per_second: Double }
            let sum_received: Sum
            let sender_tcp_congestion: String?
        }
        let end: End
    }

    private func transferBulk() throws -> (megabits: Double, congestionControl: String?) {
        let server = try children.start(
            "iperf3-server", ["iperf3", "--server", "--one-off", "--forceflush", "--bind", DemoStage.serverAddress],
            in: places.server)
        try children.waitUntilReady(server, seconds: 5) { server.output.contains("listening") }
        let duration = stage.lengths.transferSeconds
        let client = try children.start(
            "iperf3", ["iperf3", "--client", DemoStage.serverAddress, "--time", "\(duration)", "--json"],
            in: places.client)
        try children.finish(client, seconds: Double(duration) + 20)
        try children.finish(server, seconds: 10)
        let end = try client.decoded(as: Transfer.self).end
        return (end.sum_received.bits_per_second / 1e6, end.sender_tcp_congestion)
    }
}
