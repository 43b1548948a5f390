import ArgumentParser
import OxModel
import Oxidize

struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print the state of a tunnel, or of all that run.",
        usage: "oxidize show [<name>] [--json]\noxidize show dump [<name>]",
        discussion: """
            'dump' prints a line for each peer, its fields separated by tabs: interface, public key, preshared key \
            ((hidden) or (none)), endpoint, allowed networks, time of the latest handshake in seconds since 1970 or 0, \
            bytes received, bytes sent, persistent keepalive in seconds or off, name, state, AEAD, RTT, its variance \
            and its minimum in ms, loss in percent, MTU in bytes. What is not known is (none).
            """)

    @Argument(help: "The tunnel's name; 'dump' before it for scripts.", completion: runningNames)
    var words: [String] = []

    @Flag(help: "Print JSON: an object for one tunnel, an array for all.")
    var json = false

    @OptionGroup var stateDirectory: StateDirectory

    private var dumps: Bool { words.first == "dump" }
    private var name: String? { dumps ? words.dropFirst().first : words.first }

    func validate() throws {
        guard words.count <= (dumps ? 2 : 1) else { throw ValidationError("One tunnel at most can be named.") }
        guard !(dumps && json) else { throw ValidationError("'dump' and '--json' exclude each other.") }
        if let name { try checkName(name) }
    }

    func run() throws {
        try Console.run {
            if let name {
                let status = try AdminClient(name, stateDirectory: stateDirectory.path).status()
                return json ? print(AdminProtocol.json(status, pretty: true)) : show([status])
            }
            let names = try AdminClient.running(stateDirectory: stateDirectory.path)
            let statuses = try names.map { try AdminClient($0, stateDirectory: stateDirectory.path).status() }
            if json { print(AdminProtocol.json(statuses, pretty: true)) } else { show(statuses) }
        }
    }

    private func show(_ statuses: [TunnelStatus]) {
        if dumps {
            let now = Terminal.secondsSince1970
            for status in statuses { for line in status.dump(at: now) { print(line) } }
        } else {
            print(statuses.map { $0.text(colours: Terminal.outputTakesColours) }.joined(separator: "\n"), terminator: "")
        }
    }
}

extension TunnelStatus {
    /// A line for each peer.
    fileprivate func dump(at now: Double) -> [String] {
        peers.map { peer in
            let path = peer.paths.first
            func known(_ value: Double?) -> String { value.map { decimal($0, 3) } ?? "(none)" }
            let handshake = peer.lastHandshakeAgoS.map { decimal(max(0, now - $0), 0) } ?? "0"
            let keepalive = peer.persistentKeepaliveS.map { decimal($0, 0) } ?? "off"
            return [
                interface, peer.publicKey, peer.presharedKey ? "(hidden)" : "(none)",
                path?.remoteAddress ?? peer.endpoint ?? "(none)",
                peer.allowedIps.isEmpty ? "(none)" : peer.allowedIps.joined(separator: ","), handshake,
                "\(path?.bytesReceived ?? 0)", "\(path?.bytesSent ?? 0)", keepalive, peer.name ?? "(none)", peer.state,
                peer.aead ?? "(none)", known(path?.rttMs), known(path?.rttVarianceMs), known(path?.rttMinMs),
                known(path?.lossPercent), path.map { "\($0.mtuBytes)" } ?? "(none)",
            ].joined(separator: "\t")
        }
    }
}
