internal import Glibc
internal import OxModel

extension Signal {
    /// Blocked, it turns into an error of the write that raised it.
    public static let brokenPipe: CInt = SIGPIPE
}

extension CurrentProcess {
    public static var userID: UInt32 { geteuid() }

    public static func environment(_ name: String) -> String? {
        unsafe getenv(name).map { unsafe String(cString: $0) }
    }

    /// Ends the process here, with nothing put in order.
    public static func exitAtOnce(_ code: Int32) -> Never { _exit(code) }

    /// The exit code of a child that has ended, or 128 and the number of the signal that ended it. Nil while it lives.
    public static func exitCode(ofChild pid: Int32) -> Int32? {
        var status: CInt = 0
        guard unsafe waitpid(pid, &status, WNOHANG) == pid else { return nil }
        let signal = status & 0x7f
        return signal == 0 ? status >> 8 & 0xff : 128 + signal
    }

    /// Tells a child to end, and waits for its end: for `patience`, and then it is killed.
    public static func end(child pid: Int32, patience: Duration) {
        guard exitCode(ofChild: pid) == nil else { return }
        kill(pid, SIGTERM)
        let deadline = SystemClock.now() + patience
        while SystemClock.now() < deadline {
            if exitCode(ofChild: pid) != nil { return }
            _ = Poll.wait(readable: [], timeout: .milliseconds(20))
        }
        kill(pid, SIGKILL)
        while exitCode(ofChild: pid) == nil { _ = Poll.wait(readable: [], timeout: .milliseconds(20)) }
    }

    public static func isExecutable(_ path: String) -> Bool { unsafe access(path, X_OK) == 0 }

    /// Becomes another program. Returns when that is refused.
    public static func become(_ path: String, _ arguments: [String]) -> CoreError {
        var copies = unsafe ([path] + arguments).map { unsafe strdup($0) } + [nil]
        unsafe execv(path, &copies)
        return CoreError(attempt: "run \(path)", reason: .system(errno))
    }
}

extension CoreError {
    /// Another process has what was asked for.
    public var isAddressInUse: Bool { reason == .system(EADDRINUSE) }
}
