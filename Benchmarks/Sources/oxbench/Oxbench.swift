import ArgumentParser

@main
struct Oxbench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "oxbench",
        abstract: "Measures Oxidize, and emulates the links to measure it on.",
        discussion: """
            Every command takes --json and then prints one object with command, commit, machine and results: an \
            array of flat objects whose keys carry the unit.

            Exit codes: 0 measured; 1 could not measure; 64 wrong usage.
            """,
        // One file a command, in Commands/.
        subcommands: [Link.self, Flow.self, Wire.self, Flood.self, Demo.self]
    )
}
