import ArgumentParser
import Oxidize

@main
struct Oxbench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "oxbench",
        abstract: "Measures Oxidize, and emulates the links to measure it on.",
        discussion: """
            Every command that measures takes --json and then prints one object with command, commit, machine and \
            results: an array of flat objects whose keys carry the unit.

            Exit codes: 0 measured; 1 could not measure; 64 wrong usage.
            """,
        version: "oxbench \(OxidizeVersion.current)",
        // One file a command, in Commands/.
        subcommands: [
            Link.self, Flow.self, Wire.self, Flood.self, Demo.self, Tunnel.self, Load.self, CC.self, AB.self, Repair.self, Kernels.self,
            RS.self, Rohc.self, Table.self,
        ]
    )

    static func main() {
        if let sentence = unknownCommand(CommandLine.arguments.dropFirst()) {
            exit(withError: ValidationError(sentence))
        }
        main(nil)
    }

    /// Nil for a command that there is, and for what is no command.
    private static func unknownCommand(_ words: ArraySlice<String>) -> String? {
        guard let word = words.first == "help" ? words.dropFirst().first : words.first, !word.hasPrefix("-") else {
            return nil
        }
        let names = configuration.subcommands.map { $0._commandName } + ["help"]
        return names.contains(word) ? nil : "there is no command '\(word)'; the commands are \(names.joined(separator: ", "))"
    }
}
