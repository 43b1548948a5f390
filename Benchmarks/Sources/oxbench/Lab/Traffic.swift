import FoundationEssentials

/// The traffic that passes from one place to another, tunnel or not.
struct Traffic {
    let children: ChildProcesses
    let oxbench: String
    let client: Namespace
    let server: Namespace
    /// The server's, by the way that is measured.
    let address: String

    // MARK: TCP

    struct Transfer: Decodable {
        struct End: Decodable {
            struct Sum: Decodable {
                let bits_per_second: Double
                let bytes: UInt64
            }
            let sum_received: Sum
            let sender_tcp_congestion: String?
        }
        let end: End
    }

    enum Amount {
        case seconds(Int)
        case bytes(Int)
    }

    /// One TCP flow of iperf3 to the server, or with `reverse` from it.
    func transfer(
        _ amount: Amount, reverse: Bool = false, congestionControl: String? = nil, omitSeconds: Int = 0,
        patience: Double = 20
    ) throws -> Transfer {
        try finish(
            begin(amount, reverse: reverse, congestionControl: congestionControl, omitSeconds: omitSeconds),
            patience: patience)
    }

    /// A transfer that goes on while something else is measured.
    struct Transferring {
        let client: ChildProcess
        let server: ChildProcess
        let seconds: Double
    }

    /// - Parameters:
    ///   - congestionControl: the kernel's, of the sender; nil for what the machine prefers.
    ///   - omitSeconds: not part of the result, and not of `amount`.
    func begin(
        _ amount: Amount, reverse: Bool = false, congestionControl: String? = nil, omitSeconds: Int = 0
    ) throws -> Transferring {
        let (arguments, seconds) =
            switch amount {
            case .seconds(let seconds): (["--time", "\(seconds)"], Double(seconds))
            case .bytes(let bytes): (["--bytes", "\(bytes)"], 0)
            }
        let server = try children.start(
            "iperf3-server", ["iperf3", "--server", "--one-off", "--forceflush", "--bind", address], in: self.server)
        try children.waitUntilReady(server, seconds: 5) { server.output.contains("listening") }
        let options =
            (reverse ? ["--reverse"] : []) + (congestionControl.map { ["--congestion", $0] } ?? [])
            + (omitSeconds > 0 ? ["--omit", "\(omitSeconds)"] : [])
        let client = try children.start(
            "iperf3", ["iperf3", "--client", address, "--json"] + arguments + options, in: self.client)
        return Transferring(client: client, server: server, seconds: seconds + Double(omitSeconds))
    }

    func finish(_ transferring: Transferring, patience: Double = 20) throws -> Transfer {
        do {
            try children.finish(transferring.client, seconds: transferring.seconds + patience)
            try children.finish(transferring.server, seconds: 10)
        } catch {
            abandon(transferring)
            throw error
        }
        return try transferring.client.decoded(as: Transfer.self)
    }

    /// Stops it where it is: what it would tell is not of interest.
    func abandon(_ transferring: Transferring) {
        children.discard(transferring.client)
        children.discard(transferring.server)
    }

    // MARK: UDP

    struct Flow {
        struct Sent: Decodable {
            let sent_packets: UInt64
            let sent_payload_bytes: UInt64
            let send_failed_packets: UInt64
            /// Beside `sent_packets`, and smaller.
            let end_packets: UInt64
            let end_payload_bytes: UInt64
            let elapsed_s: Double
        }
        struct Received: Decodable {
            let received_packets: UInt64
            let received_payload_bytes: UInt64
            /// Nil where the end of the flow got lost: nobody knows then.
            let lost_packets: UInt64?
            let loss_percent: Double?
            let delay_p50_us: Double
            let delay_p99_us: Double
            let own_socket_dropped_packets: UInt64
            /// From the first arrival to the last.
            let elapsed_s: Double?

            static let nothing = Received(
                received_packets: 0, received_payload_bytes: 0, lost_packets: nil, loss_percent: nil, delay_p50_us: 0,
                delay_p99_us: 0, own_socket_dropped_packets: 0, elapsed_s: nil)
        }
        let sent: Sent
        let received: Received

        /// The longer of the two times counts: what comes late, out of a queue, was not delivered as fast as it was sent.
        var deliveredPerSecond: Double {
            let seconds = max(sent.elapsed_s, received.elapsed_s ?? 0)
            return seconds > 0 ? Double(received.received_packets) / seconds : 0
        }

        /// The datagrams that tell the flow's end are smaller than the others. What is added to a payload on its way is the
        /// same for both, so that is what gets averaged.
        func bytesPerPacket(onLink bytes: UInt64) -> Double {
            let payload = sent.sent_payload_bytes + sent.end_payload_bytes
            let added = (Double(bytes) - Double(payload)) / Double(sent.sent_packets + sent.end_packets)
            return added + Double(sent.sent_payload_bytes) / Double(sent.sent_packets)
        }
    }

    /// A flow of oxbench to the server, or with `reverse` from it. `meanwhile` runs while it does; `afterwards` when it
    /// is sent but perhaps not received.
    ///
    /// - Parameters:
    ///   - plan: options of `oxbench flow send`.
    ///   - reverse: the client's address, to send to it from the server.
    func flow(
        _ plan: [String], seconds: Double, linger: String = "500ms", reverse: String? = nil,
        meanwhile: () throws -> Void = {}, afterwards: () throws -> Void = {}
    ) throws -> Flow {
        let ready = children.directory + "/sink.ready"
        try? FileManager.default.removeItem(atPath: ready)
        let to = "\(reverse ?? address):5000"
        let sink = try children.start(
            "flow-sink",
            [oxbench, "flow", "sink", "--listen", to, "--ready-file", ready, "--timeout", "10s", "--linger", linger, "--json"],
            in: reverse == nil ? server : client)
        try children.waitUntilReady(sink, seconds: 5) { FileManager.default.fileExists(atPath: ready) }
        let sender = try children.start(
            "flow-send", [oxbench, "flow", "send", "--to", to] + plan + ["--json"], in: reverse == nil ? client : server)
        try meanwhile()
        try children.finish(sender, seconds: seconds + 20)
        try afterwards()
        // The end of a flow that drowns may be lost, every time that it is sent: the sink then exits with 1.
        try children.end(sink, seconds: 15)
        let received = sink.output.isEmpty ? [] : try sink.results(of: Flow.Received.self)
        return Flow(sent: try sender.results(of: Flow.Sent.self)[0], received: received.first ?? .nothing)
    }

    // MARK: Ping

    /// Milliseconds of those that came back.
    func ping(count: Int, interval: Double) throws -> [Double] {
        let command = ["ping", "-n", "-c", "\(count)", "-i", "\(interval)", "-W", "3", address]
        let text = try children.run(command, as: "ping", in: client, seconds: Double(count) * (interval + 0.04) + 10)
        let times = text.split(separator: "\n").compactMap { line in
            line.firstRange(of: "time=").flatMap { Double(line[$0.upperBound...].prefix { $0 != " " }) }
        }
        guard !times.isEmpty else { throw LabFailure("ping gave no times:\n\(text)") }
        return times
    }
}
