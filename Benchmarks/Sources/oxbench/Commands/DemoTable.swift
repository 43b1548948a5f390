/// One way to the server. Without figures, its program is not installed.
struct DemoColumn {
    let name: String
    var figures: DemoFigures?
    var link: LinkReport?
    /// Of the link that an upload fills.
    var slowLink: LinkReport?
    /// Of those with more loss.
    var lossyLinks: [LinkReport] = []

    var result: Report.Result {
        [
            "column": .text(name),
            "installed": .flag(figures != nil),
            "handshake_ms": number(figures?.handshakeMilliseconds),
            "rtt_p50_ms": number(figures?.roundTripMedianMilliseconds),
            "rtt_p99_ms": number(figures?.roundTripP99Milliseconds),
            "game_sent_packets": figures.map { .integer($0.gameSent) } ?? .unknown,
            "game_lost_packets": figures.map { .integer($0.gameLost) } ?? .unknown,
            "tcp_throughput_mbit_per_s": number(figures?.transferMegabitsPerSecond),
            "tcp_congestion_control": figures?.congestionControl.map { .text($0) } ?? .unknown,
            "wire_bytes_per_game_packet": number(figures?.wireBytesPerGamePacket),
            "game_p50_while_uploading_ms": number(figures?.beside?.delayMedianMilliseconds),
            "game_p99_while_uploading_ms": number(figures?.beside?.delayP99Milliseconds),
            "upload_goodput_mbit_per_s": number(figures?.beside?.uploadMegabitsPerSecond),
            "game_lost_at_5_percent_loss_percent": number(figures?.overLoss?.gameLostPercent),
            "wire_bytes_per_game_packet_at_5_percent_loss": number(figures?.overLoss?.wireBytesPerGamePacket),
            "game_lost_without_repair_percent": number(figures?.overLossWithoutRepair?.gameLostPercent),
            "wire_bytes_per_game_packet_without_repair": number(figures?.overLossWithoutRepair?.wireBytesPerGamePacket),
            "wire_bytes_per_game_packet_without_loss": number(figures?.withoutLoss?.perGamePacket),
            "wire_bytes_per_call_packet_without_loss": number(figures?.withoutLoss?.perCallPacket),
            "wire_bytes_per_game_packet_without_compression": number(figures?.withoutCompression?.perGamePacket),
            "wire_bytes_per_call_packet_without_compression": number(figures?.withoutCompression?.perCallPacket),
            "link_lost_packets": integer(link?.lostPackets),
            "link_queue_full_packets": integer(link?.queueFullPackets),
            "link_own_lost_packets": integer(link?.ownLostPackets),
            "link_lateness_p99_us": number(link?.latenessMicroseconds),
            "slow_link_own_lost_packets": integer(slowLink?.ownLostPackets),
            "slow_link_lateness_p99_us": number(slowLink?.latenessMicroseconds),
            "link_seed": .integer(UInt64(DemoStage.seed)),
        ]
    }

    private func number(_ value: Double?) -> Report.Value { value.map { .number($0) } ?? .unknown }
    private func integer(_ value: Int?) -> Report.Value { value.map { .integer(UInt64($0)) } ?? .unknown }
}

/// The same for people.
struct DemoTable {
    let columns: [DemoColumn]

    /// Above it, 5 % of the round trip, the emulator shows in the figures, and not only what is measured.
    private static let latenessBoundMicroseconds = 2000.0

    private typealias Row = (name: String, cell: (DemoFigures) -> String)

    private static var rows: [Row] {
        [
            ("handshake, ms [1]", { $0.handshakeMilliseconds.map(tenths) ?? "-" }),
            ("RTT, median, ms", { tenths($0.roundTripMedianMilliseconds) }),
            ("RTT, 99th percentile, ms", { tenths($0.roundTripP99Milliseconds) }),
            ("game packets lost", { "\($0.gameLost) of \($0.gameSent)" }),
            ("TCP throughput, Mbit/s [2]", { tenths($0.transferMegabitsPerSecond) }),
            ("bytes on the wire per game packet [3]", { tenths($0.wireBytesPerGamePacket) }),
            ("  where none is lost [4]", { bytes($0.withoutLoss?.perGamePacket) }),
            ("  there without header compression", { bytes($0.withoutCompression?.perGamePacket) }),
            ("  per packet of a call [4]", { bytes($0.withoutLoss?.perCallPacket) }),
            ("  there without header compression", { bytes($0.withoutCompression?.perCallPacket) }),
            ("game p99 while uploading, ms [5]", { $0.beside.map { tenths($0.delayP99Milliseconds) } ?? "-" }),
            ("game lost at 5 % loss, % [6]", { $0.overLoss.map { hundredths($0.gameLostPercent) } ?? "-" }),
            ("  bytes on the wire per packet [3]", { $0.overLoss.map { tenths($0.wireBytesPerGamePacket) } ?? "-" }),
            ("game lost there without repair, %", { $0.overLossWithoutRepair.map { hundredths($0.gameLostPercent) } ?? "-" }),
            ("  bytes on the wire per packet [3]", { $0.overLossWithoutRepair.map { tenths($0.wireBytesPerGamePacket) } ?? "-" }),
        ]
    }

    var text: String {
        var lines = [[""] + columns.map(\.name)]
        for row in Self.rows {
            lines.append([row.name] + columns.map { $0.figures.map(row.cell) ?? "not installed" })
        }
        let widths = lines[0].indices.map { index in lines.map { $0[index].count }.max() ?? 0 }
        let table = lines.map { cells in
            let first = cells[0] + spaces(widths[0] - cells[0].count)
            return zip(cells, widths).dropFirst().reduce(first) { $0 + "   " + spaces($1.1 - $1.0.count) + $1.0 }
        }
        return (["", table[0], String(repeating: "-", count: table[0].count)] + table.dropFirst() + [""] + notes)
            .joined(separator: "\n")
    }

    private var notes: [String] {
        let congestionControl = columns.lazy.compactMap { $0.figures?.congestionControl }.first ?? "unknown"
        let notes = [
            "One run over a link of 40 ms RTT, 1 % loss each way and 100 Mbit/s, from the same seed for each column.",
            "[1] Oxidize: as it reports it. wireguard-go: the time of the first ping less the median RTT.",
            "[2] With this machine's congestion control, \(congestionControl).",
            "[3] IP packets that the client sent over the link during the game, headers, feedback and repair included.",
            "[4] Likewise, over a link of 40 ms RTT and 20 Mbit/s: games of 64 to 200 bytes of UDP, calls of RTP with 160 bytes.",
            "[5] One way, over a link of 40 ms RTT and 20 Mbit/s whose buffer of 300 ms a TCP upload (cubic) fills.",
            "[6] Over a link of 40 ms RTT with 5 % loss each way, from the first packet on.",
        ]
        return notes + columns.flatMap { column in
            ([column.link, column.slowLink] + column.lossyLinks).compactMap { $0.flatMap { doubt(column.name, $0) } }
        }
    }

    /// What the emulator itself did to the figures.
    private func doubt(_ name: String, _ link: LinkReport) -> String? {
        if link.ownLostPackets > 0 {
            return "Doubtful, \(name): the emulator itself lost \(link.ownLostPackets) packets, as the machine was busy."
        }
        guard link.latenessMicroseconds > Self.latenessBoundMicroseconds else { return nil }
        let late = Self.tenths(link.latenessMicroseconds / 1000)
        return "Doubtful, \(name): the emulator was \(late) ms late (99th percentile), as the machine was busy."
    }

    private static func bytes(_ value: Double?) -> String { value.map(tenths) ?? "-" }

    private func spaces(_ count: Int) -> String { String(repeating: " ", count: count) }

    private static func hundredths(_ value: Double) -> String {
        let hundredths = Int((value * 100).rounded())
        return "\(hundredths / 100).\(hundredths % 100 / 10)\(hundredths % 10)"
    }

    private static func tenths(_ value: Double) -> String {
        let tenths = Int((value * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }
}
