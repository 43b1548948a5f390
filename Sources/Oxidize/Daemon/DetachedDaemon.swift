import FoundationEssentials
package import OxConfiguration
import OxCore
import OxModel

/// A configured tunnel in the background.
package struct DetachedDaemon: Sendable {
    /// Why it did not come up.
    package struct Failure: Error, Sendable {
        /// The program's.
        package let exitCode: Int32
        /// What it wrote, or a sentence.
        package let text: String
    }

    /// Longer than a tunnel takes to look up names that do not resolve.
    private static let patience = EndpointLookup.patience + .seconds(10)
    private static let stopPatience = Duration.seconds(5)
    /// Longer than three attempts take.
    private static let handshakePatience = Duration.seconds(2)
    private static let lastLines = 10

    package let name: String
    private let file: String
    private let stateDirectory: String

    /// - Parameter name: of the file in the directory, without ".toml".
    package init(_ name: String, configurationDirectory: String, stateDirectory: String) {
        self.name = name
        file = "\(configurationDirectory)/\(name).toml"
        self.stateDirectory = stateDirectory
    }

    package func configuration() throws(ConfigurationErrors) -> Configuration { try Configuration.load(comparingKeysOf: file) }

    /// Returns when it answers.
    ///
    /// - Returns: the path of its log.
    /// - Throws: `ConfigurationErrors`, `TunnelError` or `Failure`.
    package func start() throws -> String {
        let configuration = try configuration()
        guard Capabilities.hasNetworkAdministration else {
            throw TunnelError(.permission, "a tunnel needs the capability CAP_NET_ADMIN: run as root, or grant it")
        }
        let interface = configuration.interface.name
        let client = AdminClient(interface, stateDirectory: stateDirectory)
        if client.mayRun { throw TunnelError(.system, "\(interface) is up already") }
        let log = "\(stateDirectory)/\(name).log"
        let pid: Int32
        do {
            try SystemFile.makeDirectory(stateDirectory)
            try SystemFile.remove(log)
            pid = try Subprocess.detach(
                CurrentProcess.executablePath,
                [configuration.role.rawValue, file, "--state-directory", stateDirectory], output: log)
        } catch {
            throw TunnelError(error)
        }
        let deadline = SystemClock.now() + DetachedDaemon.patience
        while SystemClock.now() < deadline {
            if let code = CurrentProcess.exitCode(ofChild: pid) { throw failure(code, log) }
            if client.mayRun, (try? client.status()) != nil { return log }
            _ = Poll.wait(readable: [], timeout: .milliseconds(20))
        }
        CurrentProcess.end(child: pid, patience: DetachedDaemon.stopPatience)
        throw stopped(log)
    }

    /// What `stop` did.
    package enum Stop: Equatable, Sendable {
        case ended
        /// The process had been killed before, and so many changes to the network that it left were taken back.
        case recovered(process: Int32, changes: Int)
    }

    /// Returns when the tunnel is down, and the network as it was before.
    package func stop(executor: any NetworkExecutor = SystemExecutor()) throws(TunnelError) -> Stop {
        let client = client
        if !client.mayRun {
            for name in Set([client.name, name]).sorted() {
                if let recovered = try recover(name, executor) { return recovered }
            }
        }
        try client.stop()
        return .ended
    }

    /// Nil when nobody left anything.
    private func recover(_ name: String, _ executor: any NetworkExecutor) throws(TunnelError) -> Stop? {
        do {
            guard let journal = try NetworkJournal.read(NetworkJournal.path(name, stateDirectory)) else { return nil }
            let process = journal.owner.process
            if journal.owner.isAlive {
                throw TunnelError(
                    .system, "process \(process) runs \(name) and does not answer: end it by 'kill \(process)', and "
                        + "try again")
            }
            guard journal.owner.namespace == CurrentProcess.networkNamespace else {
                throw TunnelError(
                    .system, "\(name) was killed in another network namespace, \(journal.owner.namespace): run 'oxidize "
                        + "down \(name)' there; if it is gone, nothing is left to take back")
            }
            try NetworkSetup.recover(name: name, directory: stateDirectory, executor: executor)
            return .recovered(process: process, changes: journal.undo.count)
        } catch let error as NetworkError {
            throw TunnelError(error.isPermission ? .permission : .system, "\(error)")
        } catch let error as TunnelError {
            throw error
        } catch {
            throw TunnelError(.system, "\(error)")
        }
    }

    /// Waits for the end of the first handshakes, a while. Returns a sentence for each peer that has not answered by then.
    package func silentPeers() -> [String] {
        let client = client
        let deadline = SystemClock.now() + DetachedDaemon.handshakePatience
        while true {
            let silent = ((try? client.status())?.peers ?? []).compactMap(\.silence)
            if silent.isEmpty || SystemClock.now() >= deadline { return silent }
            _ = Poll.wait(readable: [], timeout: .milliseconds(50))
        }
    }

    private func failure(_ code: Int32, _ log: String) -> Failure {
        let written = (try? SystemFile.read(log)) ?? ""
        return Failure(
            exitCode: code == 0 ? 1 : code,
            text: written.isEmpty ? "oxidize: \(name) ended with exit code \(code) and wrote nothing\n" : written)
    }

    private func stopped(_ log: String) -> Failure {
        let lines = ((try? SystemFile.read(log)) ?? "").split(separator: "\n").suffix(DetachedDaemon.lastLines)
        let seconds = Int(DetachedDaemon.patience.inSeconds)
        return Failure(
            exitCode: 1,
            text: "oxidize: \(name) did not come up within \(seconds) seconds and was stopped; "
                + (lines.isEmpty
                    ? "it wrote nothing\n"
                    : "the last lines of \(log):\n" + lines.map { "\($0)\n" }.joined()))
    }

    /// The client of the tunnel, whether it is called like its file or as the file says.
    package var client: AdminClient {
        let byFile = AdminClient(name, stateDirectory: stateDirectory)
        if byFile.mayRun { return byFile }
        guard let configured = try? configuration().interface.name else { return byFile }
        return AdminClient(configured, stateDirectory: stateDirectory)
    }
}
