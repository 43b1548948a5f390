public import Logging
public import OxConfiguration

public enum TunnelDefaults {
    /// Where journals and control sockets are.
    public static let stateDirectory = "/run/oxidize"
}

/// The end of a tunnel that peers come to: listens on a port, forwards, and translates addresses if told to.
///
/// ```swift
/// let relay = try Relay(Configuration.load(path: "/etc/oxidize/relay.toml"))
/// try relay.start()
/// relay.waitUntilEnded()
/// ```
public final class Relay: Tunnel, @unchecked Sendable {
    /// - Parameter stateDirectory: where the journal of changes to the system is kept, so that a run after a kill can undo them.
    public init(
        _ configuration: Configuration, logger: Logger = Logger(label: "oxidize"),
        stateDirectory: String = TunnelDefaults.stateDirectory
    ) throws(TunnelError) {
        try super.init(.relay, configuration, logger: logger, stateDirectory: stateDirectory)
    }
}

/// The end of a tunnel that begins it: knows its relay's endpoint, and sends what allowed-ips name through the tunnel.
public final class Client: Tunnel, @unchecked Sendable {
    /// - Parameter stateDirectory: where the journal of changes to the system is kept, so that a run after a kill can undo them.
    public init(
        _ configuration: Configuration, logger: Logger = Logger(label: "oxidize"),
        stateDirectory: String = TunnelDefaults.stateDirectory
    ) throws(TunnelError) {
        try super.init(.client, configuration, logger: logger, stateDirectory: stateDirectory)
    }
}
