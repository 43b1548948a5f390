import OxCore
import Synchronization

/// The changes that a running tunnel has made to the system's network.
package final class NetworkSetup: Sendable {
    /// A step that was taken, and what takes it back, in this order.
    private struct Change {
        var step: NetworkStep
        var commands: [NetworkCommand]
        var undo: [NetworkCommand]
    }

    private let name: String
    private let directory: String
    private let executor: any NetworkExecutor
    private let applied = Mutex<[Change]>([])

    private var path: String { NetworkJournal.path(name, directory) }

    /// - Parameters:
    ///   - name: the tunnel's: its journal is named after it.
    ///   - directory: where the journal is.
    package init(name: String, directory: String, executor: any NetworkExecutor = SystemExecutor()) {
        self.name = name
        self.directory = directory
        self.executor = executor
    }

    /// Makes the changes of a plan, or none.
    package func apply(_ plan: NetworkPlan) throws(NetworkError) {
        try change(removing: [], adding: plan.steps, plan)
    }

    /// Makes the difference between two plans, or nothing; what is in both is not touched.
    package func replace(_ old: NetworkPlan, with new: NetworkPlan) throws(NetworkError) {
        let (before, after) = (Set(old.steps), Set(new.steps))
        try change(removing: before.subtracting(after), adding: new.steps.filter { !before.contains($0) }, new)
    }

    /// Takes everything back. What cannot be stays in the journal, for `recover`.
    package func restore() throws(NetworkError) {
        let changes = applied.withLock { applied in
            defer { applied = [] }
            return applied
        }
        guard !changes.isEmpty else { return }
        try Self.takeBack(Self.undo(of: changes), name, directory, executor)
    }

    /// Takes back what a process that was killed has left changed. True when there was something; an error when the
    /// process is alive.
    @discardableResult package static func recover(
        name: String, directory: String, executor: any NetworkExecutor = SystemExecutor()
    ) throws(NetworkError) -> Bool {
        let path = NetworkJournal.path(name, directory)
        guard let journal = try NetworkJournal.read(path) else { return false }
        if journal.owner.isAlive {
            throw NetworkError(
                "\(name) is up already, in process \(journal.owner.process)", remedy: "stop it with: oxidize down \(name)")
        }
        // From here another namespace is out of reach, and the same commands would change the wrong one.
        guard journal.owner.namespace == CurrentProcess.networkNamespace else {
            removeJournal(path)
            return false
        }
        try takeBack(journal.undo, name, directory, executor)
        return true
    }

    // MARK: Steps

    private func change(
        removing: Set<NetworkStep>, adding steps: [NetworkStep], _ plan: NetworkPlan
    ) throws(NetworkError) {
        if plan.lacksMark {
            throw NetworkError(
                "a route of \(plan.device) needs a firewall mark on the tunnel's own packets", remedy: "restart the tunnel")
        }
        try applied.withLock { applied throws(NetworkError) in
            applied = try changed(applied, removing: removing, adding: steps)
        }
    }

    private func changed(
        _ before: [Change], removing: Set<NetworkStep>, adding steps: [NetworkStep]
    ) throws(NetworkError) -> [Change] {
        var added: [Change] = []
        let held = NetworkJournal.originals(beside: name, in: directory, ofLivingOnly: false)
        for step in steps { added.append(try resolve(step, held)) }
        try writeJournal(before + added)
        if let failure = run(added) {
            // An addition may have taken the place of what it replaces: NAT for other interfaces, another MTU.
            let replaced = before.filter { old in
                removing.contains(old.step) && added.contains { $0.step.undo == old.step.undo }
            }
            _ = executor.runAll(replaced.flatMap(\.commands))
            if before.isEmpty { Self.removeJournal(path) } else { try writeJournal(before) }
            throw failure
        }
        let kept = before.filter { !removing.contains($0.step) } + added
        let stillNeeded = Set(kept.flatMap(\.undo))
        let undo = Self.undo(of: before.filter { removing.contains($0.step) }).filter { !stillNeeded.contains($0) }
        _ = executor.runAll(Self.withoutSharedSettings(undo, name, directory))
        try writeJournal(kept)
        return kept
    }

    /// Reads what has to be known before a step is taken.
    private func resolve(_ step: NetworkStep, _ held: [String: String]) throws(NetworkError) -> Change {
        let wanted: (path: String, old: String?, new: String)
        switch step.change {
        case .settings(let path, let old, let new): wanted = (path, old, new)
        case .command(.setting(let path, let value)): wanted = (path, nil, value)
        case .command(let command): return Change(step: step, commands: [command], undo: step.undo.map { [$0] } ?? [])
        }
        var change = Change(step: step, commands: [], undo: [])
        do {
            for (path, value) in try executor.settings(matching: wanted.path) {
                if value != wanted.new, wanted.old ?? value == value {
                    change.commands.append(.setting(path: path, value: wanted.new))
                    change.undo.append(.setting(path: path, value: value))
                } else if value == wanted.new, let original = held[path] {
                    change.undo.append(.setting(path: path, value: original))
                }
            }
        } catch {
            throw NetworkError(step.purpose, error, .setting(path: wanted.path, value: wanted.new))
        }
        return change
    }

    /// Takes the steps; those taken before one that fails are taken back.
    private func run(_ changes: [Change]) -> NetworkError? {
        let commands = changes.flatMap { change in change.commands.map { (change: change, command: $0) } }
        guard let failure = executor.run(commands.map(\.command)) else { return nil }
        let failed = commands[failure.index]
        // Only what was done: a route that stood in the way is another's.
        var undo: [NetworkCommand] = []
        for (change, command) in commands[..<failure.index] {
            if case .setting(let path, _) = command {
                undo += change.undo.filter { if case .setting(path, _) = $0 { true } else { false } }
            } else {
                undo += change.undo
            }
        }
        _ = executor.runAll(undo.reversed())
        return NetworkError(failed.change.step.purpose, failure, failed.command)
    }

    private static func undo(of changes: [Change]) -> [NetworkCommand] {
        changes.reversed().flatMap { $0.undo.reversed() }
    }

    private func writeJournal(_ changes: [Change]) throws(NetworkError) {
        try NetworkJournal(owner: .current, undo: Self.undo(of: changes)).write(path, in: directory)
    }

    // MARK: Taking back

    private static func takeBack(
        _ undo: [NetworkCommand], _ name: String, _ directory: String, _ executor: any NetworkExecutor
    ) throws(NetworkError) {
        let path = NetworkJournal.path(name, directory)
        let commands = withoutSharedSettings(undo, name, directory)
        let failures = executor.runAll(commands).filter { $0.kind != .gone }
        guard let first = failures.first else { return removeJournal(path) }
        try NetworkJournal(owner: .current, undo: failures.map { commands[$0.index] }).write(path, in: directory)
        let isPermission = first.kind == .permission
        throw NetworkError(
            "cannot put the network back as it was before \(name): \(first.reason)",
            remedy: isPermission
                ? "run as root or with CAP_NET_ADMIN" : "do by hand what is left in \(path), and remove that file",
            isPermission: isPermission)
    }

    /// A setting that another tunnel relies on stays: the last of them takes it back.
    private static func withoutSharedSettings(
        _ undo: [NetworkCommand], _ name: String, _ directory: String
    ) -> [NetworkCommand] {
        let held = NetworkJournal.originals(beside: name, in: directory, ofLivingOnly: true)
        return undo.filter { command in
            guard case .setting(let path, _) = command else { return true }
            return held[path] == nil
        }
    }

    private static func removeJournal(_ path: String) {
        // One that stays does no harm: what it says is done already, and doing it again changes nothing.
        try? SystemFile.remove(path)
    }
}
