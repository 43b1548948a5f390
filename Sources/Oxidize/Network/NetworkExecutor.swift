import FoundationEssentials
import OxCore

/// What carries commands out.
package protocol NetworkExecutor: Sendable {
    /// Runs them in order up to the first that fails.
    func run(_ commands: [NetworkCommand]) -> NetworkFailure?
    /// Runs all of them in order, whichever fail.
    func runAll(_ commands: [NetworkCommand]) -> [NetworkFailure]
    /// Settings that match a path and their values. A path without "*" that does not exist is an error.
    func settings(matching path: String) throws(NetworkFailure) -> [(path: String, value: String)]
}

extension NetworkFailure: Error {}

/// Carries commands out by iproute2, nftables and /proc/sys.
package struct SystemExecutor: NetworkExecutor {
    package init() {}

    package func run(_ commands: [NetworkCommand]) -> NetworkFailure? {
        execute(commands, force: false).first
    }

    package func runAll(_ commands: [NetworkCommand]) -> [NetworkFailure] {
        execute(commands, force: true)
    }

    /// Neighbours for `ip` of one family share a process: a configuration may have thousands of routes.
    private func execute(_ commands: [NetworkCommand], force: Bool) -> [NetworkFailure] {
        var failures: [NetworkFailure] = []
        var index = 0
        while index < commands.count, force || failures.isEmpty {
            switch commands[index] {
            case .ip(let family, _):
                var lines: [[String]] = []
                while index + lines.count < commands.count,
                    case .ip(family, let arguments) = commands[index + lines.count]
                { lines.append(arguments) }
                failures += runBatch(family, lines, first: index, force)
                index += lines.count
            case .nft(let script):
                failures += runProgram("nft", ["-f", "-"], script, index) { SystemExecutor.firstLine($0) }
                index += 1
            case .setting(let path, let value):
                do {
                    try SystemFile.write(value, to: "/proc/sys/" + path)
                } catch {
                    failures.append(NetworkFailure(error, index))
                }
                index += 1
            }
        }
        return failures
    }

    private func runBatch(
        _ family: NetworkCommand.Family, _ lines: [[String]], first: Int, _ force: Bool
    ) -> [NetworkFailure] {
        let options = [family.option] + (force ? ["-force"] : []) + ["-batch", "-"]
        let input = lines.map { $0.joined(separator: " ") + "\n" }.joined()
        let result: Subprocess.Result
        do {
            result = try Subprocess.run("ip", options, input: input)
        } catch {
            return [NetworkFailure(error, first)]
        }
        if result.exitCode == 0 { return [] }
        let found = SystemExecutor.batchFailures(result.errors)
        if found.isEmpty { return [NetworkFailure(index: first, message: SystemExecutor.firstLine(result.errors))] }
        return found.map { NetworkFailure(index: first + $0.line - 1, message: $0.message) }
    }

    /// `ip -batch` ends its words on each command that failed with "Command failed -:LINE".
    static func batchFailures(_ errors: String) -> [(line: Int, message: String)] {
        var found: [(line: Int, message: String)] = []
        var words: [Substring] = []
        for text in errors.split(separator: "\n") {
            guard text.hasPrefix("Command failed -:"), let line = Int(text.dropFirst(17)) else {
                words.append(text)
                continue
            }
            found.append((line, firstLine(words.joined(separator: "\n"))))
            words = []
        }
        return found
    }

    private func runProgram(
        _ name: String, _ arguments: [String], _ input: String, _ index: Int, _ message: (String) -> String
    ) -> [NetworkFailure] {
        do {
            let result = try Subprocess.run(name, arguments, input: input)
            return result.exitCode == 0 ? [] : [NetworkFailure(index: index, message: message(result.errors))]
        } catch {
            return [NetworkFailure(error, index)]
        }
    }

    /// Without the words that say who is talking.
    static func firstLine(_ errors: String) -> String {
        guard var line = errors.split(separator: "\n").first else { return "no reason was given" }
        for prefix in ["RTNETLINK answers: ", "Error: "] where line.hasPrefix(prefix) {
            line = line.dropFirst(prefix.count)
        }
        return String(line)
    }

    package func settings(matching path: String) throws(NetworkFailure) -> [(path: String, value: String)] {
        let parts = path.split(separator: "*", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { return [(path, try value(path))] }
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/sys/\(parts[0])")) ?? []
        return names.sorted().compactMap { name in
            let path = "\(parts[0])\(name)\(parts[1])"
            return (try? value(path)).map { (path, $0) }
        }
    }

    private func value(_ path: String) throws(NetworkFailure) -> String {
        do {
            return String(try SystemFile.read("/proc/sys/" + path).prefix { $0 != "\n" })
        } catch {
            throw NetworkFailure(error, 0)
        }
    }
}

extension NetworkFailure {
    fileprivate init(_ error: CoreError, _ index: Int) {
        guard case .system(let code) = error.reason else {
            self.init(index: index, kind: .other, reason: "\(error)")
            return
        }
        if error.isNotFound {
            let isProgram = error.attempt.hasPrefix("run ")
            // A setting goes with its interface.
            self.init(
                index: index, kind: isProgram ? .programMissing : .gone,
                reason: isProgram ? "there is no such program" : systemMessage(code))
        } else {
            self.init(index: index, kind: error.isPermission ? .permission : .other, reason: systemMessage(code))
        }
    }
}
