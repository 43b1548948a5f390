import OxModel

/// One change of the system's network, as a value: something to do, or to undo.
package enum NetworkCommand: Hashable, Codable, Sendable {
    package enum Family: String, Codable, Sendable {
        case v4, v6

        init(_ address: IPAddress) { self = address.isV4 ? .v4 : .v6 }

        /// The option of `ip`.
        var option: String { self == .v4 ? "-4" : "-6" }
    }

    /// Arguments of iproute2's `ip`, without the option for the family.
    case ip(Family, arguments: [String])
    /// What `nft -f` reads: one transaction.
    case nft(script: String)
    /// A file below /proc/sys.
    case setting(path: String, value: String)
}

/// A change that a plan makes, and how it is taken back.
package struct NetworkStep: Hashable, Sendable {
    /// What follows "cannot": "add the address 10.9.0.1/24 to ox0".
    package let purpose: String
    package let change: Change
    /// Nil for what goes with the device, and for a setting: its former value is not known before it is read.
    package let undo: NetworkCommand?

    package enum Change: Hashable, Sendable {
        case command(NetworkCommand)
        /// Gives `new` to each setting that is `old`. A "*" in the path stands for any one component.
        case settings(path: String, old: String, new: String)
    }

    init(_ purpose: String, _ command: NetworkCommand, undo: NetworkCommand?) {
        self.purpose = purpose
        change = .command(command)
        self.undo = undo
    }

    init(_ purpose: String, settings path: String, from old: String, to new: String) {
        self.purpose = purpose
        change = .settings(path: path, old: old, new: new)
        undo = nil
    }
}
