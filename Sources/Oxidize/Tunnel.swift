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
        /// Of the tunnel's own datagrams.
        let mark: UInt32?
        /// What names meant at the start.
        let endpoints: ResolvedEndpoints
        let aeads: AEADChoice

        func plan(of configuration: Configuration) -> NetworkPlan {
            NetworkPlan(configuration, endpoints: endpoints, device: interface, mark: mark)
        }
    }

    private enum Phase {
        case new, starting
        case running(Parts)
        case ended
    }

    private struct Life {
        var phase = Phase.new
        var configuration: Configuration

        var parts: Parts? { if case .running(let parts) = phase { parts } else { nil } }
    }

    private let life: Mutex<Life>
    private let logger: Logger
    private let ended: WakeFlag
    private let stateDirectory: String

    init(
        _ role: Configuration.Role, _ configuration: Configuration, logger: Logger, stateDirectory: String
    ) throws(TunnelError) {
        switch (role, configuration.role) {
        case (.relay, .client):
            throw TunnelError(.configuration, "the file has no [relay] table, so it is a client's: run 'oxidize client'")
        case (.client, .relay):
            throw TunnelError(.configuration, "the file has a [relay] table, so it is a relay's: run 'oxidize relay'")
        case (.relay, .relay), (.client, .client): break
        }
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

    /// Looks up the peers' names, opens the device and the port, changes routes as configured, and runs until `stop`.
    ///
    /// May be called again after it has failed; once a tunnel has run, it does not run again.
    public func start() throws(TunnelError) {
        let configuration = try begin()
        do {
            let parts = try run(configuration)
            life.withLock {
                $0.phase = .running(parts)
                // The keys are in locked memory now; nothing else keeps them.
                $0.configuration = configuration.withoutSecrets()
            }
            logger.info("\(configuration.role.rawValue) up on \(parts.interface), UDP port \(parts.port)")
        } catch {
            life.withLock { $0.phase = .new }
            throw error
        }
    }

    private func begin() throws(TunnelError) -> Configuration {
        try life.withLock { life throws(TunnelError) in
            switch life.phase {
            case .new: break
            case .starting, .running: throw TunnelError(.system, "the tunnel runs already")
            case .ended:
                throw TunnelError(
                    .configuration, "the tunnel has ended, and its keys are gone: make a new one from the configuration")
            }
            life.phase = .starting
            return life.configuration
        }
    }

    private func run(_ configuration: Configuration) throws(TunnelError) -> Parts {
        let started = SystemClock.now()
        do {
            let features = configuration.features
            Core.leaveOut(ipsecMB: features.ipsecMB == .off, simd: features.simd == .off)
            let aeads = try AEADChoice.measured(configuration.features.aesGCM)
            let plan = try WorkerPlan(configuration, allowed: Machine.allowedCPUs())
            let settings = try NodeSettings(configuration, aeads: aeads.offered, workers: plan.count)
            try recover(configuration.interface.name)
            let names = configuration.peers.compactMap(\.endpoint).filter { $0.address == nil }.map(\.host)
            if !names.isEmpty { logger.info("looking up \(Set(names).sorted().joined(separator: ", "))") }
            let endpoints = try EndpointLookup().addresses(configuration)
            let mark = NetworkPlan.mark(for: configuration, endpoints: endpoints)
            let opened = try Tunnel.open(configuration, plan, mark: mark)
            let inbox = try ControlInbox()
            let node = try Node(
                settings, workers: opened.workers, random: SystemRandomNumberGenerator(), logger: logger, now: started,
                resolve: Tunnel.resolver(inbox))
            let setup = try setUp(
                NetworkPlan(configuration, endpoints: endpoints, device: opened.device, mark: mark),
                name: configuration.interface.name)
            let loop = ControlLoop(node: node, inbox: inbox, setup: setup, logger: logger, ended: ended)
            do {
                return Parts(
                    inbox: inbox, control: try loop.start(addresses: endpoints), interface: opened.device,
                    port: opened.port, mark: mark, endpoints: endpoints, aeads: aeads)
            } catch {
                do { try setup.restore() } catch { logger.error("\(error)") }
                throw error
            }
        } catch let error as CoreError {
            throw TunnelError(error)
        } catch let error as TunnelError {
            throw error
        } catch {
            throw TunnelError(.system, "\(error)")
        }
    }

    /// A queue of the device and a UDP port for each worker.
    private static func open(
        _ configuration: Configuration, _ plan: WorkerPlan, mark: UInt32?
    ) throws(CoreError) -> (workers: [WorkerSetup], device: String, port: UInt16) {
        let interface = configuration.interface
        let offload = configuration.features.offload != .off
        let first = try Port.tun(name: interface.name, offload: offload)
        var devices = [first.port]
        for _ in 0..<plan.count - 1 { devices.append(try Port.tun(name: first.name, offload: offload).port) }
        let network = try Port.udp(
            Port.UDPOptions(
                port: interface.listenPort, mark: mark, offload: offload,
                busyPoll: interface.busyPoll.map { UInt32($0.wholeNanoseconds / 1000) } ?? 0, workers: plan.count))
        let memory = plan.memory(configuration)
        let workers = (0..<plan.count).map { index in
            WorkerSetup(
                device: devices[index], network: network.ports[index], memory: memory[index],
                busyPoll: interface.busyPoll, cpu: plan.cpus[index])
        }
        return (workers, first.name, network.number)
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
        life.withLock { $0.phase = .ended }
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

    private func setUp(_ plan: NetworkPlan, name: String) throws(TunnelError) -> NetworkSetup {
        let setup = NetworkSetup(name: name, directory: stateDirectory)
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
                inbox.post { node, now in node.resolved(peer, endpoint, addresses, now: now) }
            }
            if thread == nil { inbox.post { node, now in node.resolved(peer, endpoint, [], now: now) } }
        }
    }

    // MARK: Requests

    /// Runs on the control thread; nil when the tunnel has ended or does not answer. Without a timeout the answer is waited
    /// for, and comes even if the tunnel ends meanwhile.
    func ask<Value: Sendable>(
        timeout: Duration? = .seconds(5), _ question: @escaping @Sendable (Node, Instant, Promise<Value>) -> Void
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
            promise.fulfil(node.status(configuration, parts, now: now))
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
        guard let parts = life.withLock({ $0.parts }) else { throw TunnelError(.system, "the tunnel does not run") }
        // However long the commands that change the routes take: once begun it is done or undone.
        let outcome = ask(timeout: nil) {
            (node: Node, now: Instant, promise: Promise<Result<Set<PublicKey>, TunnelError>>) in
            promise.fulfil(node.reload(from: old, to: new, parts, now: now))
        }
        guard let outcome else { throw TunnelError(.system, "the tunnel has ended") }
        let replaced = try outcome.get()
        life.withLock { $0.configuration = new.withoutSecrets() }
        return old.changes(to: new.withoutSecrets(), presharedKeysOf: replaced)
    }
}
