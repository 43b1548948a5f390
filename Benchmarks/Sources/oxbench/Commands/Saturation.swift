/// More UDP than a link takes.
struct Saturation {
    let stage: LoadStage
    let run: LoadStage.Run

    /// What arrived over the link between two moments of CLOCK_MONOTONIC.
    struct Window {
        let bytes: UInt64
        let from: UInt64
        let to: UInt64
        var bitsPerSecond: Double { 8 * Double(bytes) * 1e9 / Double(to - from) }
    }

    struct Outcome {
        let window: Window
        /// What arrived of the UDP payload, over the time in which it did.
        let payloadBitsPerSecond: Double
    }

    private static let payloadBytes = 1200

    func fill(bitsPerSecond: Double, settlingSeconds: Int, seconds: Int) throws -> Outcome {
        var window: Window?
        let total = Double(settlingSeconds + seconds + 1)
        let plan = ["--profile", "bulk", "--pps", "\(bitsPerSecond / Double(8 * Self.payloadBytes))"]
        let flow = try run.way.traffic.flow(
            plan + ["--size", "\(Self.payloadBytes)", "--duration", "\(total)s", "--at-most", "\(total)s"],
            seconds: total, linger: "1s"
        ) {
            window = try watch(settlingSeconds: settlingSeconds, seconds: seconds)
        }
        let elapsed = max(flow.sent.elapsed_s, flow.received.elapsed_s ?? 0)
        return Outcome(
            window: window!, payloadBitsPerSecond: 8 * Double(flow.received.received_payload_bytes) / max(elapsed, 0.001))
    }

    /// Waits for so long, then counts for so long.
    func watch(settlingSeconds: Int, seconds: Int) throws -> Window {
        try Signals.sleep(UInt64(settlingSeconds) * 1_000_000_000)
        let before = try stage.arrived()
        try Signals.sleep(UInt64(seconds) * 1_000_000_000)
        let after = try stage.arrived()
        return Window(bytes: after.bytes - before.bytes, from: before.at, to: after.at)
    }
}
