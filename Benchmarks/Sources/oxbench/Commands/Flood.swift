import ArgumentParser

/// `oxbench flood`: whether established sessions notice an attack.
struct Flood: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measures what a flood of forged initiations does to a session.",
        discussion: "Without a subcommand it is 'flood measure'.",
        subcommands: [Measure.self, Send.self], defaultSubcommand: Measure.self)
}

extension Flood {
    struct Measure: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Measures a session without and with a flood of forged initiations.",
            discussion: """
                Makes the namespaces client, relay and attacker, starts a relay and a client in theirs, and passes a \
                paced UDP flow from the client to the relay's inner address: first in peace, then while the attacker \
                sends forged initiations from its own link, as fast as one core can. Halfway through the flood a \
                second client connects. TCP (iperf3) in place of the flow takes what it gets, and is there for \
                information only: all three share this machine's cores.

                throughput_pass: more than 90 % of the packets a second that arrived in peace arrive under the flood. \
                memory_pass: the relay's resident memory at the end of the flood is at most 1 MiB above its start. \
                newcomer_pass: the second client was connected before the flood ended; the relay spreads initiators over \
                four sockets by address, so in one run of four it shares the attacker's and may have to wait.

                Needs root, or user namespaces and an open /dev/net/tun. Exits with 1 when it could not measure, \
                whatever the figures are.
                """)

        @Option(help: "Length of the flow in peace, and of that under the flood.")
        var seconds = 10

        @Option(help: ArgumentHelp("UDP payload bits a second of the flow.", valueName: "rate"), transform: Parse.rate)
        var rate: UInt64 = 50_000_000

        @Option(help: ArgumentHelp("Source ports that the attacker sends from.", valueName: "n"))
        var spoofPorts = 64

        @Flag(inversion: .prefixedNo, help: "Measure TCP as well.")
        var tcp = true

        @OptionGroup var programs: ProgramOptions

        @OptionGroup var output: ReportOptions

        func validate() throws {
            guard (1...600).contains(seconds) else { throw ValidationError("--seconds must be 1 to 600.") }
            guard (1...1000).contains(spoofPorts) else { throw ValidationError("--spoof-ports must be 1 to 1000.") }
        }

        func run() throws {
            let (itself, program) = try programs.find()
            try Enclosure.run { children in
                let stage = try FloodStage(children: children, oxbench: itself, oxidize: program)
                let figures = try FloodFigures(
                    stage, seconds: seconds, rate: rate, ports: spoofPorts,
                    tcp: tcp && Enclosure.isInstalled("iperf3"))
                Report(command: "flood", results: [figures.result]).write(json: output.json)
            }
        }
    }
}
