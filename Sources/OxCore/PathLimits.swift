internal import COxTunnel
internal import COxPath
import OxModel

extension ox_path_limits {
    init(_ limits: PathLimits) {
        self.init()
        // No rate is no limit there, so that the slowest is one byte a second.
        rate = limits.pacingRate.map { max(1, $0.bytesPerSecond) } ?? 0
        restart_rate = limits.restartRate.map { max(1, $0.bytesPerSecond) } ?? 0
        window = limits.window.map { max(1, $0) } ?? 0
        quantum = limits.quantum
        loss_permille = UInt64(min(max(limits.lossThreshold, 0.001), 1) * 1000)
        urgent = limits.urgentGoAhead ? 1 : 0
        answers_ns = limits.answering?.nanoseconds ?? 0
        unsafe withUnsafeMutableBytes(of: &hold_ns) { bytes in
            let holds = unsafe bytes.assumingMemoryBound(to: UInt64.self)
            for (index, class_) in TrafficClass.allCases.enumerated() {
                unsafe holds[index] = UInt64(max(0, (limits.holds[class_] ?? .zero).wholeNanoseconds))
            }
        }
    }
}

extension PathSample {
    init(_ core: ox_path_sample) {
        func duration(_ nanoseconds: UInt64) -> Duration? {
            nanoseconds == 0 ? nil : .nanoseconds(Int64(clamping: nanoseconds))
        }
        self.init()
        at = Instant(nanoseconds: core.now_ns)
        roundTrip = duration(core.rtt_ns)
        smoothedRoundTrip = duration(core.smoothed_ns)
        roundTripVariance = core.smoothed_ns == 0 ? nil : .nanoseconds(Int64(clamping: core.variance_ns))
        delivered = core.delivered
        lost = core.lost
        inFlight = core.in_flight
        priorInFlight = core.prior_in_flight
        newlyAcked = core.newly_acked
        newlyLost = core.newly_lost
        newlyLate = core.newly_late
        rate = core.rate == 0 ? nil : Rate(bytesPerSecond: core.rate)
        rateDelivered = core.rate_delivered
        interval = .nanoseconds(Int64(clamping: core.interval_ns))
        priorDelivered = core.prior_delivered
        sent = core.sent_ns == 0 ? nil : Instant(nanoseconds: core.sent_ns)
        inFlightAtSending = core.tx_in_flight
        lostSince = core.lost_since
        isAppLimited = core.app_limited != 0
        if core.excess_in_flight != 0 {
            excess = ExcessLoss(
                inFlightAtSending: core.excess_in_flight, lostSince: core.excess_lost, bytes: core.excess_bytes)
        }
        datagramsArrived = core.acked_count
        datagramsLost = core.lost_count
        datagramsLate = core.late_count
        lossRuns = core.loss_runs
        lostSent = core.lost_sent_ns == 0 ? nil : Instant(nanoseconds: core.lost_sent_ns)
        ecnCapable = core.ect
        congestionMarked = core.ce
        isWindowLimited = core.window_limited != 0
        isRestart = core.restarted != 0
        isTimeout = core.timeout != 0
        backlog = core.backlog
        urgent = core.urgent
        largestDatagram = core.mtu
    }
}
