import OxModel
import Synchronization
import Testing

@testable import OxCore

/// tgkill(2) of the process and the thread in the arguments.
private let sendHangUp = """
    import ctypes, platform, sys
    number = {"x86_64": 234, "aarch64": 131}[platform.machine()]
    ctypes.CDLL(None).syscall(number, int(sys.argv[1]), int(sys.argv[2]), 1)
    """

@Suite struct SystemThreadTests {
    @Test func `a thread runs, has its name, and is joined`() throws {
        let seen = Mutex("")
        let thread = try SystemThread.start(name: "ox-a-very-long-name") {
            let name = (try? SystemFile.read("/proc/thread-self/comm")) ?? ""
            seen.withLock { $0 = name }
        }
        thread.join()
        thread.join()
        #expect(seen.withLock { $0 } == "ox-a-very-long-\n")
    }

    @Test func `a flag raised elsewhere ends the wait`() throws {
        let flag = try WakeFlag()
        #expect(Poll.wait(readable: [flag.descriptor], timeout: .zero).isEmpty)
        let thread = try SystemThread.start(name: "raise") { flag.signal() }
        #expect(Poll.wait(readable: [flag.descriptor], timeout: .seconds(10)) == [flag.descriptor])
        flag.clear()
        #expect(Poll.wait(readable: [flag.descriptor], timeout: .zero).isEmpty)
        thread.join()
    }

    @Test func `a wait lasts at least as long as asked`() {
        let start = SystemClock.now()
        #expect(Poll.wait(readable: [], timeout: .microseconds(2500)).isEmpty)
        #expect(SystemClock.now() - start >= .microseconds(2500))
    }

    @Test func `signals come one by one, as something to wait for`() throws {
        // Signals for one thread, so that those of the test's own process are left alone.
        let failure = Mutex<String?>("the thread did not run")
        let thread = try SystemThread.start(name: "signals") {
            do {
                let source = try SignalSource([Signal.hangUp, Signal.terminate])
                guard source.next() == nil else { return failure.withLock { $0 = "a signal from nowhere" } }
                let task = try SystemFile.read("/proc/thread-self/stat").prefix { $0 != " " }
                _ = try Subprocess.run("python3", ["-c", sendHangUp, "\(CurrentProcess.id)", String(task)])
                let ready = Poll.wait(readable: [source.descriptor], timeout: .seconds(10))
                let taken = source.next()
                let once = !ready.isEmpty && taken == Signal.hangUp && source.next() == nil
                failure.withLock { $0 = once ? nil : "took signal \(taken ?? 0)" }
            } catch { failure.withLock { $0 = "\(error)" } }
        }
        thread.join()
        #expect(failure.withLock { $0 } == nil)
    }

    @Test func `a program does not inherit blocked signals`() throws {
        let blocked = Mutex("")
        let thread = try SystemThread.start(name: "spawn") {
            let result = try? Subprocess.run("grep", ["SigBlk", "/proc/self/status"])
            blocked.withLock { $0 = result?.output ?? "" }
        }
        thread.join()
        #expect(blocked.withLock { $0 } == "SigBlk:\t0000000000000000\n")
    }

    @Test func `clocks run`() {
        let first = SystemClock.now()
        #expect(SystemClock.now() >= first)
        #expect(SystemClock.wall().nanoseconds > 1_700_000_000_000_000_000)
    }

    @Test func `literals resolve to themselves, with their zone`() throws {
        #expect(
            try Resolver.addresses(host: "192.0.2.1", port: 443) == [SocketAddress(IPAddress("192.0.2.1")!, port: 443)])
        #expect(
            try Resolver.addresses(host: "2001:db8::1", port: 1) == [SocketAddress(IPAddress("2001:db8::1")!, port: 1)])
        #expect(
            try Resolver.addresses(host: "fe80::1%lo", port: 7)
                == [SocketAddress(IPAddress("fe80::1")!, port: 7, scope: 1)])
        #expect(throws: CoreError.self) { _ = try Resolver.addresses(host: "no-such-host.invalid", port: 1) }
    }
}
