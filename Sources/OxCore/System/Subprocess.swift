internal import COxIO
internal import Glibc

/// Other programs, run without a shell.
public enum Subprocess {
    public struct Result: Equatable, Sendable {
        /// 128 and the signal's number for a program that a signal ended.
        public var exitCode: Int32
        public var output: String
        public var errors: String

        public init(exitCode: Int32, output: String, errors: String) {
            self.exitCode = exitCode
            self.output = output
            self.errors = errors
        }
    }

    /// Runs a program to its end. It speaks English, and may administer the network if this process may.
    ///
    /// - Parameter command: a path, or a name that is looked for in PATH and in the places of system programs.
    /// - Throws: ENOENT when there is no such program.
    public static func run(
        _ command: String, _ arguments: [String], input: String? = nil
    ) throws(CoreError) -> Result {
        let attempt = "run \(command)"
        // Where the kernel refuses it, the program says for itself what it may not do.
        _ = ox_network_admin_hand_on()
        let output = try Pipe(attempt)
        let errors = try Pipe(attempt)
        let source = try inputFile(input, attempt)
        let streams = Streams(input: source.number, output: output.end.number, errors: errors.end.number)
        let environment = ["PATH=\(searchPath)", "LC_ALL=C"]
        let pid = try spawn(command, arguments, environment, streams, newSession: false, attempt)
        output.end.close()
        errors.end.close()
        let texts = collect([output.start, errors.start])
        return Result(exitCode: wait(for: pid), output: texts[0], errors: texts[1])
    }

    /// Starts a program that outlives this one and has no terminal, with this one's environment.
    ///
    /// - Parameter output: the file that what it prints is appended to.
    /// - Returns: its process number.
    public static func detach(_ path: String, _ arguments: [String], output: String) throws(CoreError) -> Int32 {
        let nothing = try Descriptor.of(unsafe open("/dev/null", O_RDONLY | O_CLOEXEC), "open /dev/null")
        let log = try Descriptor.of(
            unsafe open(output, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0o600), "open \(output)")
        let streams = Streams(input: nothing.number, output: log.number, errors: log.number)
        return try spawn(path, arguments, nil, streams, newSession: true, "run \(path)")
    }

    /// POSIX_SPAWN_SETSID, which the headers show to GNU sources alone.
    private static let newSessionFlag: CInt = 0x80

    private struct Streams {
        var input: CInt
        var output: CInt
        var errors: CInt
    }

    private struct Pipe {
        let start: Descriptor
        let end: Descriptor

        init(_ attempt: String) throws(CoreError) {
            var ends: [CInt] = [-1, -1]
            try CoreError.check(unsafe ox_pipe_open(&ends), attempt)
            start = Descriptor(ends[0])
            end = Descriptor(ends[1])
        }
    }

    /// A file in memory, and not a pipe: a program that does not read all of it blocks nobody and raises no SIGPIPE.
    private static func inputFile(_ text: String?, _ attempt: String) throws(CoreError) -> Descriptor {
        guard let text else { return try Descriptor.of(unsafe open("/dev/null", O_RDONLY | O_CLOEXEC), attempt) }
        var made: CInt = -1
        let bytes = Array(text.utf8)
        let status = unsafe bytes.withUnsafeBytes { unsafe ox_memory_file($0.baseAddress, $0.count, &made) }
        try CoreError.check(status, attempt)
        return Descriptor(made)
    }

    /// An ordinary user's PATH often lacks the places of `ip` and `nft`.
    private static var searchPath: String {
        let own = unsafe getenv("PATH").map { unsafe String(cString: $0) } ?? "/usr/local/bin:/usr/bin:/bin"
        return own + ":/usr/local/sbin:/usr/sbin:/sbin"
    }

    /// - Parameter environment: nil for this process's own.
    private static func spawn(
        _ command: String, _ arguments: [String], _ environment: [String]?, _ streams: Streams, newSession: Bool,
        _ attempt: String
    ) throws(CoreError) -> pid_t {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_adddup2(&actions, streams.input, STDIN_FILENO)
        unsafe posix_spawn_file_actions_adddup2(&actions, streams.output, STDOUT_FILENO)
        unsafe posix_spawn_file_actions_adddup2(&actions, streams.errors, STDERR_FILENO)
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        // Signals that this process blocks or ignores are the program's own affair.
        var none = sigset_t()
        unsafe sigemptyset(&none)
        var all = Signal.allButFaults
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        unsafe posix_spawnattr_setsigdefault(&attributes, &all)
        let flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | (newSession ? newSessionFlag : 0)
        unsafe posix_spawnattr_setflags(&attributes, Int16(flags))
        var pid: pid_t = 0
        for candidate in candidates(command) {
            let refused = unsafe withCStrings([command] + arguments) { argv in
                unsafe withCStrings(environment ?? []) { envp in
                    let envp = unsafe environment == nil ? UnsafePointer(ox_environment()!) : envp
                    return unsafe posix_spawn(&pid, candidate, &actions, &attributes, argv, envp)
                }
            }
            if refused == 0 { return pid }
            // A directory in PATH that this user may not enter hides nothing in those after it.
            let mayBeElsewhere = [ENOENT, EACCES, ENOTDIR].contains(refused) && candidate != command
            guard mayBeElsewhere else { throw CoreError(attempt: attempt, reason: .system(refused)) }
        }
        throw CoreError(attempt: attempt, reason: .system(ENOENT))
    }

    private static func candidates(_ command: String) -> [String] {
        if command.contains("/") { return [command] }
        return searchPath.split(separator: ":").map { "\($0)/\(command)" }
    }

    /// All that comes from the pipes until their ends, read together so that none fills up while another is waited for.
    private static func collect(_ pipes: [Descriptor]) -> [String] {
        var texts = pipes.map { _ in [UInt8]() }
        var open = Set(pipes.indices)
        while !open.isEmpty {
            let ready = Poll.wait(readable: open.map { pipes[$0].number }, timeout: nil)
            for index in open where ready.contains(pipes[index].number) {
                guard let more = pipes[index].read(atMost: 16384), !more.isEmpty else {
                    open.remove(index)
                    continue
                }
                texts[index] += more
            }
        }
        return texts.map { String(decoding: $0, as: UTF8.self) }
    }

    private static func wait(for pid: pid_t) -> Int32 {
        var status: CInt = 0
        while unsafe waitpid(pid, &status, 0) < 0 {
            precondition(errno == EINTR, "our own child is there to be waited for")
        }
        let signal = status & 0x7f
        return signal == 0 ? status >> 8 & 0xff : 128 + signal
    }

    /// An array of C strings with the nil that ends it.
    private static func withCStrings(
        _ texts: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> CInt
    ) -> CInt {
        let copies = unsafe texts.map { unsafe strdup($0) }
        defer { for unsafe copy in unsafe copies { unsafe free(copy) } }
        return unsafe (copies + [nil]).withUnsafeBufferPointer { unsafe body($0.baseAddress!) }
    }
}
