internal import Glibc
internal import OxModel
internal import Synchronization

/// A stream socket in the file system that others connect to.
public final class UnixListener: Sendable {
    private let socket: Descriptor
    public let path: String

    /// Takes the place of a socket whose process died; of one that answers, or a file of another kind, it does not.
    /// Directories that are missing are made.
    ///
    /// - Parameter mode: who may connect: those who may write to the file.
    public init(path: String, mode: UInt16 = 0o600) throws(CoreError) {
        let attempt = "listen at \(path)"
        if let directory = SystemFile.parent(of: path) { try SystemFile.makeDirectory(directory) }
        try UnixListener.removeStale(path, attempt)
        socket = try UnixAddress.socket(SOCK_STREAM, attempt)
        self.path = path
        let number = socket.number
        // The file gets the socket's mode less the umask, so it is at no time open to more than `mode` says.
        guard fchmod(number, mode_t(mode)) == 0,
            unsafe UnixAddress.with(path, { unsafe bind(number, $0, $1) }) == 0
        else { throw CoreError(attempt: attempt, reason: .system(errno)) }
        guard unsafe chmod(path, mode_t(mode)) == 0, listen(number, 16) == 0 else {
            let code = errno
            close()
            throw CoreError(attempt: attempt, reason: .system(code))
        }
    }

    deinit { close() }

    /// Readable while someone waits to be accepted.
    public var descriptor: CInt { socket.number }

    /// Nil when nobody waits.
    public func accept() throws(CoreError) -> UnixConnection? {
        let number = Glibc.accept(socket.number, nil, nil)
        if number >= 0 {
            let accepted = Descriptor(number)
            _ = fcntl(number, F_SETFD, FD_CLOEXEC)
            _ = fcntl(number, F_SETFL, O_NONBLOCK)
            return UnixConnection(accepted)
        }
        switch errno {
        case EAGAIN, EINTR, ECONNABORTED: return nil
        case let code: throw CoreError(attempt: "accept a connection at \(path)", reason: .system(code))
        }
    }

    /// Also removes the file.
    public func close() {
        if socket.close() { unsafe unlink(path) }
    }

    private static func removeStale(_ path: String, _ attempt: String) throws(CoreError) {
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else { throw CoreError(attempt: attempt, reason: .system(EEXIST)) }
        let probe = try UnixAddress.socket(SOCK_STREAM, attempt)
        let answered = unsafe UnixAddress.with(path) { unsafe connect(probe.number, $0, $1) }
        // EAGAIN: its process lives, and has many waiting.
        if answered == 0 || errno == EAGAIN { throw CoreError(attempt: attempt, reason: .system(EADDRINUSE)) }
        guard errno == ECONNREFUSED else { throw CoreError(attempt: attempt, reason: .system(errno)) }
        try SystemFile.remove(path)
    }
}

/// One end of a conversation in lines.
public final class UnixConnection: Sendable {
    private let socket: Descriptor
    /// Bytes that came after the line that was asked for.
    private let pending = Mutex<[UInt8]>([])

    init(_ socket: Descriptor) { self.socket = socket }

    public static func connect(path: String) throws(CoreError) -> UnixConnection {
        let socket = try UnixAddress.socket(SOCK_STREAM, "connect to \(path)")
        guard unsafe UnixAddress.with(path, { unsafe Glibc.connect(socket.number, $0, $1) }) == 0 else {
            throw CoreError(attempt: "connect to \(path)", reason: .system(errno))
        }
        return UnixConnection(socket)
    }

    public var descriptor: CInt { socket.number }

    /// The next line without its end, or what is left before the end of the stream; nil at its end. One reader at a time.
    ///
    /// - Throws: EMSGSIZE for more than `limit` bytes, ETIMEDOUT when the line is not whole in time.
    public func readLine(limit: Int, timeout: Duration) throws(CoreError) -> String? {
        let deadline = SystemClock.now() + timeout
        var bytes = pending.withLock { pending in
            defer { pending = [] }
            return pending
        }
        var searched = 0
        while true {
            if let end = bytes[searched...].firstIndex(of: UInt8(ascii: "\n")) {
                guard end <= limit else { throw failure(EMSGSIZE) }
                let rest = Array(bytes[(end + 1)...])
                pending.withLock { $0 = rest }
                return String(decoding: bytes[..<end], as: UTF8.self)
            }
            guard bytes.count <= limit else { throw failure(EMSGSIZE) }
            searched = bytes.count
            guard let more = try receive(deadline) else {
                return bytes.isEmpty ? nil : String(decoding: bytes, as: UTF8.self)
            }
            bytes += more
        }
    }

    /// Nil at the end.
    private func receive(_ deadline: Instant) throws(CoreError) -> [UInt8]? {
        while true {
            if let more = socket.read(atMost: 4096) { return more.isEmpty ? nil : more }
            switch errno {
            case EINTR: continue
            case ECONNRESET: return nil
            case EAGAIN:
                let left = deadline - SystemClock.now()
                guard left > .zero else { throw failure(ETIMEDOUT) }
                _ = Poll.wait(readable: [socket.number], timeout: left)
            case let code: throw failure(code)
            }
        }
    }

    public func write(_ text: String, timeout: Duration) throws(CoreError) {
        let deadline = SystemClock.now() + timeout
        let bytes = Array(text.utf8)
        var done = 0
        while done < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { raw in
                unsafe send(socket.number, raw.baseAddress! + done, raw.count - done, CInt(MSG_NOSIGNAL))
            }
            if count >= 0 {
                done += count
                continue
            }
            switch errno {
            case EINTR: continue
            case EAGAIN:
                let left = deadline - SystemClock.now()
                guard left > .zero else { throw failure(ETIMEDOUT) }
                _ = Poll.wait(writable: socket.number, timeout: left)
            case let code: throw failure(code)
            }
        }
    }

    /// Who is at the other end: the user of the process when it connected, or listened.
    public var peerUserID: UInt32? {
        // struct ucred: process, user, group.
        var credentials: [UInt32] = [0, 0, 0]
        var length = socklen_t(12)
        let status = unsafe getsockopt(socket.number, SOL_SOCKET, SO_PEERCRED, &credentials, &length)
        return status == 0 ? credentials[1] : nil
    }

    private func failure(_ code: CInt) -> CoreError {
        CoreError(attempt: "talk over a local socket", reason: .system(code))
    }
}
