import Logging
import OxCore
import OxModel
import Synchronization

/// The control thread, and the workers' threads that it starts and joins.
final class ControlLoop: @unchecked Sendable {
    /// How long the last datagrams have to leave at the end.
    private static let drain = Duration.milliseconds(50)

    // Used by `start`, and then by the control thread alone: why `@unchecked Sendable` holds.
    private let node: Node
    private let setup: NetworkSetup
    private let inbox: ControlInbox
    private let logger: Logger
    private let ended: WakeFlag
    private let workersStop = Atomic<Bool>(false)

    init(node: Node, inbox: ControlInbox, setup: NetworkSetup, logger: Logger, ended: WakeFlag) {
        self.node = node
        self.inbox = inbox
        self.setup = setup
        self.logger = logger
        self.ended = ended
    }

    /// Returns when the tunnel runs.
    ///
    /// - Parameter addresses: of endpoints that are names and have been looked up.
    /// - Throws: then nothing runs, and the changes to the system are still to be undone.
    func start(addresses: ResolvedEndpoints) throws(CoreError) -> SystemThread {
        node.setup = setup
        // The first initiations carry the time.
        node.wall = SystemClock.wall()
        try node.start(addresses: addresses, now: SystemClock.now())
        var turning: [SystemThread] = []
        do {
            for (index, worker) in node.workers.enumerated() {
                let cpu = node.cpus[index]
                let name = node.workers.count == 1 ? "ox-worker" : "ox-worker-\(index)"
                turning.append(try SystemThread.start(name: name) { self.turn(worker, on: cpu) })
            }
            let threads = turning
            return try SystemThread.start(name: "ox-control") { self.run(threads) }
        } catch {
            stop(turning)
            throw error
        }
    }

    /// None turns any more when it returns: only then may any of them be freed.
    private func stop(_ turning: [SystemThread]) {
        workersStop.store(true, ordering: .releasing)
        for worker in node.workers { worker.interrupt() }
        for thread in turning { thread.join() }
    }

    private func run(_ turning: [SystemThread]) {
        decide()
        stop(turning)
        for work in inbox.close() { work(node, SystemClock.now()) }
        do {
            try setup.restore()
        } catch {
            logger.error("\(error)")
        }
        ended.signal()
    }

    /// Until the tunnel is told to stop, and then until its goodbyes have left.
    private func decide() {
        var until: Instant?
        while true {
            let now = SystemClock.now()
            for work in inbox.takeAll() { work(node, now) }
            node.control(now: now, wall: SystemClock.wall())
            if node.isStopping, until == nil { until = now + ControlLoop.drain }
            if let until, until <= now { return }
            let deadline = [node.deadline(now: now), until].compactMap { $0 }.min()
            _ = Poll.wait(
                readable: node.workers.map(\.eventDescriptor) + [inbox.wake.descriptor],
                timeout: deadline.map { max(.zero, $0 - now) })
        }
    }

    /// A worker's thread: turns while there is work, sleeps while there is none.
    private func turn(_ worker: Worker, on cpu: Int?) {
        if let cpu {
            do { try SystemThread.pin(to: cpu) } catch { logger.warning("\(error)") }
        }
        while !workersStop.load(ordering: .acquiring) {
            let now = SystemClock.now()
            let (again, next) = worker.turn(now: now)
            if again { continue }
            worker.wait(next.map { max(.zero, $0 - now) })
        }
        _ = worker.turn(now: SystemClock.now())
    }
}
