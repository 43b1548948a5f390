import CLabBase
import FoundationEssentials
import Glibc

/// A program that this process runs: in a process group of its own, so that a terminal's ^C reaches it through this
/// process alone, with the environment of this process, and with its output in files or where this process's goes.
final class ChildProcess {
    enum Streams {
        case inherited
        /// Standard output to PREFIX.out and errors to PREFIX.log, which are emptied first.
        case files(prefix: String)
    }

    let name: String
    let pid: pid_t
    private let streams: Streams
    private(set) var exitCode: Int32?

    /// - Parameter input: a file to read from; nothing when nil.
    init(
        _ name: String, _ command: [String], streams: Streams, input: String? = nil,
        environment: [String: String] = [:]
    ) throws {
        self.name = name
        self.streams = streams
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        if case .files(let prefix) = streams {
            unsafe posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, input ?? "/dev/null", O_RDONLY, 0)
            let writing = O_WRONLY | O_CREAT | O_TRUNC
            unsafe posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, prefix + ".out", writing, 0o600)
            unsafe posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, prefix + ".log", writing, 0o600)
        }
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        // What this process blocks to wait for, its children must feel.
        var none = sigset_t()
        unsafe sigemptyset(&none)
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP))

        let variables = ProcessInfo.processInfo.environment.merging(environment) { $1 }.map { "\($0)=\($1)" }
        var pid: pid_t = 0
        let refused = unsafe Self.withCStrings(command) { arguments in
            unsafe Self.withCStrings(variables) { variables in
                unsafe posix_spawnp(&pid, command[0], &actions, &attributes, arguments, variables)
            }
        }
        guard refused == 0 else {
            throw LabFailure("cannot run \(command[0]): \(unsafe String(cString: strerror(refused)))")
        }
        self.pid = pid
    }

    var isRunning: Bool {
        reap()
        return exitCode == nil
    }

    /// Waits for its end, at most so long.
    ///
    /// - Returns: its exit code, or 128 and the number of the signal that ended it.
    @discardableResult
    func wait(seconds: Double) throws -> Int32 {
        let deadline = lab_clock_ns() + UInt64(seconds * 1e9)
        while isRunning {
            guard lab_clock_ns() < deadline else { throw failure("did not end within \(Int(seconds.rounded(.up))) s") }
            try Signals.waitForChild(until: deadline)
        }
        return exitCode!
    }

    /// Asks it to end, and forces it after `patience` or with the next signal that this process gets.
    @discardableResult
    func stop(_ signal: Int32 = SIGTERM, patience seconds: Double = 5) -> Int32 {
        if isRunning {
            kill(-pid, signal)
            if let code = try? wait(seconds: seconds) { return code }
            kill(-pid, SIGKILL)
            // Nothing can keep it alive now but the kernel.
            while isRunning { lab_clock_sleep_until(lab_clock_ns() + 1_000_000) }
        }
        return exitCode!
    }

    /// What it has written to standard output so far.
    var output: String { text(".out") }

    /// A failure that ends with the last lines of what the program wrote.
    func failure(_ what: String, lines: Int = 15) -> LabFailure {
        let written = (text(".log") + text(".out")).split(separator: "\n")
        guard !written.isEmpty else { return LabFailure("\(name) \(what), and wrote nothing.") }
        let tail = written.suffix(lines).map { "    \($0)" }.joined(separator: "\n")
        return LabFailure("\(name) \(what). The last lines that it wrote:\n\(tail)")
    }

    private func text(_ suffix: String) -> String {
        guard case .files(let prefix) = streams, let data = FileManager.default.contents(atPath: prefix + suffix) else {
            return ""
        }
        return String(decoding: data, as: UTF8.self)
    }

    private func reap() {
        guard exitCode == nil else { return }
        var status: Int32 = 0
        guard unsafe waitpid(pid, &status, WNOHANG) == pid else { return }
        let signal = status & 0x7f
        exitCode = signal == 0 ? status >> 8 & 0xff : 128 + signal
    }

    /// An array of C strings with the nil that ends it.
    private static func withCStrings(
        _ texts: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Int32
    ) -> Int32 {
        let copies = unsafe texts.map { unsafe strdup($0) }
        defer { for unsafe copy in unsafe copies { unsafe free(copy) } }
        return unsafe (copies + [nil]).withUnsafeBufferPointer { unsafe body($0.baseAddress!) }
    }
}
