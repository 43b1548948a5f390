import ArgumentParser

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

    private static let wireGuardGo = "wireguard-go"

    func peers() throws -> [TunnelPeer] {
        var programs = [Self.wireGuardGo: Self.wireGuardGo]
        var order = Enclosure.isInstalled(Self.wireGuardGo) ? [Self.wireGuardGo] : []
        for text in commands {
            let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2 else { throw ValidationError("write --peer-cmd like NAME=PATH.") }
            guard Enclosure.isExecutable(parts[1]) else { throw ValidationError("there is no program \(parts[1]).") }
            if programs.updateValue(parts[1], forKey: parts[0]) == nil { order.append(parts[0]) }
        }
        let names = names?.split(separator: ",").map(String.init) ?? ["oxidize"] + order + ["none"]
        guard !names.isEmpty else { throw ValidationError("--peers names nobody.") }
        return try names.map { try peer($0, programs) }
    }

    private func peer(_ name: String, _ programs: [String: String]) throws -> TunnelPeer {
        if name == "none" { return TunnelPeer(name: name, kind: .none) }
        if name == "oxidize" { return TunnelPeer(name: name, kind: .oxidize(aead: aead)) }
        if let forced = TunnelPeer.AEADName.allCases.first(where: { name == "oxidize@\($0.rawValue)" }) {
            return TunnelPeer(name: name, kind: .oxidize(aead: forced))
        }
        if let program = programs[name] { return TunnelPeer(name: name, kind: .wireGuard(program: program)) }
        let known = ["oxidize"] + TunnelPeer.AEADName.allCases.map { "oxidize@\($0.rawValue)" } + programs.keys.sorted() + ["none"]
        throw ValidationError("there is no peer '\(name)'; the peers are \(known.joined(separator: ", ")).")
    }
}
