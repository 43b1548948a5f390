import ArgumentParser
import FoundationEssentials
import Glibc

/// A private network, mount table, /run and set of processes for one command, for root and, in a user namespace, for
/// everybody. The kernel takes all of it away with its first process, so nothing stays behind, however a run ends.
///
/// The command starts itself again as that first process:
///
///     func run() throws {
///         try Enclosure.run { children in ... }
///     }
enum Enclosure {
    /// The temporary directory of the command, on a file system in memory.
    static let directory = "/run/oxbench"
    private static let mark = "OXBENCH_ENCLOSED"

    /// Runs `body` inside, and ends the command with its exit code. Prints the sentence of a failure by itself.
    static func run(_ body: (ChildProcesses) throws -> Void) throws {
        Signals.block()
        addSystemPath()
        do {
            // The first process of a PID namespace is number 1.
            guard getpid() == 1, ProcessInfo.processInfo.environment[mark] != nil else { return try enter() }
            try furnish()
            let children = ChildProcesses(directory: directory)
            defer { children.stopAll() }
            try body(children)
        } catch let interrupted as Interrupted {
            throw ExitCode(interrupted.exitCode)
        }
    }

    // MARK: Outside

    private static var isRoot: Bool { geteuid() == 0 }

    /// An ordinary user's PATH often lacks the places of `ip` and `sysctl`.
    private static func addSystemPath() {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
        let system = ":/usr/local/sbin:/usr/sbin:/sbin"
        if !path.hasSuffix(system) { unsafe setenv("PATH", path + system, 1) }
    }

    private static func enter() throws {
        try checkTunDevice()
        try require(["setpriv": "util-linux", "unshare": "util-linux", "mount": "mount"])
        try probe()
        let itself = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let child = try ChildProcess(
            "oxbench", isolation + [itself] + CommandLine.arguments.dropFirst(), streams: .inherited,
            environment: [mark: "1"])
        let code: Int32
        do {
            code = try child.wait(seconds: 1e9)
        } catch let interrupted as Interrupted {
            child.stop(interrupted.signal, patience: 15)
            throw interrupted
        }
        guard code == 0 else { throw ExitCode(code) }
    }

    /// The death of this process ends unshare, and that of unshare all that is inside.
    private static var isolation: [String] {
        let user = isRoot ? [] : ["--user", "--map-root-user"]
        return ["setpriv", "--pdeathsig", "KILL", "unshare"] + user
            + ["--net", "--mount", "--pid", "--fork", "--kill-child", "--"]
    }

    /// Does what the command will have to do, for a sentence in place of a failure halfway.
    private static func probe() throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "oxbench-\(getpid())").path
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let attempt = try ChildProcess(
            "unshare", isolation + ["mount", "-t", "tmpfs", "tmpfs", "/run"], streams: .files(prefix: directory + "/probe"))
        guard try attempt.wait(seconds: 10) != 0 else { return }
        throw attempt.failure("cannot make the namespaces that this needs. \(remedy)", lines: 3)
    }

    private static var remedy: String {
        if isRoot {
            return "Root lacks CAP_SYS_ADMIN here, as in most containers: start the container with --privileged, or "
                + "run on the machine itself"
        }
        let switches = [
            (path: "kernel/unprivileged_userns_clone", refusing: "0", allowing: "1"),
            (path: "kernel/apparmor_restrict_unprivileged_userns", refusing: "1", allowing: "0"),
            (path: "user/max_user_namespaces", refusing: "0", allowing: "10000"),
        ]
        let closed = switches.filter { setting in
            let value = FileManager.default.contents(atPath: "/proc/sys/" + setting.path)
            return value.map { String(decoding: $0, as: UTF8.self) } == setting.refusing + "\n"
        }
        let commands = closed.map { "sudo sysctl \($0.path.replacing("/", with: "."))=\($0.allowing)" }
        guard !commands.isEmpty else { return "Ordinary users may not make them on this system: run it with sudo" }
        return "This system keeps ordinary users from it: run it with sudo, or allow it with: "
            + commands.joined(separator: "; ")
    }

    private static func checkTunDevice() throws {
        let descriptor = unsafe open("/dev/net/tun", O_RDWR | O_CLOEXEC)
        guard descriptor < 0 else {
            close(descriptor)
            return
        }
        let error = errno
        let reason = unsafe String(cString: strerror(error))
        if !isRoot && (error == EACCES || error == EPERM) {
            throw LabFailure(
                "may not open /dev/net/tun (\(reason)). Run it with sudo, or open the device to all users: "
                    + "sudo chmod 0666 /dev/net/tun")
        }
        switch error {
        case ENOENT, ENODEV, ENXIO:
            throw LabFailure("needs /dev/net/tun, which is not here (\(reason)). Load the module: sudo modprobe tun")
        default:
            throw LabFailure(
                "cannot open /dev/net/tun: \(reason). In a container, pass the device on: --device /dev/net/tun")
        }
    }

    // MARK: Inside

    private static func furnish() throws {
        // The probe has shown that this works.
        try ChildProcess("mount", ["mount", "-t", "tmpfs", "tmpfs", "/run"], streams: .inherited).wait(seconds: 10)
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        // Refused where a container hides parts of /proc. The old one serves, but for the numbers of processes.
        let files = ChildProcess.Streams.files(prefix: directory + "/mount")
        try ChildProcess("mount", ["mount", "-t", "proc", "proc", "/proc"], streams: files).wait(seconds: 10)
    }

    // MARK: Programs

    /// Throws when one of the programs is missing, each given with the Debian package that has it.
    static func require(_ programs: [String: String]) throws {
        addSystemPath()
        let missing = programs.filter { !isInstalled($0.key) }
        guard !missing.isEmpty else { return }
        throw LabFailure(
            "needs \(missing.keys.sorted().joined(separator: ", ")). Run 'make deps', or: "
                + "sudo apt-get install \(Set(missing.values).sorted().joined(separator: " "))")
    }

    /// Whether the path, or the name in PATH, is that of a program.
    static func isExecutable(_ program: String) -> Bool {
        program.contains("/") ? unsafe access(program, X_OK) == 0 : isInstalled(program)
    }

    /// Whether there is such a program in PATH.
    static func isInstalled(_ program: String) -> Bool {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        return path.split(separator: ":").contains { unsafe access("\($0)/\(program)", X_OK) == 0 }
    }
}
