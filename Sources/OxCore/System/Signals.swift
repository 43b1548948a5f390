internal import COxIO
internal import Glibc

/// Numbers of the signals that a daemon listens to.
public enum Signal {
    public static let interrupt: CInt = SIGINT
    public static let terminate: CInt = SIGTERM
    public static let hangUp: CInt = SIGHUP

    /// Every signal but those by which the machine reports a fault of the program itself.
    static var allButFaults: sigset_t {
        var set = sigset_t()
        unsafe sigfillset(&set)
        for fault in [SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS] { unsafe sigdelset(&set, fault) }
        return set
    }
}

/// Signals as something to wait for, in place of handlers. To be made before other threads start, as they inherit that
/// the signals are blocked.
public final class SignalSource: Sendable {
    private let source: Descriptor

    public init(_ signals: [CInt]) throws(CoreError) {
        var opened: CInt = -1
        let status = unsafe signals.withUnsafeBufferPointer {
            unsafe ox_signals_open($0.baseAddress, UInt32($0.count), &opened)
        }
        try CoreError.check(status, "listen to signals")
        source = Descriptor(opened)
    }

    /// Readable while a signal is pending.
    public var descriptor: CInt { source.number }

    /// Nil when none is pending.
    public func next() -> CInt? {
        let signal = ox_signals_next(source.number)
        return signal == 0 ? nil : signal
    }
}
