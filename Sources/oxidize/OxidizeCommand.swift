import ArgumentParser
import OxConfiguration
import Oxidize

@main
struct OxidizeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "oxidize",
        abstract: "An encrypted UDP tunnel that makes a bad link behave like a good one.",
        discussion: "Data goes to standard output, the rest to standard error. See oxidize(1) and oxidize.toml(5).",
        version: "oxidize \(OxidizeVersion.current)",
        groupedSubcommands: [
            CommandGroup(name: "Key", subcommands: [GenKey.self, PubKey.self, GenPSK.self]),
            CommandGroup(
                name: "Tunnel",
                subcommands: [
                    CheckFile.self, RunRelay.self, RunClient.self, Up.self, Down.self, Reload.self, Show.self,
                    Ping.self,
                ]),
            CommandGroup(name: "Other", subcommands: [Demo.self]),
        ])

    static func main() {
        if let sentence = unknownCommand(CommandLine.arguments.dropFirst()) {
            Console.complain(sentence)
            exit(withError: ExitCode.validationFailure)
        }
        main(nil)
    }

    /// Nil for a command that there is, and for what is no command.
    private static func unknownCommand(_ words: ArraySlice<String>) -> String? {
        guard let word = words.first == "help" ? words.dropFirst().first : words.first, !word.hasPrefix("-") else {
            return nil
        }
        let names = configuration.subcommands.map { $0._commandName } + ["help"]
        guard !names.contains(word) else { return nil }
        let suggestion = nearest(to: word, among: names).map { "did you mean '\($0)'?" }
        return "there is no command '\(word)'; \(suggestion ?? "'oxidize --help' lists them")"
    }
}
