/// The tables of `oxbench load`.
extension StoredReport {
    private typealias Row = (label: String, key: String, places: Int)

    /// The values of a text key in the order in which they first come.
    private func names(_ key: String) -> [String] {
        results.compactMap { $0[key]?.text }.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }

    private static let latencyRows: [Row] = [
        ("game on the idle link, median, ms", "idle_game_p50_ms", 1),
        ("game on the idle link, 99th percentile, ms", "idle_game_p99_ms", 1),
        ("game while the upload begins, 99th percentile, ms", "onset_game_p99_ms", 1),
        ("game beside the upload, median, ms", "loaded_game_p50_ms", 1),
        ("game beside the upload, 99th percentile, ms", "loaded_game_p99_ms", 1),
        ("game packets lost beside the upload, %", "loaded_game_lost_percent", 2),
        ("99th percentile beside the upload less idle, ms", "added_game_p99_ms", 1),
        ("upload, TCP payload, Mbit/s", "upload_goodput_mbit_per_s", 1),
        ("runs discarded, as the emulator was late", "discarded_runs", 0),
        ("lateness of the emulator, 99th percentile, us", "link_lateness_p99_us", 0),
    ]

    var loadLatencyTable: String {
        let rows = Self.latencyRows.map { row in [row.label] + results.map { cell($0, row.key, row.places) } }
        return MarkdownTables.table([""] + results.map { $0["peer"]?.text ?? "-" }, rows, left: 1)
    }

    private static let bytesRows: [Row] = [
        ("game, 64 to 200 bytes of UDP: both ways", "game_bytes_per_packet", 1),
        ("game: to the relay", "game_up_bytes_per_packet", 1),
        ("call, RTP with 160 bytes: both ways", "voice_bytes_per_packet", 1),
        ("call: to the relay", "voice_up_bytes_per_packet", 1),
        ("acknowledgement of a TCP download: to the relay", "ack_bytes_per_packet", 1),
        ("download, a full packet: both ways", "download_bytes_per_full_packet", 1),
        ("download: to the client", "download_down_bytes_per_full_packet", 1),
        ("download: to the relay", "download_up_bytes_per_full_packet", 1),
        ("game: saved of what it is without header compression, %", "game_saved_percent_of_uncompressed", 1),
        ("call: likewise", "voice_saved_percent_of_uncompressed", 1),
        ("acknowledgement: likewise", "ack_saved_percent_of_uncompressed", 1),
        ("download: likewise", "download_saved_percent_of_uncompressed", 1),
        ("game: saved of what it is with wireguard-go, %", "game_saved_percent_of_wireguard_go", 1),
        ("call: likewise", "voice_saved_percent_of_wireguard_go", 1),
        ("acknowledgement: likewise", "ack_saved_percent_of_wireguard_go", 1),
        ("download: likewise", "download_saved_percent_of_wireguard_go", 1),
    ]

    var loadBytesTable: String {
        let rows = Self.bytesRows.map { row in [row.label] + results.map { cell($0, row.key, row.places) } }
        return MarkdownTables.table(["IP bytes on the link"] + results.map { $0["peer"]?.text ?? "-" }, rows, left: 1)
    }

    var loadLossTable: String {
        let head = [
            "loss, %", "peer", "TCP inside, Mbit/s", "UDP inside, Mbit/s", "IP bytes that arrive, % of the rate",
            "queue in front of the rate, 95th percentile, ms",
        ]
        let rows = results.map { result in
            [cell(result, "loss_percent", 0), result["peer"]?.text ?? "-"] + [
                cell(result, "tcp_goodput_mbit_per_s", 1), cell(result, "udp_goodput_mbit_per_s", 1),
                cell(result, "wire_percent_of_rate", 1), cell(result, "link_queue_p95_ms", 0),
            ]
        }
        return MarkdownTables.table(head, rows, left: 2)
    }

    /// A line a trace, two columns a sender.
    var loadTracesTable: String {
        let senders = names("sender")
        let head = ["trace", "Mbit/s"] + senders.flatMap { ["\($0), %", "p95, ms"] }
        let rows = names("trace").map { trace in
            let ofTrace = results.filter { $0["trace"]?.text == trace }
            return [trace, ofTrace.first.map { cell($0, "trace_mbit_per_s", 1) } ?? "-"] + senders.flatMap { sender in
                let result = ofTrace.first { $0["sender"]?.text == sender } ?? [:]
                return [
                    result["utilisation_percent"]?.number.map { Self.rounded($0, 0) } ?? "-",
                    result["link_queue_p95_ms"]?.number.map { Self.rounded($0, 0) } ?? "-",
                ]
            }
        }
        return MarkdownTables.table(head, rows, left: 1)
    }
}
