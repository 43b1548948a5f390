import OxCore
import OxModel

/// The streams of a command, and other programs that it hands over to.
package enum Terminal {
    package static func writeOutput(_ text: String) { StandardStream.output.write(text) }
    package static func writeError(_ text: String) { StandardStream.error.write(text) }

    package static var outputIsWorldReadable: Bool { StandardStream.output.isWorldReadableFile }

    /// Not where NO_COLOR is set and not empty.
    package static var outputTakesColours: Bool {
        StandardStream.output.isTerminal && (CurrentProcess.environment("NO_COLOR") ?? "").isEmpty
    }

    /// All of standard input; nil when it is longer than that.
    package static func readInput(limit: Int) -> String? {
        guard var bytes = StandardStream.input.readAll(limit: limit) else { return nil }
        defer { KeyTool.wipe(&bytes) }
        return String(decoding: bytes, as: UTF8.self)
    }

    package static var secondsSince1970: Double { Double(SystemClock.wall().nanoseconds) / 1e9 }
}

/// A program that is installed beside this one.
package enum Companion {
    /// Becomes that program. Returns a sentence that says why not, and what to do.
    package static func become(_ name: String, _ arguments: [String]) -> String? {
        let here = CurrentProcess.executablePath.split(separator: "/", omittingEmptySubsequences: false).dropLast()
        let path = CurrentProcess.environment("PATH")?.split(separator: ":").map(String.init) ?? []
        for directory in [here.joined(separator: "/")] + path {
            let candidate = "\(directory)/\(name)"
            if CurrentProcess.isExecutable(candidate) { return CurrentProcess.become(candidate, arguments).description }
        }
        return "'\(name)' is not installed: run 'make demo' in the source tree"
    }
}

/// Pings through a running tunnel.
package enum PingLoop {
    /// Until the count is reached, or an interrupt.
    package static func run(
        _ client: AdminClient, peer: String?, count: Int?, interval: Duration, each: (Duration?) -> Void
    ) throws(TunnelError) {
        let signals: SignalSource
        do {
            signals = try SignalSource([Signal.interrupt])
        } catch {
            throw TunnelError(error)
        }
        var due = SystemClock.now()
        var sent = 0
        while true {
            each(try client.ping(peer))
            sent += 1
            if let count, sent >= count { return }
            due += interval
            if !Poll.wait(readable: [signals.descriptor], timeout: max(.zero, due - SystemClock.now())).isEmpty { return }
            due = max(due, SystemClock.now())
        }
    }
}
