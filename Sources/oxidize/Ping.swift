import ArgumentParser
import OxModel
import Oxidize

struct Ping: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure the round-trip time to a peer, by the tunnel's own messages.",
        discussion: "Goes on until it is interrupted, unless there is a count. Fails when nothing answers.")

    @Argument(help: "The tunnel's name.", completion: runningNames)
    var name: String

    @Argument(help: "A peer's name or public key; may be left out where there is one peer.")
    var peer: String?

    @Option(name: [.customShort("c", allowingJoined: true), .long], help: "How many times.")
    var count: Int?

    @Option(name: [.customShort("i", allowingJoined: true), .long], help: "Seconds from one to the next.")
    var interval = 1.0

    @Flag(help: "Print one JSON object at the end, and nothing before.")
    var json = false

    @OptionGroup var stateDirectory: StateDirectory

    func validate() throws {
        try checkName(name)
        guard count ?? 1 >= 1 else { throw ValidationError("The count must be 1 or more.") }
        guard interval >= 0.01, interval <= 86_400 else {
            throw ValidationError("The interval must be from 0.01 to 86400 seconds.")
        }
    }

    func run() throws {
        try Console.run {
            let client = AdminClient(name, stateDirectory: stateDirectory.path)
            var summary = PingSummary(interface: name, peer: peer)
            try PingLoop.run(client, peer: peer, count: count, interval: .seconds(interval)) { roundTrip in
                summary.add(roundTrip)
                guard !json else { return }
                let outcome = roundTrip.map { "time=\(decimal($0.inMilliseconds, 2)) ms" } ?? "no answer"
                Terminal.writeOutput("\(peer ?? name): seq=\(summary.sent) \(outcome)\n")
            }
            print(json ? AdminProtocol.json(summary, pretty: true) : summary.text)
            if summary.received == 0 {
                explain(try? client.status())
                throw ExitCode.failure
            }
        }
    }

    private func explain(_ status: TunnelStatus?) {
        let silent = status?.peers.first { peer == nil || $0.name == peer || $0.publicKey == peer }
        if let sentence = silent?.silence { Console.complain(sentence) }
    }
}

/// What came of the pings.
private struct PingSummary: Encodable {
    var interface: String
    var peer: String?
    var sent = 0
    var received = 0
    var lossPercent = 0.0
    var rttMinMs: Double?
    var rttMeanMs: Double?
    var rttMaxMs: Double?

    init(interface: String, peer: String?) {
        self.interface = interface
        self.peer = peer
    }

    mutating func add(_ roundTrip: Duration?) {
        sent += 1
        if let time = roundTrip?.inMilliseconds {
            rttMeanMs = ((rttMeanMs ?? 0) * Double(received) + time) / Double(received + 1)
            rttMinMs = min(rttMinMs ?? time, time)
            rttMaxMs = max(rttMaxMs ?? time, time)
            received += 1
        }
        lossPercent = 100 * Double(sent - received) / Double(sent)
    }

    var text: String {
        var text = "\n\(sent) sent, \(received) answered, \(decimal(lossPercent)) % lost"
        if let rttMinMs, let rttMeanMs, let rttMaxMs {
            text += "\nrtt min/mean/max = \(decimal(rttMinMs, 2))/\(decimal(rttMeanMs, 2))/\(decimal(rttMaxMs, 2)) ms"
        }
        return text
    }
}
