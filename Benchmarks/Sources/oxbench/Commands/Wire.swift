import ArgumentParser
import OxSimulation

/// `oxbench wire`: bytes on the wire, counted.
struct Wire: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Counts what the tunnel adds to packets on the wire.",
        discussion: """
            A client and a relay do a real handshake and run the real tunnel, over ports in memory. Each row is one kind \
            of packet, alone in its datagram unless it says otherwise; overhead is what the UDP payload outside has \
            more than the packets inside, their headers as they are. Nothing here depends on the machine.

            The rows with header_compression are of whole flows, with it and without: wire_bytes are those of the datagrams with \
            packets, feedback_bytes those of the others, both ways.

            wireguard_overhead is computed from its published format: 16 bytes of header, 16 of tag, and the packet \
            padded to a multiple of 16, up to the inner MTU of 1500.

            Exits with 1, after the report, when a data header is not 3 to 6 bytes long, or 64 bytes of UDP over IPv4 \
            cost more than 26.
            """)

    @OptionGroup var output: ReportOptions

    func run() throws {
        var rows: [WireRow] = []
        for bytes in 1...3 { rows += try WireRow.data(from: .client, relaySessionIDBytes: bytes) }
        // The client's ids have one byte, whatever the relay's have.
        rows += try WireRow.data(from: .relay, relaySessionIDBytes: 2)
        rows += try WireRow.control()
        var flows: [WireFlow] = []
        for compresses in [false, true] { flows += try WireFlow.measure(compressesHeaders: compresses) }
        Report(command: "wire", results: rows.map(\.result) + flows.map(\.result)).write(json: output.json)
        if let row = rows.first(where: { !$0.pass }) {
            throw LabFailure("\(row.kind) from the \(row.from), session id of \(row.sessionIDBytes) bytes, is above the bar")
        }
    }
}

/// One kind of packet or message, and what it cost.
struct WireRow {
    let kind: String
    let from: TunnelPair.Side
    /// 0 for handshake messages, which carry none.
    let sessionIDBytes: Int
    let innerPackets: Int
    let innerBytes: Int
    let datagrams: [Int]
    /// The largest of its datagrams.
    let headerBytes: Int?
    let wireGuardBytes: Int?
    var overheadMost: Int?

    private static let tagBytes = 16
    private static let headerBar = 3...6
    private static let gameOverheadBar = 26

    var overheadBytes: Int { datagrams.reduce(0, +) - innerBytes }
    var pass: Bool { (headerBytes.map(Self.headerBar.contains) ?? true) && overheadBytes <= overheadMost ?? .max }

    var result: Report.Result {
        let framing = headerBytes.map { overheadBytes - datagrams.count * ($0 + Self.tagBytes) }
        let wireGuardOverhead = wireGuardBytes.map { $0 - innerBytes }
        let perPacket = innerPackets > 0 ? Double(overheadBytes) / Double(innerPackets) : nil
        return [
            "kind": .text(kind),
            "from": .text("\(from)"),
            "session_id_bytes": .integer(UInt64(sessionIDBytes)),
            "inner_packets": .integer(UInt64(innerPackets)),
            "inner_bytes": .integer(UInt64(innerBytes)),
            "datagrams": .integer(UInt64(datagrams.count)),
            "wire_bytes": .integer(UInt64(datagrams.reduce(0, +))),
            "header_bytes": Self.value(headerBytes),
            "tag_bytes": headerBytes == nil ? .unknown : .integer(UInt64(Self.tagBytes)),
            "framing_bytes": Self.value(framing),
            "overhead_bytes": .integer(UInt64(overheadBytes)),
            "overhead_bytes_per_packet": perPacket.map(Report.Value.number) ?? .unknown,
            "wireguard_overhead_bytes": Self.value(wireGuardOverhead),
            "ratio_to_wireguard": wireGuardOverhead.map { .number(Double(overheadBytes) / Double($0)) } ?? .unknown,
            "pass": .flag(pass),
        ]
    }

    private static func value(_ bytes: Int?) -> Report.Value { bytes.map { .integer(UInt64($0)) } ?? .unknown }

    /// What one datagram of WireGuard's would hold.
    static func wireGuard(_ packet: [UInt8]) -> Int { 32 + min((packet.count + 15) / 16 * 16, 1500) }
}

// MARK: - Packets

extension WireRow {
    private static let kinds: [(name: String, payloadBytes: Int, v6: Bool)] = [
        ("game_64_ipv4", 64, false), ("game_64_ipv6", 64, true), ("voice_160_ipv4", 160, false),
        ("full_1500_ipv4", 1472, false),
    ]

    static func data(from side: TunnelPair.Side, relaySessionIDBytes: Int) throws -> [WireRow] {
        let pair = try TunnelPair(relaySessionIDBytes: relaySessionIDBytes)
        let idBytes = side == .client ? relaySessionIDBytes : 1
        var id: UInt64 = 0
        func packets(_ count: Int, _ payloadBytes: Int, v6: Bool) -> [[UInt8]] {
            (0..<count).map { _ in
                id += 2
                return TunnelPair.packet(id: v6 ? id + 1 : id, from: side, payloadBytes: payloadBytes)
            }
        }
        func measure(_ name: String, _ packets: [[UInt8]], overheadMost: Int? = nil) throws -> WireRow {
            let datagrams = try pair.send(packets, from: side)
            return WireRow(
                kind: name, from: side, sessionIDBytes: idBytes, innerPackets: packets.count,
                innerBytes: packets.map(\.count).reduce(0, +), datagrams: datagrams.map(\.bytes.count),
                headerBytes: datagrams.compactMap(\.headerBytes).max(),
                wireGuardBytes: packets.map(wireGuard).reduce(0, +), overheadMost: overheadMost)
        }
        /// Delivers all, and insists that it came out whole.
        func settle(_ expected: [[UInt8]]) throws {
            pair.exchange()
            let delivered = pair.takeDelivered()
            let isWhole = delivered.map(\.bytes).elementsEqual(expected, by: TunnelPair.same)
            guard isWhole, delivered.allSatisfy({ $0.to == side.other }) else {
                throw LabFailure("the tunnel did not deliver what it was given")
            }
        }

        var rows: [WireRow] = []
        for kind in kinds {
            let sent = packets(1, kind.payloadBytes, v6: kind.v6)
            rows.append(try measure(kind.name, sent, overheadMost: kind.name == "game_64_ipv4" ? gameOverheadBar : nil))
            try settle(sent)
        }
        let batch = packets(8, 64, v6: false)
        rows.append(try measure("batch_of_8_game_64_ipv4", batch))
        try settle(batch)

        let unanswered = packets(101, 64, v6: false)
        for packet in unanswered.dropLast() { _ = try pair.send([packet], from: side) }
        let last = Array(unanswered.suffix(1))
        rows.append(try measure("game_64_ipv4_after_100_unacknowledged", last, overheadMost: gameOverheadBar))
        try settle(unanswered)
        return rows
    }

    /// Messages that carry no packet, and WireGuard's own of the same purpose.
    static func control() throws -> [WireRow] {
        let pair = try TunnelPair(relaySessionIDBytes: 2)
        func row(_ kind: String, _ datagram: TunnelPair.Datagram?, wireGuardBytes: Int?) throws -> WireRow {
            guard let datagram else { throw LabFailure("no \(kind) was sent") }
            let idBytes = datagram.headerBytes == nil ? 0 : datagram.from == .client ? 2 : 1
            return WireRow(
                kind: kind, from: datagram.from, sessionIDBytes: idBytes, innerPackets: 0, innerBytes: 0,
                datagrams: [datagram.bytes.count], headerBytes: datagram.headerBytes, wireGuardBytes: wireGuardBytes)
        }
        let handshake = pair.connecting.filter { $0.headerBytes == nil }
        // The initiator proves with an empty datagram that it has the keys.
        let keepalive = pair.connecting.first { $0.headerBytes != nil && $0.from == .client }
        _ = try pair.send([TunnelPair.packet(id: 2, from: .client, payloadBytes: 64)], from: .client)
        let feedback = pair.exchange().first { $0.from == .relay }
        return [
            try row("keepalive", keepalive, wireGuardBytes: 32),
            try row("feedback", feedback, wireGuardBytes: nil),
            try row("initiation", handshake.first, wireGuardBytes: 148),
            try row("response", handshake.dropFirst().first, wireGuardBytes: 92),
            try row("cookie_reply", try pair.cookieReply(), wireGuardBytes: 64),
        ]
    }
}
