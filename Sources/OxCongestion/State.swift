extension BBR {
    public enum State: Equatable, Sendable {
        case startup
        case drain
        case probeBandwidth(Phase)
        case probeRoundTrip

        /// ProbeBW_DOWN, ProbeBW_CRUISE, ProbeBW_REFILL, ProbeBW_UP
        public enum Phase: Equatable, Sendable { case down, cruise, refill, up }

        /// "probe-bw-cruise"
        public var name: String {
            switch self {
            case .startup: "startup"
            case .drain: "drain"
            case .probeBandwidth(.down): "probe-bw-down"
            case .probeBandwidth(.cruise): "probe-bw-cruise"
            case .probeBandwidth(.refill): "probe-bw-refill"
            case .probeBandwidth(.up): "probe-bw-up"
            case .probeRoundTrip: "probe-rtt"
            }
        }

        /// BBR.pacing_gain, from the draft's summary of control behavior.
        public func pacingGain(isGaming: Bool) -> Double {
            switch self {
            case .startup: Draft.startupPacingGain
            case .drain: Draft.drainPacingGain
            case .probeBandwidth(.down): Draft.downPacingGain
            case .probeBandwidth(.up): isGaming ? Gaming.upPacingGain : Draft.upPacingGain
            case .probeBandwidth(.cruise), .probeBandwidth(.refill), .probeRoundTrip: 1
            }
        }

        /// BBR.cwnd_gain
        public func windowGain(isGaming: Bool) -> Double {
            switch self {
            case .startup, .drain: Draft.windowGain
            case .probeBandwidth(.up): isGaming ? Gaming.upWindowGain : Draft.upWindowGain
            case .probeBandwidth: isGaming ? Gaming.windowGain : Draft.windowGain
            case .probeRoundTrip: Draft.probeRoundTripWindowGain
            }
        }

        /// IsInAProbeBWState()
        var isProbeBandwidth: Bool {
            if case .probeBandwidth = self { true } else { false }
        }

        /// IsProbingBW()
        var isProbing: Bool { self == .startup || self == .probeBandwidth(.refill) || self == .probeBandwidth(.up) }
    }

    /// BBR.ack_phase
    enum AckPhase: Sendable { case initial, refilling, probeStarting, probeFeedback, probeStopping }

    var pacingGain: Double { state.pacingGain(isGaming: isGaming) }
    var windowGain: Double { state.windowGain(isGaming: isGaming) }
}
