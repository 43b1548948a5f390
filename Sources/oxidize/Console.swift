import ArgumentParser
import OxConfiguration
import OxModel
import Oxidize

/// What the commands have in common: how errors are said and what they exit with.
enum Console {
    static let permission = ExitCode(77)
    static let configuration = ExitCode(78)

    static func complain(_ sentence: String) { Terminal.writeError("oxidize: \(sentence)\n") }

    /// Runs a command; an error becomes a sentence and an exit code.
    static func run(_ body: () throws -> Void) throws {
        do {
            try body()
        } catch let error as ConfigurationErrors {
            for error in error.errors {
                if error.line == nil { complain("\(error)") } else { Terminal.writeError("\(error)\n") }
            }
            throw error.isPermission ? permission : configuration
        } catch let error as TunnelError {
            complain(error.description)
            throw exitCode(of: error)
        } catch let failure as DetachedDaemon.Failure {
            Terminal.writeError(failure.text)
            throw ExitCode(failure.exitCode)
        }
    }

    private static func exitCode(of error: TunnelError) -> ExitCode {
        switch error.kind {
        case .permission: permission
        case .configuration: configuration
        case .system: .failure
        }
    }
}

/// Where the state of running tunnels is.
struct StateDirectory: ParsableArguments {
    @Option(
        name: .customLong("state-directory"),
        help: ArgumentHelp("Where control sockets and journals are.", valueName: "directory"), completion: .directory)
    var path = TunnelDefaults.stateDirectory
}

/// Where `NAME` of `up` and `down` is looked for.
struct ConfigurationDirectory: ParsableArguments {
    @Option(
        name: .customLong("config-directory"),
        help: ArgumentHelp("Where configuration files are.", valueName: "directory"), completion: .directory)
    var path = "/etc/oxidize"
}

/// Names of running tunnels, for completions.
let runningNames = CompletionKind.custom { _, _, _ in
    (try? AdminClient.running(stateDirectory: TunnelDefaults.stateDirectory)) ?? []
}

/// A name, and not a path, so that it stays inside its directory.
func checkName(_ name: String) throws {
    let file = name.split(separator: "/").last ?? ""
    if file.hasSuffix(".toml"), file != ".toml" {
        let stem = file.dropLast(5)
        throw ValidationError(
            "'\(name)' is a file; NAME is a tunnel's name, '\(stem)' for /etc/oxidize/\(stem).toml. "
                + "--config-directory says where else files are, and 'oxidize client' and 'oxidize relay' take any file.")
    }
    guard !name.isEmpty, !name.contains("/"), !name.hasPrefix(".") else {
        throw ValidationError("'\(name)' is a path; NAME is a tunnel's name, as in /etc/oxidize/NAME.toml.")
    }
}
