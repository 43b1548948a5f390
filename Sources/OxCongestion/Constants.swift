/// The constants of draft-ietf-ccwg-bbr, by its names.
enum Draft {
    /// BBR.StartupPacingGain
    static let startupPacingGain = 2.77
    /// BBR.DrainPacingGain
    static let drainPacingGain = 0.5
    /// BBR.ProbeDownPacingGain
    static let downPacingGain = 0.9
    /// Pacing gain of ProbeBW_UP.
    static let upPacingGain = 1.25
    /// BBR.DefaultCwndGain
    static let windowGain = 2.0
    /// Window gain of ProbeBW_UP.
    static let upWindowGain = 2.25
    /// BBR.ProbeRTTCwndGain
    static let probeRoundTripWindowGain = 0.5
    /// BBR.PacingMarginPercent, as the share that is left: 99 %.
    static let pacingShare = 0.99
    /// BBR.LossThresh
    static let lossThreshold = 0.02
    /// BBRStartupFullLossCnt
    static let startupFullLossCount: UInt64 = 6
    /// BBR.Beta
    static let beta = 0.7
    /// BBR.Headroom
    static let headroom = 0.15
    /// BBR.MinPipeCwnd, in datagrams of C.SMSS.
    static let minimumWindow = 4.0
    /// BBR.ExtraAckedFilterLen, in rounds.
    static let extraAckedRounds: UInt64 = 10
    /// BBR.MinRTTFilterLen
    static let minRoundTripWindow = Duration.seconds(10)
    /// BBR.ProbeRTTInterval
    static let probeRoundTripInterval = Duration.seconds(5)
    /// BBR.ProbeRTTDuration
    static let probeRoundTripDuration = Duration.milliseconds(200)
    /// Growth of the delivery rate in a round below which the pipe seems full, and how many such rounds say that it is.
    static let fullBandwidthGrowth = 1.25
    static let fullBandwidthRounds = 3
    /// T_reno_bound, in rounds.
    static let renoRounds = 63.0
    /// T_bbr is this and up to one second more.
    static let probeWait = 2.0
    /// C.send_quantum is the pacing rate times this, up to the cap.
    static let quantumTime = 0.001
}

/// The constants of the ECN response of Google's BBRv3 for Linux (tcp_bbr.c), which the draft leaves open.
enum Marks {
    static let alphaGain = 1.0 / 16
    static let initialAlpha = 1.0
    static let factor = 1.0 / 3
    static let threshold = 0.5
    static let startupRounds = 2
    static let reprobeGain = 0.5
}

/// Gaming mode: the probe is smaller and rarer, and the window leaves less room for a queue. Startup and Drain stay the draft's.
enum Gaming {
    static let upPacingGain = 1.10
    static let windowGain = 1.5
    static let upWindowGain = 1.6
    /// On T_bbr and T_reno.
    static let waitFactor = 2.0
}

/// What the draft leaves to the sender, and what bounds arithmetic.
enum Bound {
    /// The largest C.send_quantum: what one UDP_SEGMENT send carries.
    static let quantum = 65_000.0
    /// Bytes per second: 64 kbit/s links must not be overrun, and nothing must stop for ever.
    static let lowestRate = 1_000.0
    static let highestRate = 1e12
    /// C.InitialCwnd, in datagrams (RFC 9002 section 7.2).
    static let initialDatagrams = 10.0
    static let window = 1e13
    static let pacingScale = 0.9...1.1
    /// Rounds between two probes, however small the BDP.
    static let leastProbeRounds = 30.0
}
