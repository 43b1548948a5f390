import Logging
public import OxConfiguration
import OxController
import OxCore
import OxModel
import Synchronization

/// Why a tunnel cannot start or go on, as a sentence that says what to do.
public struct TunnelError: Error, Sendable, CustomStringConvertible {
    public enum Kind: Sendable {
        /// A privilege is missing.
        case permission
        case configuration
        /// The system refused something.
        case system
    }

    public let kind: Kind
    public let description: String

    public init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }

    init(_ error: CoreError) {
        self.init(
            error.isPermission ? .permission : .system,
            error.isPermission ? "\(error); run as root or with CAP_NET_ADMIN" : "\(error)")
    }
}

/// One end of a tunnel, with its threads, its clock and what it changes in the system: a `Relay` or a `Client`.
///
/// Needs CAP_NET_ADMIN. All methods may be called from any thread.
public class Tunnel: @unchecked Sendable { // not final, so unchecked: all that it stores is Sendable
    struct Parts: Sendable {
        let inbox: ControlInbox
        let control: SystemThread
        let interface: String
        let port: UInt16
    }

    private struct Life {
        var parts: Parts?
        var configuration: Configuration
        var failure: TunnelError?
    }

    private let life: Mutex<Life>
    private let logger: Logger
    private let ended: WakeFlag
    private let stateDirectory: String

    init(_ configuration: Configuration, logger: Logger, stateDirectory: String) throws(TunnelError) {
        do {
            try Core.start()
            ended = try WakeFlag()
        } catch {
            throw TunnelError(error)
        }
        self.logger = logger
        self.stateDirectory = stateDirectory
        life = Mutex(Life(configuration: configuration))
    }

    /// Readable once the tunnel has ended.
    package var endDescriptor: CInt { ended.descriptor }
    /// The TUN device's name.
    public var interface: String { life.withLock { $0.parts?.interface ?? $0.configuration.interface.name } }
    public var configuration: Configuration { life.withLock { $0.configuration } }

    // MARK: Start and stop

    /// Opens the device and the port, changes routes as configured, and runs until `stop`.
    public func start() throws(TunnelError) {
        let configuration = configuration
        let started = SystemClock.now()
        do {
            let aeads = try AEADChoice.measured(configuration.features.aesGCM)
            let settings = try NodeSettings(configuration, aeads: aeads)
            // The keys are in locked memory now; nothing else keeps them.
            life.withLock { $0.configuration = configuration.withoutSecrets() }
            try recover(configuration.interface.name)
            let mark = NetworkPlan.mark(for: configuration)
            let device = try Port.tun(name: configuration.interface.name)
            let network = try Port.udp(port: configuration.interface.listenPort, mark: mark)
            let inbox = try ControlInbox()
            let node = try Node(
                settings, device: device.port, network: network.port, random: SystemRandomNumberGenerator(),
                logger: logger, now: started, resolve: Tunnel.resolver(inbox))
            let setup = try setUp(configuration, device: device.name, mark: mark)
            let loop = ControlLoop(node: node, inbox: inbox, setup: setup, logger: logger, ended: ended)
            let control = try loop.start()
            life.withLock {
                $0.parts = Parts(inbox: inbox, control: control, interface: device.name, port: network.number)
            }
            logger.info("\(configuration.role.rawValue) up on \(device.name), UDP port \(network.number)")
        } catch let error as CoreError {
            throw TunnelError(error)
        } catch let error as TunnelError {
            throw error
        } catch {
            throw TunnelError(.system, "\(error)")
        }
    }

    /// Says goodbye to the peers, restores the system, and ends. Returns when all of that is done.
    public func stop() {
        guard let parts = life.withLock({ $0.parts }) else { return }
        parts.inbox.post { node, now in node.isStopping = true; node.shutdown(now: now) }
        waitUntilEnded()
    }

    public func waitUntilEnded() {
        guard let parts = life.withLock({ $0.parts }) else { return }
        parts.control.join()
        life.withLock { $0.parts = nil }
    }

    /// What a run before this one left behind when it was killed.
    private func recover(_ name: String) throws(TunnelError) {
        do {
            if try NetworkSetup.recover(name: name, directory: stateDirectory) {
                logger.notice("put back what an earlier run of \(name) had left changed")
            }
        } catch {
            throw TunnelError(.system, "\(error)")
        }
    }

    private func setUp(
        _ configuration: Configuration, device: String, mark: UInt32?
    ) throws(TunnelError) -> NetworkSetup {
        let plan = NetworkPlan(configuration, device: device, mark: mark)
        let setup = NetworkSetup(name: configuration.interface.name, directory: stateDirectory)
        do {
            try setup.apply(plan)
        } catch {
            throw TunnelError(error.isPermission ? .permission : .system, "\(error)")
        }
        return setup
    }

    /// Looks names up on threads of their own: the system's resolver blocks.
    private static func resolver(_ inbox: ControlInbox) -> (PeerID, Endpoint) -> Void {
        { peer, endpoint in
            let thread = try? SystemThread.start(name: "ox-resolve") {
                let addresses = (try? Resolver.addresses(host: endpoint.host, port: endpoint.port)) ?? []
                inbox.post { node, now in node.resolved(peer, addresses, now: now) }
            }
            if thread == nil { inbox.post { node, now in node.resolved(peer, [], now: now) } }
        }
    }

    // MARK: Requests

    /// Runs on the control thread; nil when the tunnel has ended or does not answer.
    func ask<Value: Sendable>(
        timeout: Duration = .seconds(5), _ question: @escaping @Sendable (Node, Instant, Promise<Value>) -> Void
    ) -> Value? {
        guard let parts = life.withLock({ $0.parts }), let promise = try? Promise<Value>() else { return nil }
        guard parts.inbox.post({ node, now in question(node, now, promise) }) else { return nil }
        return promise.wait(timeout)
    }

    /// A snapshot, or nil when the tunnel does not run.
    public func status() -> TunnelStatus? {
        guard let parts = life.withLock({ $0.parts }) else { return nil }
        let configuration = configuration
        return ask { (node: Node, now: Instant, promise: Promise<TunnelStatus>) in
            promise.fulfil(node.status(configuration, interface: parts.interface, port: parts.port, now: now))
        }
    }

    /// Nil: no answer, or no such session. The peer by its name or public key; the first one when nil.
    public func ping(_ peer: String? = nil) -> Duration? {
        let answer = ask(timeout: Node.pingTimeout + .seconds(1)) {
            (node: Node, now: Instant, promise: Promise<Duration?>) in
            guard let id = node.find(peer) else { return promise.fulfil(nil) }
            node.ping(id, token: .random(in: 0...UInt64.max), now: now) { promise.fulfil($0) }
        }
        return answer ?? nil
    }

    package func hasPeer(_ peer: String?) -> Bool {
        ask { (node: Node, _, promise: Promise<Bool>) in promise.fulfil(node.find(peer) != nil) } ?? false
    }

    /// Applies the difference to a new configuration: all of it or, with the reasons, nothing.
    public func reload(_ new: Configuration) throws(TunnelError) -> ConfigurationChange {
        let old = configuration
        let change = old.changes(to: new.withoutSecrets())
        guard change.needsRestart.isEmpty else {
            throw TunnelError(
                .configuration, change.needsRestart.map { "\($0): that needs a restart" }.joined(separator: "\n"))
        }
        let parts = life.withLock { $0.parts }
        let outcome = ask { (node: Node, now: Instant, promise: Promise<TunnelError?>) in
            promise.fulfil(node.reload(from: old, to: new, interface: parts?.interface ?? "", now: now))
        }
        guard let outcome else { throw TunnelError(.system, "the tunnel does not answer") }
        if let outcome { throw outcome }
        life.withLock { $0.configuration = new.withoutSecrets() }
        return change
    }
}
