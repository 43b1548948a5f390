internal import Glibc
internal import Synchronization

/// A file descriptor that is closed once: by `close`, or with its owner.
final class Descriptor: Sendable {
    let number: CInt
    private let isOpen = Atomic(true)

    init(_ number: CInt) { self.number = number }

    deinit { close() }

    /// Whether this call closed it.
    @discardableResult func close() -> Bool {
        guard isOpen.exchange(false, ordering: .acquiringAndReleasing) else { return false }
        _ = Glibc.close(number)
        return true
    }

    /// The descriptor of a system call that gives -1 and errno when it fails.
    static func of(_ number: CInt, _ attempt: @autoclosure () -> String) throws(CoreError) -> Descriptor {
        guard number >= 0 else { throw CoreError(attempt: attempt(), reason: .system(errno)) }
        return Descriptor(number)
    }

    /// Reads once, at most `limit` bytes. Nil and errno when it failed; empty at the end.
    func read(atMost limit: Int) -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: limit)
        let count = unsafe buffer.withUnsafeMutableBytes { unsafe Glibc.read(number, $0.baseAddress, $0.count) }
        guard count >= 0 else { return nil }
        return Array(buffer.prefix(count))
    }

    /// Writes all of it; false and errno when that failed.
    func write(_ bytes: [UInt8]) -> Bool {
        var done = 0
        while done < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { raw in
                unsafe Glibc.write(number, raw.baseAddress! + done, raw.count - done)
            }
            if count < 0 && errno == EINTR { continue }
            if count < 0 { return false }
            done += count
        }
        return true
    }
}
