import OxConfiguration
import OxCore
import Synchronization
import Testing

@testable import Oxidize

/// A machine that is a list of what was done to it.
final class FakeMachine: NetworkExecutor {
    struct State {
        var log: [String] = []
        var settings: [String: String] = [:]
        /// What was added and not deleted.
        var present: [String] = []
        /// Commands that fail, and how.
        var refusals: [String: NetworkFailure.Kind] = [:]
    }

    let state = Mutex(State())

    init(settings: [String: String] = ["net/ipv4/ip_forward": "0"], refusals: [String: NetworkFailure.Kind] = [:]) {
        state.withLock {
            $0.settings = settings
            $0.refusals = refusals
        }
    }

    var log: [String] { state.withLock { $0.log } }
    var present: [String] { state.withLock { $0.present } }
    var settings: [String: String] { state.withLock { $0.settings } }

    func allow() { state.withLock { $0.refusals = [:] } }

    func run(_ commands: [NetworkCommand]) -> NetworkFailure? {
        for (index, command) in commands.enumerated() {
            if let failure = execute(command, index) { return failure }
        }
        return nil
    }

    func runAll(_ commands: [NetworkCommand]) -> [NetworkFailure] {
        commands.enumerated().compactMap { execute($1, $0) }
    }

    func settings(matching path: String) throws(NetworkFailure) -> [(path: String, value: String)] {
        let settings = settings
        if !path.contains("*") {
            guard let value = settings[path] else { throw NetworkFailure(index: 0, message: "No such file or directory") }
            return [(path, value)]
        }
        let ends = path.split(separator: "*").map(String.init)
        return settings.filter { $0.key.hasPrefix(ends[0]) && $0.key.hasSuffix(ends[1]) }
            .map { (path: $0.key, value: $0.value) }.sorted { $0.path < $1.path }
    }

    private func execute(_ command: NetworkCommand, _ index: Int) -> NetworkFailure? {
        state.withLock { state in
            let text = typed(command)
            if let kind = state.refusals[text] { return NetworkFailure(index: index, kind: kind, reason: "no") }
            state.log.append(text)
            if case .setting(let path, let value) = command {
                state.settings[path] = value
            } else if text.contains(" delete") {
                let added = text == "nft delete" ? "nft" : text.replacing(" delete ", with: " add ")
                guard let at = state.present.firstIndex(of: added) else {
                    return NetworkFailure(index: index, message: "No such process")
                }
                state.present.remove(at: at)
            } else if text == "nft" || text.contains(" add ") {
                if text != "nft" || !state.present.contains(text) { state.present.append(text) }
            }
            return nil
        }
    }
}

@Suite struct NetworkSetupTests {
    private let scratch = ScratchDirectory()
    private var directory: String { scratch.path + "/run" }
    private var journal: String { directory + "/ox0.journal" }

    private func relayPlan(nat: String = "true", peer: String = "10.8.0.2/32") throws -> NetworkPlan {
        plan(
            try configuration(
                interface: "address = [\"10.9.0.1/24\"]", relay: "nat = \(nat)", peers: ["allowed-ips = [\"\(peer)\"]"]))
    }

    @Test func `all is done in order, and undone in reverse`() throws {
        let machine = FakeMachine()
        let setup = NetworkSetup(name: "ox0", directory: directory, executor: machine)
        try setup.apply(relayPlan())
        #expect(machine.log == typed(try relayPlan()))
        #expect(try SystemFile.read(journal).contains("\"undo\""))
        let done = machine.log.count
        try setup.restore()
        #expect(
            machine.log.dropFirst(done) == [
                "nft delete", "net/ipv4/ip_forward=0", "ip -4 route delete 10.8.0.2/32 dev ox0",
                "ip -4 address delete 10.9.0.1/24 dev ox0",
            ])
        #expect(machine.present.isEmpty)
        #expect((try? SystemFile.read(journal)) == nil)
        try setup.restore()
    }

    @Test func `the journal is there before the first change, and for the owner alone`() throws {
        let machine = FakeMachine(refusals: ["ip -4 address add 10.9.0.1/24 dev ox0": .permission])
        try SystemFile.makeDirectory(directory)
        try SystemFile.replace(journal, with: "x")
        #expect(throws: NetworkError.self) {
            try NetworkSetup(name: "ox0", directory: directory, executor: machine).apply(relayPlan())
        }
        #expect(machine.log.isEmpty)
        try NetworkSetup(name: "ox0", directory: directory, executor: FakeMachine()).apply(relayPlan())
        #expect(try Subprocess.run("stat", ["-c", "%a", journal]).output == "600\n")
    }

    @Test func `a failure undoes what was done and only that`() throws {
        let machine = FakeMachine(refusals: ["ip -4 route add 10.8.0.2/32 dev ox0": .exists])
        let error = #expect(throws: NetworkError.self) {
            try NetworkSetup(name: "ox0", directory: directory, executor: machine).apply(relayPlan())
        }
        #expect(
            error?.description == "cannot add the route to 10.8.0.2/32 through ox0: no; "
                + "remove what is there, or take this out of the configuration")
        #expect(machine.log.last == "ip -4 address delete 10.9.0.1/24 dev ox0")
        #expect(!machine.log.contains { $0.contains("route delete") })
        #expect((try? SystemFile.read(journal)) == nil)
    }

    @Test func `a missing privilege and a missing program say what to do`() throws {
        let address = "ip -4 address add 10.9.0.1/24 dev ox0"
        for (command, kind, sentence) in [
            (address, .permission, "cannot add the address 10.9.0.1/24 to ox0: no; run as root or with CAP_NET_ADMIN"),
            (address, .programMissing, "cannot add the address 10.9.0.1/24 to ox0: no; install the package iproute2"),
            (
                "nft", .programMissing,
                "cannot set up NAT for ox0: no; install the package nftables, or write nat = false in [relay]"
            ),
        ] as [(String, NetworkFailure.Kind, String)] {
            let machine = FakeMachine(refusals: [command: kind])
            let error = #expect(throws: NetworkError.self) {
                try NetworkSetup(name: "ox0", directory: directory, executor: machine).apply(relayPlan())
            }
            #expect(error?.description == sentence)
            #expect(error?.isPermission == (kind == .permission))
        }
    }

    @Test func `what a killed process left is put back by the next`() throws {
        let machine = FakeMachine()
        try NetworkSetup(name: "ox0", directory: directory, executor: machine).apply(relayPlan())
        try bury("ox0")
        #expect(try NetworkSetup.recover(name: "ox0", directory: directory, executor: machine))
        #expect(machine.present.isEmpty)
        #expect(machine.settings == ["net/ipv4/ip_forward": "0"])
        #expect(try !NetworkSetup.recover(name: "ox0", directory: directory, executor: machine))
    }

    @Test func `what went with the device is no failure`() throws {
        let machine = FakeMachine()
        try NetworkSetup(name: "ox0", directory: directory, executor: machine).apply(relayPlan())
        machine.state.withLock { $0.present = ["nft"] }
        try bury("ox0")
        #expect(try NetworkSetup.recover(name: "ox0", directory: directory, executor: machine))
        #expect(machine.present.isEmpty)
    }

    @Test func `a setting that went with its interface is no failure`() throws {
        let machine = FakeMachine()
        try NetworkSetup(name: "ox0", directory: directory, executor: machine).apply(relayPlan())
        machine.state.withLock { $0.refusals = ["net/ipv4/ip_forward=0": .gone] }
        try bury("ox0")
        #expect(try NetworkSetup.recover(name: "ox0", directory: directory, executor: machine))
        #expect((try? SystemFile.read(journal)) == nil)
    }

    @Test func `what cannot be put back now stays in the journal`() throws {
        let machine = FakeMachine(refusals: ["nft delete": .permission])
        let setup = NetworkSetup(name: "ox0", directory: directory, executor: machine)
        try setup.apply(relayPlan())
        let error = #expect(throws: NetworkError.self) { try setup.restore() }
        #expect(error?.isPermission == true)
        #expect(machine.present == ["nft"])
        machine.allow()
        try bury("ox0")
        #expect(try NetworkSetup.recover(name: "ox0", directory: directory, executor: machine))
        #expect(machine.present.isEmpty)
    }

    @Test func `the journal of a process that lives is its own`() throws {
        let machine = FakeMachine()
        try NetworkSetup(name: "ox0", directory: directory, executor: machine).apply(relayPlan())
        let error = #expect(throws: NetworkError.self) {
            try NetworkSetup.recover(name: "ox0", directory: directory, executor: machine)
        }
        #expect(
            error?.description
                == "ox0 is up already, in process \(CurrentProcess.id); stop it with: oxidize down ox0")
    }

    @Test func `a journal of another namespace is not acted upon here`() throws {
        let machine = FakeMachine()
        try NetworkSetup(name: "ox0", directory: directory, executor: machine).apply(relayPlan())
        try bury("ox0", namespace: "net:[1]")
        let done = machine.log.count
        #expect(try !NetworkSetup.recover(name: "ox0", directory: directory, executor: machine))
        #expect(machine.log.count == done)
    }

    @Test func `a setting that is right already is left alone for ever`() throws {
        let machine = FakeMachine(settings: ["net/ipv4/ip_forward": "1"])
        let setup = NetworkSetup(name: "ox0", directory: directory, executor: machine)
        try setup.apply(relayPlan())
        try setup.restore()
        #expect(!machine.log.contains { $0.contains("ip_forward") })
    }

    @Test func `the last of two relays takes a shared setting back`() throws {
        let machine = FakeMachine()
        let first = NetworkSetup(name: "ox0", directory: directory, executor: machine)
        let second = NetworkSetup(name: "ox1", directory: directory, executor: machine)
        try first.apply(relayPlan())
        try second.apply(relayPlan())
        try first.restore()
        #expect(machine.settings == ["net/ipv4/ip_forward": "1"])
        try second.restore()
        #expect(machine.settings == ["net/ipv4/ip_forward": "0"])
    }

    @Test func `only settings with the value that is to change do`() throws {
        let before = [
            "net/ipv6/conf/all/forwarding": "0", "net/ipv6/conf/eth0/accept_ra": "1",
            "net/ipv6/conf/eth1/accept_ra": "0",
        ]
        let machine = FakeMachine(settings: before)
        let setup = NetworkSetup(name: "ox0", directory: directory, executor: machine)
        try setup.apply(plan(configuration(interface: "address = [\"fd00::1/64\"]", relay: "nat = false", peers: [])))
        #expect(machine.settings["net/ipv6/conf/eth0/accept_ra"] == "2")
        #expect(machine.settings["net/ipv6/conf/eth1/accept_ra"] == "0")
        try setup.restore()
        #expect(machine.settings == before)
    }

    @Test func `a reload touches the difference alone`() throws {
        let machine = FakeMachine()
        let setup = NetworkSetup(name: "ox0", directory: directory, executor: machine)
        try setup.apply(relayPlan())
        let done = machine.log.count
        try setup.replace(relayPlan(), with: relayPlan(peer: "10.8.0.3/32"))
        #expect(
            machine.log.dropFirst(done) == [
                "ip -4 route add 10.8.0.3/32 dev ox0", "ip -4 route delete 10.8.0.2/32 dev ox0",
            ])
        try setup.restore()
        #expect(machine.present.isEmpty)
    }

    @Test func `NAT for other interfaces takes the old one's place and is not deleted with it`() throws {
        let machine = FakeMachine()
        let setup = NetworkSetup(name: "ox0", directory: directory, executor: machine)
        try setup.apply(relayPlan())
        try setup.replace(relayPlan(), with: relayPlan(nat: "[\"eth0\"]"))
        #expect(machine.present.contains("nft"))
        try setup.replace(relayPlan(nat: "[\"eth0\"]"), with: relayPlan(nat: "false"))
        #expect(!machine.present.contains("nft"))
    }

    @Test func `a reload that fails leaves all as it was`() throws {
        let machine = FakeMachine(refusals: ["ip -4 route add 10.8.0.3/32 dev ox0": .other])
        let setup = NetworkSetup(name: "ox0", directory: directory, executor: machine)
        try setup.apply(relayPlan())
        let (before, written) = (machine.present, try SystemFile.read(journal))
        #expect(throws: NetworkError.self) {
            try setup.replace(relayPlan(), with: relayPlan(peer: "10.8.0.3/32"))
        }
        #expect(machine.present == before)
        #expect(try SystemFile.read(journal) == written)
    }

    @Test func `a plan without the mark that it needs asks for a restart`() throws {
        let machine = FakeMachine()
        let setup = NetworkSetup(name: "ox0", directory: directory, executor: machine)
        let configuration = try configuration(
            peers: ["endpoint = \"192.0.2.1:1\"\nallowed-ips = [\"0.0.0.0/0\"]"])
        let error = #expect(throws: NetworkError.self) {
            try setup.apply(NetworkPlan(configuration, device: "ox0", mark: nil))
        }
        #expect(error?.description.hasSuffix("restart the tunnel") == true)
        #expect(machine.log.isEmpty)
    }

    @Test func `a journal that is no journal is an error with a remedy`() throws {
        try SystemFile.makeDirectory(directory)
        try SystemFile.replace(journal, with: "{")
        let error = #expect(throws: NetworkError.self) {
            try NetworkSetup.recover(name: "ox0", directory: directory, executor: FakeMachine())
        }
        #expect(error?.description.hasSuffix("check routes and rules, and remove it") == true)
    }

    @Test func `what ip says of a batch names the commands`() {
        let words = """
            RTNETLINK answers: File exists
            Command failed -:2
            Cannot find device "ox9"
            Command failed -:7
            """
        let failures = SystemExecutor.batchFailures(words)
        #expect(failures.map(\.line) == [2, 7])
        #expect(failures.map(\.message) == ["File exists", "Cannot find device \"ox9\""])
        #expect(NetworkFailure(index: 0, message: "File exists").kind == .exists)
        #expect(NetworkFailure(index: 0, message: "Cannot find device \"ox9\"").kind == .gone)
        #expect(NetworkFailure(index: 0, message: "Operation not permitted").kind == .permission)
    }

    /// As if the process that wrote the journal had been killed.
    private func bury(_ name: String, namespace: String? = nil) throws {
        let path = NetworkJournal.path(name, directory)
        var journal = try #require(try NetworkJournal.read(path))
        journal.owner.startTicks += 1
        if let namespace { journal.owner.namespace = namespace }
        try journal.write(path, in: directory)
    }
}

/// A directory for one test.
final class ScratchDirectory {
    let path: String

    init() {
        let made = try? Subprocess.run("mktemp", ["-d"])
        path = made?.output.split(separator: "\n").first.map(String.init) ?? ""
        precondition(!path.isEmpty, "mktemp makes a directory")
    }

    deinit { _ = try? Subprocess.run("rm", ["-rf", path]) }
}
