import Glibc

/// The programs of a run. Whoever makes this calls `stopAll` in the end, however the run went.
final class ChildProcesses {
    /// Where their output goes.
    let directory: String
    private var background: [ChildProcess] = []

    init(directory: String) { self.directory = directory }

    /// Runs a program to its end, and returns what it wrote to standard output.
    @discardableResult
    func run(
        _ command: [String], as name: String? = nil, in namespace: Namespace? = nil, input: String? = nil,
        seconds: Double = 10
    ) throws -> String {
        let child = try launch(name ?? command[0], command, namespace, input, [:])
        do {
            let code = try child.wait(seconds: seconds)
            try checkBackground()
            guard code == 0 else { throw child.failure("failed with exit code \(code)") }
        } catch {
            child.stop(SIGKILL)
            throw error
        }
        return child.output
    }

    /// Starts a program that runs until it is stopped. Should it end before, the next call here says so.
    func start(
        _ name: String, _ command: [String], in namespace: Namespace? = nil, environment: [String: String] = [:]
    ) throws -> ChildProcess {
        let child = try launch(name, command, namespace, nil, environment)
        background.append(child)
        return child
    }

    /// Stops one that was started; it must end with exit code 0.
    func stop(_ child: ChildProcess, _ signal: Int32 = SIGTERM, patience: Double = 5) throws {
        try checkBackground()
        background.removeAll { $0 === child }
        let code = child.stop(signal, patience: patience)
        guard code == 0 else { throw child.failure("ended with exit code \(code)") }
    }

    /// Waits for one that was started to end by itself.
    func finish(_ child: ChildProcess, seconds: Double) throws {
        let code = try child.wait(seconds: seconds)
        background.removeAll { $0 === child }
        guard code == 0 else { throw child.failure("failed with exit code \(code)") }
    }

    /// Waits for one that was started to end by itself, well or not, and returns its exit code.
    @discardableResult
    func end(_ child: ChildProcess, seconds: Double) throws -> Int32 {
        let code = try child.wait(seconds: seconds)
        background.removeAll { $0 === child }
        return code
    }

    /// Stops one that was started, if it still runs: what comes of it is of no use any more.
    func discard(_ child: ChildProcess) {
        background.removeAll { $0 === child }
        child.stop()
    }

    /// Calls `attempt` every `interval` seconds until it gives something.
    func poll<Value>(
        _ what: String, of child: ChildProcess, seconds: Double, every interval: Double = 0.02,
        _ attempt: () throws -> Value?
    ) throws -> Value {
        var attempts = Int(seconds / interval)
        while true {
            if let value = try attempt() { return value }
            try checkBackground()
            guard attempts > 0 else { throw child.failure("never \(what), in \(Int(seconds)) s") }
            attempts -= 1
            try Signals.sleep(UInt64(interval * 1e9))
        }
    }

    func waitUntilReady(_ child: ChildProcess, seconds: Double, _ isReady: () -> Bool) throws {
        _ = try poll("was ready", of: child, seconds: seconds) { isReady() ? true : nil }
    }

    /// The youngest first.
    func stopAll() {
        while let child = background.popLast() { child.stop() }
    }

    /// Throws when a program ended that was to run on.
    func checkBackground() throws {
        guard let index = background.firstIndex(where: { !$0.isRunning && $0.exitCode != 0 }) else { return }
        let child = background.remove(at: index)
        throw child.failure("ended too early, with exit code \(child.exitCode!)")
    }

    private func launch(
        _ name: String, _ command: [String], _ namespace: Namespace?, _ input: String?, _ environment: [String: String]
    ) throws -> ChildProcess {
        try ChildProcess(
            name, (namespace?.entry ?? []) + command, streams: .files(prefix: "\(directory)/\(name)"), input: input,
            environment: environment)
    }
}
