internal import COxIO
internal import Glibc
internal import Synchronization

/// A thread of the operating system. It takes no signals, so that those that are waited for reach who waits for them.
@safe public final class SystemThread: Sendable {
    private let thread: Mutex<pthread_t?>

    private init(_ thread: sending pthread_t) { self.thread = Mutex(thread) }

    /// - Parameter name: shown by `top -H`; its first 15 bytes are.
    public static func start(
        name: String, _ body: @escaping @Sendable () -> Void
    ) throws(CoreError) -> SystemThread {
        let box = unsafe Unmanaged.passRetained(Body(name: name, run: body))
        var before = sigset_t()
        var blocked = Signal.allButFaults
        unsafe pthread_sigmask(SIG_SETMASK, &blocked, &before)
        var made = pthread_t()
        let refused = unsafe pthread_create(
            &made, nil,
            { raw in
                let body = unsafe Unmanaged<Body>.fromOpaque(raw!).takeRetainedValue()
                unsafe ox_thread_name(body.name)
                body.run()
                return nil
            }, box.toOpaque())
        unsafe pthread_sigmask(SIG_SETMASK, &before, nil)
        guard refused == 0 else {
            unsafe box.release()
            throw CoreError(attempt: "start the thread \(name)", reason: .system(refused))
        }
        return SystemThread(made)
    }

    /// Keeps the calling thread on one CPU.
    public static func pin(to cpu: Int) throws(CoreError) {
        try CoreError.check(ox_thread_pin(UInt32(cpu)), "keep a worker on CPU \(cpu)")
    }

    /// Waits for its end. A second call returns at once.
    public func join() {
        let waited = thread.withLock { thread in
            defer { thread = nil }
            return thread
        }
        if let waited { _ = pthread_join(waited, nil) }
    }

    /// A thread that nobody joined goes on alone.
    deinit {
        let left = thread.withLock { $0 }
        if let left { _ = pthread_detach(left) }
    }

    private final class Body: Sendable {
        let name: String
        let run: @Sendable () -> Void

        init(name: String, run: @escaping @Sendable () -> Void) {
            self.name = name
            self.run = run
        }
    }
}
