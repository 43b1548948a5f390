/// Why the system's network could not be changed, or put back, as a sentence that says what to do.
public struct NetworkError: Error, Equatable, Sendable, CustomStringConvertible {
    public let description: String
    /// A privilege is missing.
    public let isPermission: Bool

    init(_ problem: String, remedy: String, isPermission: Bool = false) {
        description = "\(problem); \(remedy)"
        self.isPermission = isPermission
    }

    /// A command that failed.
    init(_ purpose: String, _ failure: NetworkFailure, _ command: NetworkCommand) {
        self.init(
            "cannot \(purpose): \(failure.reason)", remedy: NetworkError.remedy(failure, command),
            isPermission: failure.kind == .permission)
    }

    private static func remedy(_ failure: NetworkFailure, _ command: NetworkCommand) -> String {
        switch (failure.kind, command) {
        case (.permission, _): return "run as root or with CAP_NET_ADMIN"
        case (.programMissing, .nft): return "install the package nftables, or write nat = false in [relay]"
        case (.programMissing, _): return "install the package iproute2"
        case (.exists, _): return "remove what is there, or take this out of the configuration"
        case (_, .ip(.v6, _)): return "turn IPv6 on in this system, or take its networks out of the configuration"
        case (_, .setting(let path, let value)): return "set it before the start: sysctl \(path)=\(value)"
        case (_, .nft): return "check that this kernel has nf_tables with NAT"
        case (_, .ip): return "see whether another program changes this interface"
        }
    }
}

/// What the system said against a command.
package struct NetworkFailure: Equatable, Sendable {
    package enum Kind: Sendable {
        case permission
        case programMissing
        case exists
        /// What is to be removed is not there.
        case gone
        case other
    }

    /// Of the command, among those that ran together.
    package let index: Int
    package let kind: Kind
    package let reason: String

    package init(index: Int, kind: Kind, reason: String) {
        self.index = index
        self.kind = kind
        self.reason = reason
    }

    /// From what `ip` or `nft` printed.
    init(index: Int, message: String) {
        self.index = index
        reason = message
        let gone = [
            "No such", "Cannot find device", "Cannot assign requested address", "does not exist", "Address not found",
        ]
        if message.contains("Operation not permitted") {
            kind = .permission
        } else if message.contains("File exists") || message.contains("already assigned") {
            kind = .exists
        } else {
            kind = gone.contains(where: message.contains) ? .gone : .other
        }
    }
}
