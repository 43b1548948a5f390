import OxModel
import Testing

@testable import OxCore

@Suite struct SystemProcessTests {
    @Test func `a program's output, errors and exit code come back apart`() throws {
        let result = try Subprocess.run("sh", ["-c", "cat; echo oops >&2; exit 7"], input: "in\n")
        #expect(result == Subprocess.Result(exitCode: 7, output: "in\n", errors: "oops\n"))
    }

    @Test func `more than a pipe holds, on both streams at once, blocks nobody`() throws {
        let result = try Subprocess.run(
            "sh", ["-c", "head -c 1000000 /dev/zero | tee /dev/stderr; head -c 500000 /dev/zero >&2"])
        #expect(result.output.utf8.count == 1_000_000)
        #expect(result.errors.utf8.count == 1_500_000)
    }

    @Test func `input that is not read is no error`() throws {
        let result = try Subprocess.run("true", [], input: String(repeating: "x", count: 1 << 20))
        #expect(result.exitCode == 0)
    }

    @Test func `without input a program finds an empty one`() throws {
        #expect(try Subprocess.run("cat", []).output == "")
    }

    @Test func `arguments are not read by a shell`() throws {
        #expect(try Subprocess.run("printf", ["%s|", "$HOME", "a b", ";"]).output == "$HOME|a b|;|")
    }

    @Test func `a program that does not exist is ENOENT`() {
        #expect(throws: CoreError(attempt: "run no-such-program", reason: .system(2))) {
            _ = try Subprocess.run("no-such-program", [])
        }
    }

    @Test func `a signal shows in the exit code`() throws {
        #expect(try Subprocess.run("sh", ["-c", "kill -TERM $$"]).exitCode == 143)
    }

    @Test func `programs of the system are found whatever PATH says`() throws {
        #expect(try Subprocess.run("sh", ["-c", "echo $PATH"]).output.contains("/usr/sbin"))
    }

    @Test func `a detached program has a session of its own and writes to the log`() throws {
        let scratch = Scratch()
        let log = scratch.path + "/log"
        let pid = try Subprocess.detach(
            "/bin/sh", ["-c", "cut -d' ' -f6 /proc/self/stat; echo ${PATH:+err} >&2; sleep 5"], output: log)
        defer { _ = try? Subprocess.run("kill", ["\(pid)"]) }
        #expect(CurrentProcess.isAlive(pid))
        #expect(waitFor { (try? SystemFile.read(log)) == "\(pid)\nerr\n" })
    }

    @Test func `this process lives, and one that ended does not`() throws {
        #expect(CurrentProcess.isAlive(CurrentProcess.id))
        #expect(CurrentProcess.startTicks(of: CurrentProcess.id) != nil)
        let ended = try Subprocess.run("sh", ["-c", "echo $$"]).output
        let pid = try #require(Int32(ended.split(separator: "\n")[0]))
        #expect(!CurrentProcess.isAlive(pid))
        #expect(CurrentProcess.startTicks(of: pid) == nil)
        #expect(!CurrentProcess.isAlive(-1))
        #expect(CurrentProcess.executablePath.hasPrefix("/"))
    }

    @Test func `a child that has ended and was not waited for does not live`() throws {
        let scratch = Scratch()
        let pid = try Subprocess.detach("/bin/sh", ["-c", "exit 3"], output: scratch.path + "/log")
        #expect(waitFor { !CurrentProcess.isAlive(pid) })
        #expect(CurrentProcess.startTicks(of: pid) != nil)
        #expect(CurrentProcess.exitCode(ofChild: pid) == 3)
    }

    @Test(arguments: ["exec sleep 60", "trap '' TERM; echo ready; while true; do sleep 1; done"])
    func `a child is ended, and killed when it does not listen`(script: String) throws {
        let scratch = Scratch()
        let log = scratch.path + "/log"
        let pid = try Subprocess.detach("/bin/sh", ["-c", script], output: log)
        if script.contains("ready") { #expect(waitFor { (try? SystemFile.read(log)) == "ready\n" }) }
        CurrentProcess.end(child: pid, patience: .milliseconds(200))
        #expect(!CurrentProcess.isAlive(pid))
    }

    @Test func `a file is replaced whole, and readable by its owner alone`() throws {
        let scratch = Scratch()
        let path = scratch.path + "/state"
        try SystemFile.replace(path, with: "one")
        try SystemFile.replace(path, with: "two")
        #expect(try SystemFile.read(path) == "two")
        #expect(try Subprocess.run("ls", [scratch.path]).output == "state\n")
        #expect(try Subprocess.run("stat", ["-c", "%a", path]).output == "600\n")
        try SystemFile.remove(path)
        try SystemFile.remove(path)
        #expect(throws: CoreError(attempt: "read \(path)", reason: .system(2))) { _ = try SystemFile.read(path) }
    }

    @Test func `systemd hears the state, at a path and at an abstract name`() throws {
        let scratch = Scratch()
        let receive = """
            import socket,sys
            s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM); s.settimeout(5)
            n=sys.argv[1]; s.bind("\\0"+n[1:] if n[0]=="@" else n)
            open(sys.argv[2],"w").close(); sys.stdout.write(s.recv(100).decode())
            """
        for name in [scratch.path + "/notify", "@oxidize-test-\(CurrentProcess.id)"] {
            let log = scratch.path + "/log"
            try SystemFile.remove(log)
            let ready = scratch.path + "/ready"
            try SystemFile.remove(ready)
            _ = try Subprocess.detach("/usr/bin/env", ["python3", "-c", receive, name, ready], output: log)
            #expect(waitFor { (try? SystemFile.read(ready)) != nil })
            Systemd.notify("READY=1\nSTATUS=up", socket: name)
            #expect(waitFor { (try? SystemFile.read(log)) == "READY=1\nSTATUS=up" })
        }
        Systemd.notify("READY=1", socket: scratch.path + "/nobody")
    }
}

func waitFor(_ condition: () -> Bool) -> Bool {
    let deadline = SystemClock.now() + .seconds(10)
    while !condition() {
        if SystemClock.now() > deadline { return false }
        _ = Poll.wait(readable: [], timeout: .milliseconds(10))
    }
    return true
}
