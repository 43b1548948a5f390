import FoundationEssentials

/// What peers that are only configured cost a relay: the same relay with one peer, and with many, in turn.
struct TunnelScale {
    let stage: TunnelStage
    let peers: Int
    let rounds: Int
    let seconds: Int
    let narrator: Narrator

    private enum Figure: String, CaseIterable {
        case start = "relay_start_s"
        case residentIdle = "relay_rss_start_mb"
        case resident = "relay_rss_mb"
        case receive = "relay_receive_us_per_packet"
        case send = "relay_send_us_per_packet"
        case foreign = "foreign_cpu_percent"
    }

    /// Below what every tunnel here can do, so that packets are not counted by who is overrun.
    private static let packetsPerSecond = 20_000

    func measure(_ compared: [TunnelPeer]) throws -> [Report.Result] {
        let cases = compared.filter { $0.kind != .none }.flatMap { peer in [1, peers].map { (peer: peer, count: $0) } }
        var samples = cases.map { _ in Samples<Figure>() }
        for round in 1...rounds {
            narrator.title("Round \(round) of \(rounds)")
            for (index, scene) in cases.enumerated() {
                narrator.say("\(scene.peer.name), \(scene.count) peers")
                try measure(scene.peer, scene.count, &samples[index])
            }
        }
        return cases.indices.map { index in
            Report.Result(
                [
                    (key: "peer", value: .text(cases[index].peer.name)),
                    (key: "configured_peers", value: .integer(UInt64(cases[index].count))),
                    (key: "rounds", value: .integer(UInt64(rounds))),
                ] + samples[index].fields)
        }
    }

    private func measure(_ peer: TunnelPeer, _ count: Int, _ samples: inout Samples<Figure>) throws {
        let start = ProcessUsage.Moment()
        let way = try stage.open(peer, configuredPeers: count)
        samples.add(.start, way.relayStartSeconds)
        samples.add(.residentIdle, Double(try way.ends[1].residentBytes()) / 1e6)
        samples.add(.receive, try cost(way, reverse: nil))
        samples.add(.send, try cost(way, reverse: way.clientAddress))
        samples.add(.resident, Double(try way.ends[1].residentBytes()) / 1e6)
        if let percent = ProcessUsage.Moment().foreignPercent(since: start) { samples.add(.foreign, percent) }
        try stage.close(way)
    }

    /// Processor microseconds of the relay for each packet that arrived.
    private func cost(_ way: TunnelStage.Way, reverse: String?) throws -> Double {
        let plan = ["--profile", "bulk", "--pps", "\(Self.packetsPerSecond)", "--size", "64", "--burst", "2"]
        let before = try way.ends[1].processorSeconds()
        let flow = try way.traffic.flow(
            plan + ["--duration", "\(seconds)s"], seconds: Double(seconds), linger: "150ms", reverse: reverse)
        let used = try way.ends[1].processorSeconds() - before
        return 1e6 * used / Double(max(1, flow.received.received_packets))
    }
}
