/// A game flow while a TCP upload fills the link.
struct GameBesideUpload {
    let traffic: Traffic
    let congestionControl: KernelCongestionControl
    /// How long the upload has to fill the link.
    let onsetSeconds: Int
    let seconds: Int

    struct Outcome {
        /// From half a second before the upload.
        let onset: Traffic.Flow
        let game: Traffic.Flow
        /// TCP payload, without that of the onset.
        let uploadBitsPerSecond: Double
    }

    /// What it takes to end one flow, to start the next and to end that.
    private static let changeSeconds = 3

    func play() throws -> Outcome {
        var begun: Traffic.Transferring?
        let onset = try traffic.game(seconds: onsetSeconds) {
            try Signals.sleep(500_000_000)
            begun = try traffic.begin(
                .seconds(seconds + Self.changeSeconds), congestionControl: congestionControl.rawValue,
                omitSeconds: onsetSeconds)
        }
        let upload = begun!
        let game = try traffic.game(seconds: seconds) {
        } afterwards: {
            guard upload.client.isRunning else { throw upload.client.failure("ended before the game beside it") }
        }
        let end = try traffic.finish(upload).end
        return Outcome(onset: onset, game: game, uploadBitsPerSecond: end.sum_received.bits_per_second)
    }
}

extension Traffic {
    /// 60 packets a second of 100 bytes.
    func game(
        seconds: Int, meanwhile: () throws -> Void = {}, afterwards: () throws -> Void = {}
    ) throws -> Flow {
        let plan = ["--profile", "bulk", "--pps", "60", "--size", "100", "--duration", "\(seconds)s"]
        let flow = try flow(
            plan, seconds: Double(seconds), linger: "600ms", meanwhile: meanwhile, afterwards: afterwards)
        guard flow.received.received_packets > 0 else { throw LabFailure("nothing of the game arrived") }
        return flow
    }
}
