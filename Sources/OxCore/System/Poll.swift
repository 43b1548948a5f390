internal import Glibc
internal import OxModel

/// Waiting for descriptors.
public enum Poll {
    /// Waits until one of `readable` is (or was closed by its other side), or so long; nil: for as long as it takes. A
    /// signal may end it early. Returns those that are.
    public static func wait(readable: [CInt], timeout: Duration?) -> Set<CInt> {
        var entries = readable.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        guard wait(&entries, timeout: timeout) > 0 else { return [] }
        return Set(entries.filter { $0.revents != 0 }.map(\.fd))
    }

    /// Whether the descriptor takes bytes, or failed, within the time.
    static func wait(writable descriptor: CInt, timeout: Duration) -> Bool {
        var entries = [pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)]
        return wait(&entries, timeout: timeout) > 0
    }

    private static func wait(_ entries: inout [pollfd], timeout: Duration?) -> CInt {
        let count = nfds_t(entries.count)
        // Rounded up: who waits for a deadline finds it passed.
        let nanoseconds = max(0, timeout?.wholeNanoseconds ?? 0)
        let milliseconds = CInt(clamping: nanoseconds / 1_000_000 + (nanoseconds % 1_000_000).signum())
        return unsafe poll(&entries, count, timeout == nil ? -1 : milliseconds)
    }
}
