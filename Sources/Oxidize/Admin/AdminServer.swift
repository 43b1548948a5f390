package import OxCore
import OxModel
import Synchronization

/// Answers the control socket, on threads of its own: a slow client keeps nobody waiting.
package final class AdminServer: Sendable {
    package typealias Handler = @Sendable (AdminRequest) -> AdminResponse

    private let listener: UnixListener
    private let handler: Handler
    private let patience: Duration
    private let stopping: WakeFlag
    private let open = Mutex(0)
    /// Those who wait for the end of the process.
    private let waiting = Mutex<[UnixConnection]>([])
    private let thread = Mutex<SystemThread?>(nil)

    /// Takes the socket; who connects waits until `start`.
    package init(
        path: String, patience: Duration = AdminProtocol.clientPatience, handler: @escaping Handler
    ) throws(CoreError) {
        listener = try UnixListener(path: path)
        self.handler = handler
        self.patience = patience
        stopping = try WakeFlag()
    }

    package func start() throws(CoreError) {
        let started = try SystemThread.start(name: "ox-admin") { self.run() }
        thread.withLock { $0 = started }
    }

    /// Accepts nobody any more, and removes the socket.
    package func stop() {
        stopping.signal()
        thread.withLock { $0 }?.join()
        listener.close()
    }

    private func run() {
        while true {
            let ready = Poll.wait(readable: [listener.descriptor, stopping.descriptor], timeout: nil)
            if ready.contains(stopping.descriptor) { return }
            guard ready.contains(listener.descriptor) else { continue }
            do {
                if let connection = try listener.accept() { begin(connection) }
            } catch {
                // Out of descriptors, say: that passes, and must not become a loop that does nothing else.
                _ = Poll.wait(readable: [stopping.descriptor], timeout: .milliseconds(100))
            }
        }
    }

    private func begin(_ connection: UnixConnection) {
        let accepted = open.withLock { count in
            guard count < AdminProtocol.connections else { return false }
            count += 1
            return true
        }
        guard accepted else { return answer(connection, AdminResponse(error: "too many clients at a time: try again"), .zero) }
        let thread = try? SystemThread.start(name: "ox-admin-client") {
            self.serve(connection)
            self.open.withLock { $0 -= 1 }
        }
        if thread == nil { open.withLock { $0 -= 1 } }
    }

    private func serve(_ connection: UnixConnection) {
        guard let user = connection.peerUserID, user == 0 || user == CurrentProcess.userID else {
            return answer(connection, AdminResponse(error: "only root may do that"), patience)
        }
        let line: String
        do {
            guard let read = try connection.readLine(limit: AdminProtocol.requestLimit, timeout: patience) else { return }
            line = read
        } catch {
            return answer(connection, AdminResponse(error: "the request is too long, or did not come in time"), .zero)
        }
        switch AdminProtocol.read(request: line) {
        case .refusal(let response): answer(connection, response, patience)
        case .request(let request):
            answer(connection, handler(request), patience)
            if request.command == .stop { waiting.withLock { $0.append(connection) } }
        }
    }

    /// A client that does not take its answer gets none.
    private func answer(_ connection: UnixConnection, _ response: AdminResponse, _ timeout: Duration) {
        try? connection.write(AdminProtocol.line(response), timeout: timeout)
    }
}
