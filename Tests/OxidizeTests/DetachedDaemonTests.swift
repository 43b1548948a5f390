import OxCore
import OxModel
import Testing

@testable import Oxidize

/// `down` where no daemon answers.
@Suite struct DetachedDaemonTests {
    private let scratch = ScratchDirectory()
    private var directory: String { scratch.path + "/run" }
    private var daemon: DetachedDaemon {
        DetachedDaemon("ox0", configurationDirectory: scratch.path, stateDirectory: directory)
    }

    /// What a process left that changed a setting and a rule.
    private func leave(_ name: String, _ owner: NetworkJournal.Owner) throws {
        let undo: [NetworkCommand] = [
            .setting(path: "net/ipv4/ip_forward", value: "0"), .ip(.v4, arguments: ["rule", "delete", "priority", "7"]),
        ]
        try NetworkJournal(owner: owner, undo: undo).write(NetworkJournal.path(name, directory), in: directory)
    }

    private var dead: NetworkJournal.Owner {
        var owner = NetworkJournal.Owner.current
        owner.startTicks += 1
        return owner
    }

    @Test func `what a killed process left is taken back, once`() throws {
        try leave("ox0", dead)
        let machine = FakeMachine(settings: ["net/ipv4/ip_forward": "1"])
        #expect(try daemon.stop(executor: machine) == .recovered(process: CurrentProcess.id, changes: 2))
        #expect(machine.log == ["net/ipv4/ip_forward=0", "ip -4 rule delete priority 7"])
        #expect(throws: TunnelError.self) { try daemon.stop(executor: machine) }
        #expect(machine.log.count == 2)
    }

    @Test func `a zombie counts as dead`() throws {
        let pid = try Subprocess.detach("/bin/sh", ["-c", "exit 0"], output: scratch.path + "/log")
        let deadline = SystemClock.now() + .seconds(5)
        while CurrentProcess.isAlive(pid), SystemClock.now() < deadline {
            _ = Poll.wait(readable: [], timeout: .milliseconds(5))
        }
        let ticks = try #require(CurrentProcess.startTicks(of: pid))
        try leave(
            "ox0", .init(process: pid, startTicks: ticks, namespace: CurrentProcess.networkNamespace))
        #expect(try daemon.stop(executor: FakeMachine()) == .recovered(process: pid, changes: 2))
        #expect(CurrentProcess.exitCode(ofChild: pid) == 0)
    }

    @Test func `what a living process holds, or lies in another namespace, stays`() throws {
        let machine = FakeMachine()
        try leave("ox0", .current)
        let holds = #expect(throws: TunnelError.self) { try daemon.stop(executor: machine) }
        #expect(holds?.description.contains("process \(CurrentProcess.id) runs ox0 and does not answer") == true)
        var elsewhere = dead
        elsewhere.namespace = "net:[1]"
        try leave("ox0", elsewhere)
        let far = #expect(throws: TunnelError.self) { try daemon.stop(executor: machine) }
        #expect(far?.description.contains("another network namespace, net:[1]") == true)
        #expect(machine.log.isEmpty)
        #expect(try NetworkJournal.read(NetworkJournal.path("ox0", directory)) != nil)
    }
}
