internal import Glibc

/// This process, and whether others live.
public enum CurrentProcess {
    public static var id: Int32 { getpid() }

    /// False for a zombie too: it has ended, and only its parent has not noticed.
    public static func isAlive(_ pid: Int32) -> Bool {
        guard pid > 0, kill(pid, 0) == 0 || errno == EPERM else { return false }
        // Where /proc does not show it, it is another user's and may well live.
        guard let state = statistics(of: pid)?.first else { return true }
        return state != "Z" && state != "X"
    }

    /// When a process began, in ticks since the boot: with its number, a name that no later process gets. Nil for one
    /// that does not exist.
    public static func startTicks(of pid: Int32) -> UInt64? {
        guard let fields = statistics(of: pid), fields.count > 19 else { return nil }
        return UInt64(fields[19])
    }

    /// The fields of /proc/PID/stat from the third on, the state (proc_pid_stat(5)).
    private static func statistics(of pid: Int32) -> [Substring]? {
        guard let text = try? SystemFile.read("/proc/\(pid)/stat") else { return nil }
        // The second, in parentheses, may contain anything.
        guard let end = text.lastIndex(of: ")") else { return nil }
        return text[text.index(after: end)...].split(separator: " ")
    }

    /// Of the program's file.
    public static var executablePath: String { target(of: "/proc/self/exe") ?? CommandLine.arguments[0] }

    /// A name for the network namespace that this process is in. Equal names are the same namespace while it exists.
    public static var networkNamespace: String { target(of: "/proc/self/ns/net") ?? "" }

    private static func target(of link: String) -> String? {
        var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = unsafe buffer.withUnsafeMutableBytes { raw in
            unsafe readlink(link, raw.bindMemory(to: CChar.self).baseAddress!, raw.count)
        }
        return count > 0 ? String(decoding: buffer.prefix(count), as: UTF8.self) : nil
    }
}
