public import ArgumentParser
public import OxConfiguration
import Oxidize

extension Configuration.LogLevel: ExpressibleByArgument {}

struct DaemonArguments: ParsableArguments {
    @Argument(
        help: ArgumentHelp("Configuration, oxidize.toml(5).", valueName: "file"),
        completion: .file(extensions: ["toml"]))
    var file: String

    @Option(help: ArgumentHelp("Least level to log, instead of the file's.", valueName: "level"))
    var logLevel: Configuration.LogLevel?

    @OptionGroup var stateDirectory: StateDirectory

    func run(as role: Configuration.Role) throws {
        try Console.run {
            try Daemon.run(
                Daemon.Options(file: file, role: role, stateDirectory: stateDirectory.path, logLevel: logLevel))
        }
    }
}

struct RunRelay: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "relay", abstract: "Run a relay in the foreground.",
        discussion: "SIGINT and SIGTERM stop it, and a second one at once. SIGHUP reads the file again.")

    @OptionGroup var arguments: DaemonArguments

    func run() throws { try arguments.run(as: .relay) }
}

struct RunClient: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "client", abstract: "Run a client in the foreground.",
        discussion: "SIGINT and SIGTERM stop it, and a second one at once. SIGHUP reads the file again.")

    @OptionGroup var arguments: DaemonArguments

    func run() throws { try arguments.run(as: .client) }
}

struct Up: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Start a configured tunnel in the background.",
        discussion: """
            Returns when it is up, or with its log when it does not come up. A relay that does not answer at once is \
            called again and again while the tunnel is up.
            """)

    @Argument(help: "Name of a file in the configuration directory, without .toml.")
    var name: String

    @OptionGroup var configurationDirectory: ConfigurationDirectory
    @OptionGroup var stateDirectory: StateDirectory

    func validate() throws { try checkName(name) }

    func run() throws {
        try Console.run {
            let tunnel = DetachedDaemon(
                name, configurationDirectory: configurationDirectory.path, stateDirectory: stateDirectory.path)
            let log = try tunnel.start()
            Terminal.writeError("\(name) is up; its log is \(log)\n")
            for sentence in tunnel.silentPeers() { Console.complain(sentence) }
        }
    }
}

struct Down: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Stop a tunnel, and wait until it is down.",
        discussion: "Where its process was killed, puts back what that left changed in the network.")

    @Argument(help: "The tunnel's name.", completion: runningNames)
    var name: String

    @OptionGroup var configurationDirectory: ConfigurationDirectory
    @OptionGroup var stateDirectory: StateDirectory

    func validate() throws { try checkName(name) }

    func run() throws {
        try Console.run {
            let tunnel = DetachedDaemon(
                name, configurationDirectory: configurationDirectory.path, stateDirectory: stateDirectory.path)
            guard case .recovered(let process, let changes) = try tunnel.stop() else { return }
            Terminal.writeError(
                "\(name) was not running: its process \(process) had been killed; took back the "
                    + "\(changes) \(changes == 1 ? "change" : "changes") to the network that it left\n")
        }
    }
}

struct Reload: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make a running tunnel read its configuration again.",
        discussion: "The difference is applied whole or not at all. Prints what has changed.")

    @Argument(help: "The tunnel's name.", completion: runningNames)
    var name: String

    @OptionGroup var configurationDirectory: ConfigurationDirectory
    @OptionGroup var stateDirectory: StateDirectory

    func validate() throws { try checkName(name) }

    func run() throws {
        try Console.run {
            let tunnel = DetachedDaemon(
                name, configurationDirectory: configurationDirectory.path, stateDirectory: stateDirectory.path)
            Terminal.writeError("\(name) reloaded: \(try tunnel.client.reload())\n")
        }
    }
}

struct CheckFile: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Say what is wrong with a configuration, and do nothing else.")

    @Argument(help: "Configuration, oxidize.toml(5).", completion: .file(extensions: ["toml"]))
    var file: String

    @Flag(name: .customLong("print"), help: "Print the configuration with its defaults and without its secrets.")
    var prints = false

    func run() throws {
        try Console.run {
            let checked = try Configuration.load(comparingKeysOf: file)
            if prints { return print(checked.rendered(secrets: .redacted), terminator: "") }
            let peers = checked.peers.count
            print("\(file): ok (\(checked.role.rawValue), \(peers) \(peers == 1 ? "peer" : "peers"))")
        }
    }
}

struct Demo: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Pass real traffic through a tunnel over an emulated bad link, on this machine alone.")

    func run() throws {
        if let sentence = Companion.become("oxbench", ["demo"]) { Console.complain(sentence) }
        throw ExitCode.failure
    }
}
