import ArgumentParser
import CLabBase
import CLabFlood
import OxCore
import OxModel

extension Flood {
    /// The attacker.
    struct Send: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Sends forged initiations as fast as one core can. Only for relays of your own.",
            discussion: """
                The datagrams are made beforehand and sent over and over: initiations of strangers, each with a key of \
                its own, whole and with the right mac1, as anyone who knows the relay's public key can make them; and \
                random ones of the same length, with a wrong mac1, in the share that --random says.
                """)

        @Option(help: ArgumentHelp("The relay: 192.0.2.1:51820 or [2001:db8::1]:51820.", valueName: "address"))
        var to: String

        @Option(help: ArgumentHelp("The relay's public key.", valueName: "key"), transform: Self.publicKey)
        var relayKey: PublicKey

        @Option(help: "Source ports to send from.")
        var ports: UInt32 = 64

        @Option(help: "Different datagrams to make.")
        var variety = 512

        @Option(help: ArgumentHelp("Share of random datagrams.", valueName: "share"), transform: Parse.probability)
        var random = 0.25

        @Option(help: ArgumentHelp("For how long. Default: until a signal.", valueName: "time"), transform: Parse.duration)
        var duration: UInt64 = 0

        @OptionGroup var ready: ReadyOptions
        @OptionGroup var output: ReportOptions

        func validate() throws {
            guard (1...UInt32(LAB_FLOOD_PORTS_MAX)).contains(ports) else {
                throw ValidationError("--ports must be 1 to \(LAB_FLOOD_PORTS_MAX).")
            }
            guard (1...65536).contains(variety) else { throw ValidationError("--variety must be 1 to 65536.") }
        }

        func run() throws {
            let forged = try ForgedInitiations(to: relayKey, count: variety, randomShare: random)
            try ready.announce()
            var sent = lab_flood_sent()
            let done = unsafe forged.bytes.withUnsafeBufferPointer { bytes in
                var plan = unsafe lab_flood_plan(
                    datagrams: bytes.baseAddress, datagram_bytes: UInt32(forged.datagramBytes),
                    count: UInt32(forged.count), ports: ports, duration_ns: duration)
                return unsafe lab_flood_send(to, &plan, &sent)
            }
            guard done else { throw LabFailure.last }
            let seconds = Double(sent.elapsed_ns) / 1e9
            let result: Report.Result = [
                "sent_datagrams": .integer(sent.datagrams),
                "sent_datagrams_per_s": .number(Double(sent.datagrams) / seconds),
                "sent_payload_bit_per_s": .number(Double(sent.datagrams) * Double(8 * forged.datagramBytes) / seconds),
                "datagram_bytes": .integer(UInt64(forged.datagramBytes)),
                "refused_calls": .integer(sent.refused),
                "replies_datagrams": .integer(sent.replies),
                "replies_bytes": .integer(sent.reply_bytes),
                "elapsed_s": .number(seconds),
            ]
            Report(command: "flood send", results: [result]).write(json: output.json)
        }

        private static func publicKey(_ text: String) throws -> PublicKey {
            guard let key = PublicKey(base64: text) else {
                throw ValidationError("a public key is 44 characters of base64, as 'oxidize pubkey' prints it.")
            }
            return key
        }
    }
}

/// Initiations that no relay should answer for long, one behind the other.
struct ForgedInitiations {
    private(set) var bytes: [UInt8] = []
    private(set) var datagramBytes = 0
    let count: Int

    init(to relay: PublicKey, count: Int, randomShare: Double) throws {
        try Core.start()
        self.count = count
        var randomDue = 0.0
        for index in 0..<count {
            var datagram = try Self.stranger(to: relay, index: UInt32(index))
            randomDue += randomShare
            if randomDue >= 1 {
                randomDue -= 1
                // Type and version stay (Wire.md section 4.2), so that it takes the mac1 to tell that it is forged.
                datagram = datagram.prefix(4) + (4..<datagram.count).map { _ in UInt8.random(in: 0...255) }
            }
            datagramBytes = datagram.count
            bytes += datagram
        }
    }

    private static func stranger(to relay: PublicKey, index: UInt32) throws -> [UInt8] {
        let key = KeyTool.random(clamped: true)
        let payload = HandshakePayload(
            timestamp: (seconds: 1 << 62 + 10 + 1_767_225_600, nanoseconds: index), aeads: [1], features: 3,
            sessions: [PathID(0): RemoteSessionID(index, byteCount: 2)], addresses: [])
        return try Handshake(
            initiatingFrom: try Identity(privateKey: key.span), to: relay, preshared: try PresharedKey.none(),
            index: index, payload: payload, cookie: nil
        ).sent
    }
}
