import ArgumentParser
import CLabBase
import FoundationEssentials
import Glibc

/// Could not measure: the sentence says why. Exit code 1.
struct LabFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }

    /// The sentence of the C call that has just failed.
    static var last: LabFailure { LabFailure(unsafe String(cString: lab_problem())) }
}

/// Texts with units to values, for `@Option(transform:)`.
enum Parse {
    static func duration(_ text: String) throws -> UInt64 {
        var nanoseconds: UInt64 = 0
        try unsafe check(lab_parse_duration(text, &nanoseconds))
        return nanoseconds
    }

    static func rate(_ text: String) throws -> UInt64 {
        var bitsPerSecond: UInt64 = 0
        try unsafe check(lab_parse_rate(text, &bitsPerSecond))
        return bitsPerSecond
    }

    static func size(_ text: String) throws -> UInt64 {
        var bytes: UInt64 = 0
        try unsafe check(lab_parse_size(text, &bytes))
        return bytes
    }

    static func probability(_ text: String) throws -> Double {
        var probability = 0.0
        try unsafe check(lab_parse_probability(text, &probability))
        return probability
    }

    /// Fields between commas, as many as `range` allows.
    static func fields(_ text: String, _ range: ClosedRange<Int>, like example: String) throws -> [String] {
        let fields = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        guard range.contains(fields.count) else { throw ValidationError("write it like \(example).") }
        return fields
    }

    private static func check(_ problem: UnsafePointer<CChar>?) throws {
        if let problem = unsafe problem { throw ValidationError(unsafe String(cString: problem)) }
    }
}

/// Tells a waiting script that a command has set up what it needs.
struct ReadyOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Write a line to this file when ready.", valueName: "file"))
    var readyFile: String?

    @Option(
        name: .customLong("ready-fd"),
        help: ArgumentHelp("Write a line to this open descriptor when ready.", valueName: "n"))
    var readyDescriptor: Int32?

    func announce() throws {
        if let readyFile {
            let descriptor = unsafe open(readyFile, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
            try Self.writeLine(to: descriptor, named: readyFile)
            close(descriptor)
        }
        if let readyDescriptor {
            try Self.writeLine(to: readyDescriptor, named: "descriptor \(readyDescriptor)")
        }
    }

    private static func writeLine(to descriptor: Int32, named name: String) throws {
        guard unsafe write(descriptor, "ready\n", 6) == 6 else { throw LabFailure("cannot write to \(name)") }
    }
}

/// The programs that a command runs.
struct ProgramOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The program to measure. Default: the oxidize beside oxbench.", valueName: "path"))
    var oxidize: String?

    /// The paths of this program and of that one.
    func find() throws -> (oxbench: String, oxidize: String) {
        let itself = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let beside = URL(filePath: itself).deletingLastPathComponent().appending(path: "oxidize").path
        let program = oxidize ?? beside
        guard FileManager.default.isExecutableFile(atPath: program) else {
            throw LabFailure("there is no program \(program). Build it with 'make build', or name it with --oxidize.")
        }
        return (itself, program)
    }
}
