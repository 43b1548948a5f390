import CLabBase
import Glibc

/// What became of a session in peace and under a flood.
struct FloodFigures {
    private let seconds: Int
    private let quiet: Traffic.Flow
    private let flooded: Traffic.Flow
    private let quietTransfer: Double?
    private let floodedTransfer: Double?
    private let flood: Sent
    private let residentBefore: UInt64
    private var residentDuring: UInt64 = 0
    private let residentAfter: UInt64
    /// Nil when the second client was not connected in time.
    private var newcomerHandshake: Double?
    private let before: TunnelEnds.Status
    private let after: TunnelEnds.Status

    private struct Sent: Decodable {
        let sent_datagrams: UInt64
        let sent_datagrams_per_s: Double
        let replies_datagrams: UInt64
        let elapsed_s: Double
    }

    private static let throughputBar = 90.0
    private static let residentTolerance: UInt64 = 1 << 20
    /// TCP is for information only.
    private static let transferSecondsMost = 5

    init(_ stage: FloodStage, seconds: Int, rate: UInt64, ports: Int, tcp: Bool) throws {
        self.seconds = seconds
        let transferSeconds = min(seconds, Self.transferSecondsMost)
        // Everything that is taken on first use is taken now.
        _ = try stage.flow(seconds: 1, rate: rate)
        quiet = try stage.flow(seconds: seconds, rate: rate)
        quietTransfer = tcp ? try stage.transfer(seconds: transferSeconds) : nil
        before = try stage.status(of: "relay")
        residentBefore = try stage.residentBytes()

        let attacker = try stage.startFlood(ports: ports)
        var during: UInt64 = 0
        var handshake: Double?
        flooded = try stage.flow(seconds: seconds, rate: rate) {
            try Signals.sleep(UInt64(seconds) * 500_000_000)
            during = try stage.residentBytes()
            do {
                handshake = try stage.connect("latecomer", inside: "10.91.0.3", patience: Double(seconds) + 5)
            } catch is LabFailure {
                // Not to be let in is a result.
            }
        }
        residentDuring = during
        newcomerHandshake = handshake
        floodedTransfer = tcp ? try stage.transfer(seconds: transferSeconds) : nil
        after = try stage.status(of: "relay")
        residentAfter = try stage.residentBytes()
        try stage.children.stop(attacker)
        flood = try attacker.results(of: Sent.self)[0]
    }

    private var ratioPercent: Double { 100 * flooded.deliveredPerSecond / quiet.deliveredPerSecond }
    private var hasGrown: Bool { residentAfter > residentBefore + Self.residentTolerance }

    private func dropped(_ name: String) -> Report.Value {
        .integer((after.drops[name] ?? 0) - (before.drops[name] ?? 0))
    }

    var result: Report.Result {
        [
            "flow_s": .integer(UInt64(seconds)),
            "quiet_sent_packets": .integer(quiet.sent.sent_packets),
            "quiet_delivered_packets": .integer(quiet.received.received_packets),
            "quiet_delivered_packets_per_s": .number(quiet.deliveredPerSecond),
            "quiet_delivered_bytes_per_s": Self.bytesPerSecond(quiet),
            "quiet_loss_percent": quiet.received.loss_percent.map(Report.Value.number) ?? .unknown,
            "quiet_delay_p50_us": .number(quiet.received.delay_p50_us),
            "quiet_delay_p99_us": .number(quiet.received.delay_p99_us),
            "flooded_sent_packets": .integer(flooded.sent.sent_packets),
            "flooded_delivered_packets": .integer(flooded.received.received_packets),
            "flooded_delivered_packets_per_s": .number(flooded.deliveredPerSecond),
            "flooded_delivered_bytes_per_s": Self.bytesPerSecond(flooded),
            "flooded_loss_percent": flooded.received.loss_percent.map(Report.Value.number) ?? .unknown,
            "flooded_delay_p50_us": .number(flooded.received.delay_p50_us),
            "flooded_delay_p99_us": .number(flooded.received.delay_p99_us),
            "sink_own_socket_dropped_packets": .integer(flooded.received.own_socket_dropped_packets),
            "ratio_percent": .number(ratioPercent),
            "throughput_pass": .flag(ratioPercent > Self.throughputBar),
            "flood_datagrams": .integer(flood.sent_datagrams),
            "flood_datagrams_per_s": .number(flood.sent_datagrams_per_s),
            "flood_s": .number(flood.elapsed_s),
            "flood_replies_datagrams": .integer(flood.replies_datagrams),
            "relay_rss_before_bytes": .integer(residentBefore),
            "relay_rss_during_bytes": .integer(residentDuring),
            "relay_rss_after_bytes": .integer(residentAfter),
            "memory_pass": .flag(!hasGrown),
            "newcomer_handshake_ms": newcomerHandshake.map(Report.Value.number) ?? .unknown,
            "newcomer_pass": .flag(newcomerHandshake != nil),
            "relay_drop_handshake_mac1_packets": dropped("handshake_mac1"),
            "relay_drop_handshake_cookie_sent_packets": dropped("handshake_cookie_sent"),
            "relay_drop_handshake_cookie_limit_packets": dropped("handshake_cookie_limit"),
            "relay_drop_handshake_rate_packets": dropped("handshake_rate"),
            "relay_drop_handshake_stranger_packets": dropped("handshake_stranger"),
            "relay_drop_handshake_length_packets": dropped("handshake_length"),
            "relay_drop_event_ring_full_packets": dropped("event_ring_full"),
            "relay_drop_pool_empty_packets": dropped("pool_empty"),
            "relay_kernel_drop_data_packets": .integer(after.network.kernel_drops - before.network.kernel_drops),
            "relay_kernel_drop_handshake_packets": .integer(
                after.network.kernel_drops_handshake - before.network.kernel_drops_handshake),
            "quiet_tcp_bit_per_s": quietTransfer.map(Report.Value.number) ?? .unknown,
            "flooded_tcp_bit_per_s": floodedTransfer.map(Report.Value.number) ?? .unknown,
        ]
    }

    private static func bytesPerSecond(_ flow: Traffic.Flow) -> Report.Value {
        .number(Double(flow.received.received_payload_bytes) / flow.sent.elapsed_s)
    }
}
