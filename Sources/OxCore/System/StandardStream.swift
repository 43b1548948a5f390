internal import Glibc

/// The streams that a program is started with.
public enum StandardStream: CInt, Sendable {
    case input, output, error

    /// Does nothing where nobody listens any more.
    public func write(_ text: String) {
        let bytes = Array(text.utf8)
        var done = 0
        while done < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { raw in
                unsafe Glibc.write(rawValue, raw.baseAddress! + done, raw.count - done)
            }
            if count < 0 && errno == EINTR { continue }
            if count < 0 { return }
            done += count
        }
    }

    /// The bytes up to the end of the stream, or nil when there are more than `limit`.
    public func readAll(limit: Int) -> [UInt8]? {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = unsafe buffer.withUnsafeMutableBytes { unsafe read(rawValue, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            if count <= 0 { return bytes }
            bytes += buffer.prefix(count)
            if bytes.count > limit { return nil }
        }
    }

    public var isTerminal: Bool { isatty(rawValue) == 1 }

    /// A file that everyone may read.
    public var isWorldReadableFile: Bool {
        guard let status else { return false }
        return status.st_mode & S_IFMT == S_IFREG && status.st_mode & S_IROTH != 0
    }

    /// As systemd names it in JOURNAL_STREAM (systemd.exec(5)).
    public var journalName: String? { status.map { "\($0.st_dev):\($0.st_ino)" } }

    private var status: stat? {
        var status = stat()
        return unsafe fstat(rawValue, &status) == 0 ? status : nil
    }
}
