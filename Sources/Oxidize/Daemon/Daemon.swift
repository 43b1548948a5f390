import Logging
package import OxConfiguration
import OxCore
import OxModel
import Synchronization

/// A tunnel as a process: from a file, under signals, with a control socket, known to systemd.
package final class Daemon: Sendable {
    package struct Options: Sendable {
        package var file: String
        package var role: Configuration.Role
        package var stateDirectory: String
        /// Stands above the file's.
        package var logLevel: Configuration.LogLevel?

        package init(
            file: String, role: Configuration.Role, stateDirectory: String, logLevel: Configuration.LogLevel? = nil
        ) {
            self.file = file
            self.role = role
            self.stateDirectory = stateDirectory
            self.logLevel = logLevel
        }
    }

    private let options: Options
    private let tunnel: Tunnel
    private let log: StandardErrorLog
    private let logger: Logger
    private let stopRequest: WakeFlag
    /// One reload at a time.
    private let reloading = Mutex(())

    /// Runs until it is told to stop. To be called before the process has other threads.
    ///
    /// - Throws: `ConfigurationErrors` or `TunnelError`.
    package static func run(_ options: Options) throws {
        do {
            let signals = try SignalSource([Signal.interrupt, Signal.terminate, Signal.hangUp, Signal.brokenPipe])
            let daemon = try Daemon(options, Configuration.load(comparingKeysOf: options.file))
            try daemon.run(signals)
        } catch let error as CoreError {
            throw TunnelError(error)
        }
    }

    private init(_ options: Options, _ configuration: Configuration) throws {
        self.options = options
        let log = StandardErrorLog((options.logLevel ?? configuration.logLevel).loggerLevel)
        self.log = log
        logger = Logger(label: "oxidize", factory: { _ in log })
        stopRequest = try WakeFlag()
        tunnel =
            switch options.role {
            case .relay: try Relay(configuration, logger: logger, stateDirectory: options.stateDirectory)
            case .client: try Client(configuration, logger: logger, stateDirectory: options.stateDirectory)
            }
        guard Capabilities.hasNetworkAdministration else {
            throw TunnelError(.permission, "a tunnel needs the capability CAP_NET_ADMIN: run as root, or grant it")
        }
    }

    private func run(_ signals: SignalSource) throws {
        // First, as it is refused where a tunnel of the same name runs.
        let server = try makeServer()
        defer { server.stop() }
        try tunnel.start()
        do {
            try server.start()
        } catch {
            tunnel.stop()
            throw error
        }
        Systemd.notify("READY=1\n\(statusLine)")
        let wasAsked = try serve(signals)
        tunnel.waitUntilEnded()
        guard wasAsked else { throw TunnelError(.system, "the tunnel ended by itself: the log says why") }
        logger.info("\(tunnel.interface) is down")
    }

    private func makeServer() throws -> AdminServer {
        let name = tunnel.interface
        do {
            return try AdminServer(path: AdminProtocol.socketPath(name, options.stateDirectory)) { self.answer($0) }
        } catch {
            if error.isAddressInUse {
                throw TunnelError(.system, "a tunnel called \(name) runs already: stop it with 'oxidize down \(name)'")
            }
            if error.isPermission {
                throw TunnelError(
                    .permission, "\(error): run as root, or name a directory of your own with --state-directory")
            }
            throw error
        }
    }

    private var statusLine: String {
        let configuration = tunnel.configuration
        let peers = configuration.peers.count
        return "STATUS=\(configuration.role.rawValue) on \(tunnel.interface), \(peers) \(peers == 1 ? "peer" : "peers")"
    }

    /// Until the tunnel has ended. Whether it was asked to.
    private func serve(_ signals: SignalSource) throws(CoreError) -> Bool {
        var stopper: SystemThread?
        while true {
            let ready = Poll.wait(
                readable: [signals.descriptor, stopRequest.descriptor, tunnel.endDescriptor], timeout: nil)
            if ready.contains(tunnel.endDescriptor) {
                stopper?.join()
                return stopper != nil
            }
            var stops = ready.contains(stopRequest.descriptor)
            if stops { stopRequest.clear() }
            while let signal = signals.next() {
                switch signal {
                case Signal.hangUp: _ = try? reload()
                case Signal.brokenPipe: continue
                default:
                    if stopper != nil { CurrentProcess.exitAtOnce(128 + signal) }
                    stops = true
                }
            }
            if stops, stopper == nil { stopper = try stop() }
        }
    }

    /// On a thread of its own, so that a second signal is heard.
    private func stop() throws(CoreError) -> SystemThread {
        Systemd.notify("STOPPING=1")
        logger.info("stopping")
        return try SystemThread.start(name: "ox-stop") { self.tunnel.stop() }
    }

    /// When it fails, the log says why, and the old configuration stays. Returns what has changed.
    @discardableResult private func reload() throws -> String {
        try reloading.withLock { _ in
            Systemd.notify("RELOADING=1")
            defer { Systemd.notify("READY=1\n\(statusLine)") }
            do {
                let new = try Configuration.load(comparingKeysOf: options.file)
                let change = try tunnel.reload(new).summary
                log.logLevel = (options.logLevel ?? new.logLevel).loggerLevel
                logger.notice("reloaded: \(change)")
                return change
            } catch {
                logger.error("not reloaded, the old configuration stays: \(error)")
                throw error
            }
        }
    }

    // MARK: Requests

    private func answer(_ request: AdminRequest) -> AdminResponse {
        switch request.command {
        case .status:
            return tunnel.status().map(AdminResponse.init(status:)) ?? AdminResponse(error: "the tunnel is ending")
        case .ping: return ping(request.peer)
        case .reload:
            do {
                return AdminResponse(change: try reload())
            } catch {
                return AdminResponse(error: "\(error)")
            }
        case .stop:
            stopRequest.signal()
            return AdminResponse()
        }
    }

    private func ping(_ peer: String?) -> AdminResponse {
        let peers = tunnel.configuration.peers
        if let peer {
            guard tunnel.hasPeer(peer) else { return AdminResponse(error: "there is no peer called '\(peer)'") }
        } else if peers.count != 1 {
            let names = peers.prefix(8).map { $0.name ?? $0.publicKey.description }.joined(separator: ", ")
            return AdminResponse(error: "there are \(peers.count) peers; name one: \(names)")
        }
        return AdminResponse(roundTrip: tunnel.ping(peer))
    }
}

extension ConfigurationChange {
    /// In a few words.
    var summary: String {
        if isEmpty { return "nothing has changed" }
        let counts = [
            (addedPeers.count, "added"), (removedPeers.count, "removed"), (changedPeers.count, "changed"),
        ]
        let peers = counts.filter { $0.0 > 0 }.map { "\($0.0) \($0.0 == 1 ? "peer" : "peers") \($0.1)" }
        return (peers + live).joined(separator: ", ")
    }
}
