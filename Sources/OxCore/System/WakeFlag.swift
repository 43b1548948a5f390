internal import COxIO
internal import Glibc

/// A flag that one thread waits for and any may raise.
@safe public final class WakeFlag: Sendable {
    private nonisolated(unsafe) let pointer: OpaquePointer

    public init() throws(CoreError) {
        guard let made = unsafe ox_wake_create() else {
            throw CoreError(attempt: "make a wake-up flag", reason: .system(errno))
        }
        unsafe pointer = made
    }

    deinit { unsafe ox_wake_destroy(pointer) }

    public func signal() { unsafe ox_wake_signal(pointer) }
    public func clear() { unsafe ox_wake_clear(pointer) }

    /// Readable while the flag is up.
    public var descriptor: CInt { unsafe ox_wake_descriptor(pointer) }
}
