/// What the demo measures on one way from the client to the server.
struct DemoFigures {
    /// Nil without a tunnel.
    var handshakeMilliseconds: Double?
    var roundTripMedianMilliseconds: Double
    var roundTripP99Milliseconds: Double
    var gameSent: UInt64
    var gameLost: UInt64
    var transferMegabitsPerSecond: Double
    /// The sender's congestion control, which decides much of the throughput: "cubic", "bbr".
    var congestionControl: String?
    var wireBytesPerGamePacket: Double
    var beside: DemoBesideUpload?
    var overLoss: DemoOverLoss?
    /// Nil for what repairs nothing anyway.
    var overLossWithoutRepair: DemoOverLoss?
    var withoutLoss: DemoBytes?
    /// Nil for what compresses nothing anyway.
    var withoutCompression: DemoBytes?
}

/// What packets take on the wire where none is lost.
struct DemoBytes {
    var perGamePacket: Double
    var perCallPacket: Double
}

/// A game over the link with more loss.
struct DemoOverLoss {
    var gameLostPercent: Double
    var wireBytesPerGamePacket: Double
}

/// A game beside an upload that fills the slow link.
struct DemoBesideUpload {
    var delayMedianMilliseconds: Double
    var delayP99Milliseconds: Double
    var uploadMegabitsPerSecond: Double
}

/// The traffic of one column: one kind after the other, so that none disturbs another.
struct DemoTraffic {
    let stage: DemoStage
    let places: DemoStage.Places

    private var children: ChildProcesses { stage.children }
    private var traffic: Traffic {
        Traffic(
            children: children, oxbench: stage.oxbench, client: places.client, server: places.server,
            address: DemoStage.serverAddress)
    }
    private var narrator: Narrator { stage.narrator }

    /// - Parameter tunnel: nil when there is none.
    func measure(_ tunnel: DemoStage.Tunnel?) throws -> DemoFigures {
        // It opens the session of a tunnel that waits for the first packet.
        let first = try traffic.ping(count: 1, interval: 0.02)[0]
        narrator.say("ping, \(stage.lengths.pings) times: how long there and back")
        let times = try traffic.ping(count: stage.lengths.pings, interval: 0.02).sorted()
        let median = times[(times.count - 1) / 2]
        let p99 = times[(times.count * 99 + 99) / 100 - 1]

        narrator.say("A game: 60 packets a second of 64 to 200 bytes, for \(stage.lengths.gameSeconds) s")
        let game = try play(seconds: stage.lengths.gameSeconds)
        narrator.say("A TCP transfer: iperf3, for \(stage.lengths.transferSeconds) s")
        let end = try traffic.transfer(.seconds(stage.lengths.transferSeconds)).end
        return DemoFigures(
            handshakeMilliseconds: tunnel.map { $0.handshakeMilliseconds ?? max(0, first - median) },
            roundTripMedianMilliseconds: median, roundTripP99Milliseconds: p99, gameSent: game.sent,
            gameLost: game.lost, transferMegabitsPerSecond: end.sum_received.bits_per_second / 1e6,
            congestionControl: end.sender_tcp_congestion, wireBytesPerGamePacket: game.wireBytes)
    }

    func measureBesideUpload() throws -> DemoBesideUpload {
        // As above.
        _ = try traffic.ping(count: 1, interval: 0.02)
        narrator.say("A TCP upload that fills it, and a game beside it, for \(stage.lengths.besideSeconds) s")
        let outcome = try GameBesideUpload(
            traffic: traffic, congestionControl: .cubic, onsetSeconds: stage.lengths.onsetSeconds,
            seconds: stage.lengths.besideSeconds
        ).play()
        return DemoBesideUpload(
            delayMedianMilliseconds: outcome.game.received.delay_p50_us / 1000,
            delayP99Milliseconds: outcome.game.received.delay_p99_us / 1000,
            uploadMegabitsPerSecond: outcome.uploadBitsPerSecond / 1e6)
    }

    func measureBytes() throws -> DemoBytes {
        // As above.
        _ = try traffic.ping(count: 1, interval: 0.02)
        narrator.say("A game, then a call (RTP, G.711): what their packets take on the wire")
        return DemoBytes(
            perGamePacket: try play(seconds: stage.lengths.bytesSeconds).wireBytes,
            perCallPacket: try play("voice", seconds: stage.lengths.bytesSeconds).wireBytes)
    }

    func measureOverLoss() throws -> DemoOverLoss {
        // As above; some get lost.
        _ = try traffic.ping(count: 5, interval: 0.02)
        narrator.say("A game, for \(stage.lengths.lossySeconds) s")
        let game = try play(seconds: stage.lengths.lossySeconds)
        return DemoOverLoss(
            gameLostPercent: 100 * Double(game.lost) / Double(max(1, game.sent)), wireBytesPerGamePacket: game.wireBytes)
    }

    private func play(_ profile: String = "game", seconds duration: Int) throws -> (sent: UInt64, lost: UInt64, wireBytes: Double) {
        let before = try places.client.counters(of: "link0", children).sentBytes
        var after: UInt64 = 0
        let flow = try traffic.flow(["--profile", profile, "--duration", "\(duration)s"], seconds: Double(duration)) {
        } afterwards: {
            // For what is still between the tunnel's device and the link's.
            try Signals.sleep(20_000_000)
            after = try places.client.counters(of: "link0", children).sentBytes
        }
        guard flow.sent.send_failed_packets == 0 else { throw LabFailure("could not send all packets of the \(profile)") }
        guard let lost = flow.received.lost_packets else { throw LabFailure("the end of the \(profile) got lost") }
        return (flow.sent.sent_packets, lost, flow.bytesPerPacket(onLink: after - before))
    }
}
