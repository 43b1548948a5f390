internal import Glibc

/// Small files, whole: those of /proc and /run.
public enum SystemFile {
    public static func read(_ path: String) throws(CoreError) -> String {
        let file = try Descriptor.of(unsafe open(path, O_RDONLY | O_CLOEXEC), "read \(path)")
        var bytes: [UInt8] = []
        while true {
            guard let more = file.read(atMost: 4096) else {
                throw CoreError(attempt: "read \(path)", reason: .system(errno))
            }
            if more.isEmpty { return String(decoding: bytes, as: UTF8.self) }
            bytes += more
        }
    }

    /// Writes to a file that exists, such as a setting in /proc/sys.
    public static func write(_ text: String, to path: String) throws(CoreError) {
        let file = try Descriptor.of(unsafe open(path, O_WRONLY | O_CLOEXEC), "write \(path)")
        guard file.write(Array(text.utf8)) else {
            throw CoreError(attempt: "write \(path)", reason: .system(errno))
        }
    }

    /// Puts a file in place, or in the place of another, at once and durably: no reader sees half of it.
    public static func replace(_ path: String, with text: String, mode: UInt16 = 0o600) throws(CoreError) {
        let attempt = "write \(path)"
        let temporary = "\(path).\(getpid())"
        let file = try Descriptor.of(
            unsafe open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode_t(mode)), attempt)
        let renamed = unsafe file.write(Array(text.utf8)) && fsync(file.number) == 0 && rename(temporary, path) == 0
        guard renamed else {
            let code = errno
            unsafe unlink(temporary)
            throw CoreError(attempt: attempt, reason: .system(code))
        }
    }

    /// Nothing happens when there is none.
    public static func remove(_ path: String) throws(CoreError) {
        guard unsafe unlink(path) == 0 || errno == ENOENT else {
            throw CoreError(attempt: "remove \(path)", reason: .system(errno))
        }
    }

    /// Makes a directory, and those above it, where they do not exist.
    public static func makeDirectory(_ path: String, mode: UInt16 = 0o700) throws(CoreError) {
        if unsafe path.isEmpty || mkdir(path, mode_t(mode)) == 0 || errno == EEXIST { return }
        let code = errno
        guard code == ENOENT, let parent = parent(of: path) else {
            throw CoreError(attempt: "make the directory \(path)", reason: .system(code))
        }
        try makeDirectory(parent, mode: mode)
        guard unsafe mkdir(path, mode_t(mode)) == 0 || errno == EEXIST else {
            throw CoreError(attempt: "make the directory \(path)", reason: .system(errno))
        }
    }

    /// Nil for a name without a directory, and for one in the root.
    static func parent(of path: String) -> String? {
        guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return nil }
        return String(path[..<slash])
    }
}

extension CoreError {
    /// There is no such file or program.
    public var isNotFound: Bool { reason == .system(ENOENT) }
}
