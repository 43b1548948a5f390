import OxSimulation

/// What a whole flow costs on the wire.
struct WireFlow {
    let kind: String
    let compressesHeaders: Bool
    var packets = 0
    var innerBytes = 0
    /// Of datagrams that carry packets of the flow.
    var wireBytes = 0
    /// Of all others, both ways.
    var feedbackBytes = 0
    var wireGuardBytes = 0

    private static let rounds = 1000

    init(_ kind: HeaderFlow.Kind, compressesHeaders: Bool) {
        self.kind = "flow_\(kind.rawValue)"
        self.compressesHeaders = compressesHeaders
    }

    var result: Report.Result {
        [
            "kind": .text(kind),
            "header_compression": .flag(compressesHeaders),
            "inner_packets": .integer(UInt64(packets)),
            "inner_bytes": .integer(UInt64(innerBytes)),
            "wire_bytes": .integer(UInt64(wireBytes)),
            "wire_bytes_per_packet": .number(Double(wireBytes) / Double(packets)),
            "feedback_bytes": .integer(UInt64(feedbackBytes)),
            "wireguard_bytes_per_packet": .number(Double(wireGuardBytes) / Double(packets)),
        ]
    }

    /// Games and calls both ways at once, and a download with its acknowledgements.
    static func measure(compressesHeaders: Bool) throws -> [WireFlow] {
        var flows: [WireFlow] = []
        for kind in [HeaderFlow.Kind.game, .voice] {
            let interval = Duration.milliseconds(kind == .game ? 16 : 20)
            flows += try run(compressesHeaders, every: interval, [(kind, .client, 1), (kind, .relay, 1)]).prefix(1)
        }
        flows += try run(compressesHeaders, every: .milliseconds(1), [(.download, .relay, 2), (.acknowledgement, .client, 1)])
        return flows
    }

    /// Sends packets of these flows in turn, and insists that they come out whole.
    private static func run(
        _ compressesHeaders: Bool, every interval: Duration, _ kinds: [(HeaderFlow.Kind, TunnelPair.Side, Int)]
    ) throws -> [WireFlow] {
        let pair = try TunnelPair(relaySessionIDBytes: 2, compressesHeaders: compressesHeaders)
        var sources = kinds.map { HeaderFlow($0.0, from: $0.1) }
        var flows = kinds.map { WireFlow($0.0, compressesHeaders: compressesHeaders) }
        for _ in 0..<rounds {
            for (index, (_, side, count)) in kinds.enumerated() {
                for _ in 0..<count {
                    let packet = sources[index].next()
                    let sent = try pair.send([packet], from: side).map(\.bytes.count).reduce(0, +)
                    flows[index].packets += 1
                    flows[index].innerBytes += packet.count
                    flows[index].wireBytes += sent
                    flows[index].wireGuardBytes += WireRow.wireGuard(packet)
                    flows[index].feedbackBytes += pair.exchange(quiet: interval).map(\.bytes.count).reduce(0, +)
                    guard pair.takeDelivered().map(\.bytes).elementsEqual([packet], by: TunnelPair.same) else {
                        throw LabFailure("the tunnel did not deliver what it was given")
                    }
                }
            }
        }
        return flows
    }
}
