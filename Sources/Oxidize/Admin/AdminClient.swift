import FoundationEssentials
import OxCore
import OxModel

/// Talks to a running tunnel through its control socket.
package struct AdminClient: Sendable {
    package let name: String
    private let path: String

    package init(_ name: String, stateDirectory: String) {
        self.name = name
        path = AdminProtocol.socketPath(name, stateDirectory)
    }

    /// Names of the tunnels that run, in alphabetical order. A socket that a killed process left is none.
    package static func running(stateDirectory: String) throws(TunnelError) -> [String] {
        guard FileManager.default.fileExists(atPath: stateDirectory) else { return [] }
        guard let entries = try? FileManager.default.contentsOfDirectory(atPath: stateDirectory) else {
            throw TunnelError(.permission, "\(stateDirectory) may not be read: run as root")
        }
        let names = entries.filter { $0.hasSuffix(".sock") }.map { String($0.dropLast(5)) }.sorted()
        return names.filter { AdminClient($0, stateDirectory: stateDirectory).mayRun }
    }

    /// False when surely nothing listens there.
    package var mayRun: Bool {
        do {
            _ = try UnixConnection.connect(path: path)
            return true
        } catch {
            return error.isPermission
        }
    }

    package func status() throws(TunnelError) -> TunnelStatus {
        guard let status = try ask(AdminRequest(.status)).status else {
            throw TunnelError(.system, "\(name) gave an answer without a status: is it of another version?")
        }
        return status
    }

    /// Nil: nothing answered.
    package func ping(_ peer: String?) throws(TunnelError) -> Duration? {
        try ask(AdminRequest(.ping, peer: peer)).rttMs.map { .nanoseconds(Int64($0 * 1e6)) }
    }

    /// Returns what has changed, in words. Changing routes can take a while.
    package func reload() throws(TunnelError) -> String {
        try ask(AdminRequest(.reload), over: connect(), timeout: .seconds(60)).change ?? "done"
    }

    /// Returns when the process has ended.
    package func stop(timeout: Duration = .seconds(15)) throws(TunnelError) {
        let connection = try connect()
        _ = try ask(AdminRequest(.stop), over: connection, timeout: .seconds(5))
        do {
            _ = try connection.readLine(limit: AdminProtocol.requestLimit, timeout: timeout)
        } catch {
            throw TunnelError(.system, "\(name) was told to stop, and still runs after \(timeout.components.seconds) s")
        }
    }

    private func ask(_ request: AdminRequest) throws(TunnelError) -> AdminResponse {
        try ask(request, over: connect(), timeout: .seconds(10))
    }

    private func ask(
        _ request: AdminRequest, over connection: UnixConnection, timeout: Duration
    ) throws(TunnelError) -> AdminResponse {
        let line: String?
        do {
            try connection.write(AdminProtocol.line(request), timeout: timeout)
            line = try connection.readLine(limit: AdminProtocol.responseLimit, timeout: timeout)
        } catch {
            throw TunnelError(.system, "\(name) does not answer: \(error)")
        }
        guard let response = line.flatMap(AdminProtocol.read(response:)) else {
            throw TunnelError(.system, "\(name) ended the conversation without an answer")
        }
        if let sentence = response.error { throw TunnelError(.system, "\(name): \(sentence)") }
        return response
    }

    private func connect() throws(TunnelError) -> UnixConnection {
        do {
            return try UnixConnection.connect(path: path)
        } catch {
            if error.isPermission { throw TunnelError(.permission, "the control socket of \(name) is root's: run as root") }
            throw TunnelError(.system, "no tunnel called \(name) runs here: start it with 'oxidize up \(name)'")
        }
    }
}
