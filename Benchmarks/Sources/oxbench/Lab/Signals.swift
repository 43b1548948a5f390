import CLabBase
import Glibc

/// A run that a signal ended. Not a failure, but no measurement either.
struct Interrupted: Error {
    let signal: Int32
    var exitCode: Int32 { 128 + signal }
}

/// The signals that end a run, and those that tell of ended children. They are blocked, so that they wait until a wait
/// asks for them and none interrupts what must be done whole. For a process of one thread.
enum Signals {
    static func block() {
        var awaited = self.awaited
        unsafe sigprocmask(SIG_BLOCK, &awaited, nil)
    }

    /// Returns when a child has ended, perhaps for no reason, or at the deadline (CLOCK_MONOTONIC).
    static func waitForChild(until deadline: UInt64) throws(Interrupted) {
        var awaited = self.awaited
        let now = lab_clock_ns()
        let remaining = deadline > now ? deadline - now : 0
        var timeout = timespec(
            tv_sec: Int(remaining / 1_000_000_000), tv_nsec: Int(remaining % 1_000_000_000))
        let signal = unsafe sigtimedwait(&awaited, nil, &timeout)
        if signal == SIGINT || signal == SIGTERM || signal == SIGHUP { throw Interrupted(signal: signal) }
    }

    static func sleep(_ nanoseconds: UInt64) throws(Interrupted) {
        let deadline = lab_clock_ns() + nanoseconds
        while lab_clock_ns() < deadline { try waitForChild(until: deadline) }
    }

    private static var awaited: sigset_t {
        var set = sigset_t()
        unsafe sigemptyset(&set)
        for signal in [SIGINT, SIGTERM, SIGHUP, SIGCHLD] { unsafe sigaddset(&set, signal) }
        return set
    }
}
