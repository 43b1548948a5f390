import ArgumentParser
import OxConfiguration

/// Whom a command compares.
struct TunnelPeerOptions: ParsableArguments {
    @Option(
        name: .customLong("peers"),
        help: ArgumentHelp("What to compare, with commas between. Default: all that is here.", valueName: "names"))
    var names: String?

    @Option(
        name: .customLong("peer-cmd"), help: ArgumentHelp("Another wireguard-go. May be repeated.", valueName: "name=path"))
    var commands: [String] = []

    @Option(help: "What peers named oxidize prefer. Default: what they find best.")
    var aead: TunnelPeer.AEADName?

    func validate() throws { _ = try peers() }

    static let wireGuardGo = "wireguard-go"

    /// - Parameter more: compared by default as well.
    func peers(with more: [String] = []) throws -> [TunnelPeer] {
        var programs = [Self.wireGuardGo: Self.wireGuardGo]
        var order = Enclosure.isInstalled(Self.wireGuardGo) ? [Self.wireGuardGo] : []
        for text in commands {
            let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2 else { throw ValidationError("write --peer-cmd like NAME=PATH.") }
            guard Enclosure.isExecutable(parts[1]) else { throw ValidationError("there is no program \(parts[1]).") }
            if programs.updateValue(parts[1], forKey: parts[0]) == nil { order.append(parts[0]) }
        }
        let names = names?.split(separator: ",").map(String.init) ?? ["oxidize"] + more + order + ["none"]
        guard !names.isEmpty else { throw ValidationError("--peers names nobody.") }
        return try names.map { try peer($0, programs) }
    }

    private func peer(_ name: String, _ programs: [String: String]) throws -> TunnelPeer {
        if name == "none" { return TunnelPeer(name: name, kind: .none) }
        if name == "oxidize" { return TunnelPeer(name: name, kind: .oxidize(aead: aead)) }
        if let forced = TunnelPeer.AEADName.allCases.first(where: { name == "oxidize@\($0.rawValue)" }) {
            return TunnelPeer(name: name, kind: .oxidize(aead: forced))
        }
        let feature = ConfigurationKey.keys(of: .features).map(\.name).first { name == TunnelPeer.name(without: $0) }
        if let feature { return TunnelPeer(name: name, kind: .oxidize(aead: aead, without: feature)) }
        if let program = programs[name] { return TunnelPeer(name: name, kind: .wireGuard(program: program)) }
        let known = ["oxidize", TunnelPeer.name(without: "FEATURE")] + TunnelPeer.AEADName.allCases.map { "oxidize@\($0.rawValue)" } + programs.keys.sorted() + ["none"]
        throw ValidationError("there is no peer '\(name)'; the peers are \(known.joined(separator: ", ")).")
    }
}
