internal import Glibc

/// This process, and whether others live.
public enum CurrentProcess {
    public static var id: Int32 { getpid() }

    public static func isAlive(_ pid: Int32) -> Bool {
        pid > 0 && (kill(pid, 0) == 0 || errno == EPERM)
    }

    /// When a process began, in ticks since the boot: with its number, a name that no later process gets. Nil for one
    /// that does not exist.
    public static func startTicks(of pid: Int32) -> UInt64? {
        guard let text = try? SystemFile.read("/proc/\(pid)/stat") else { return nil }
        // Field 22 (proc(5)); the second, in parentheses, may contain anything.
        guard let end = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: end)...].split(separator: " ")
        return fields.count > 19 ? UInt64(fields[19]) : nil
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
