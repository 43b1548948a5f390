import ArgumentParser

/// `oxbench demo`: real traffic through a real tunnel over a bad link.
struct Demo: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Passes real traffic through a tunnel over an emulated bad link, and compares.",
        discussion: """
            Makes the network client - link - relay - server out of namespaces of this machine. The link is oxbench \
            link with 40 ms of round-trip time, 1 % loss and 100 Mbit/s; it starts anew, with the same seed, for each \
            of: plain IP, wireguard-go, Oxidize. Each passes a ping, a game flow and a TCP transfer from the client to \
            the server; then, over a link of 20 Mbit/s with a buffer of 300 ms and no loss, a game flow and a call, and a game \
            flow beside a TCP upload; and then, over a link with 5 % loss, a game flow again. Through Oxidize the last is done without its \
            repair of losses as well, and the bytes of game and call are counted without its header compression as well. Then prints what came out.

            Nothing outside of its own namespaces is touched, and nothing is left behind. Root may run it, and ordinary \
            users where the system lets them make user namespaces and open /dev/net/tun.

            Takes about four minutes, with --quick about one and a half.
            """)

    @Flag(help: "Shorter measurements: less certain figures.")
    var quick = false

    @OptionGroup var programs: ProgramOptions

    @OptionGroup var output: ReportOptions

    func run() throws {
        let (itself, program) = try programs.find()
        try Enclosure.require([
            "ip": "iproute2", "nsenter": "util-linux", "ping": "iputils-ping", "iperf3": "iperf3", "sysctl": "procps",
        ])
        try Enclosure.run { children in
            let stage = DemoStage(
                children: children, oxbench: itself, oxidize: program, lengths: quick ? .quick : .full,
                narrator: Narrator(descriptor: output.json ? 2 : 1))
            let columns = try stage.play()
            if output.json {
                Report(command: "demo", results: columns.map(\.result)).write(json: true)
            } else {
                print(DemoTable(columns: columns).text)
            }
        }
    }
}

/// How much of each kind of traffic a column gets.
struct DemoLengths {
    var pings: Int
    var gameSeconds: Int
    var transferSeconds: Int
    /// Of an upload before the game beside it is measured, and of that game.
    var onsetSeconds: Int
    var besideSeconds: Int
    /// Of the game and of the call whose bytes are counted.
    var bytesSeconds: Int
    /// Of the game over the link with more loss.
    var lossySeconds: Int

    static let full = DemoLengths(
        pings: 300, gameSeconds: 10, transferSeconds: 6, onsetSeconds: 2, besideSeconds: 6, bytesSeconds: 6, lossySeconds: 20)
    static let quick = DemoLengths(
        pings: 50, gameSeconds: 2, transferSeconds: 2, onsetSeconds: 1, besideSeconds: 2, bytesSeconds: 2, lossySeconds: 4)
}
