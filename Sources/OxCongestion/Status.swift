public import OxModel

extension BBR {
    /// What people and tests may see.
    public struct Status: Equatable, Sendable {
        /// "probe-bw-cruise"
        public var state: String
        /// BBR.max_bw and BBR.bw
        public var maxBandwidth: Rate
        public var bandwidth: Rate
        /// BBR.min_rtt
        public var minRoundTrip: Duration?
        /// RFC 6298 SRTT and RTTVAR.
        public var smoothedRoundTrip: Duration?
        public var roundTripVariance: Duration?
        /// BBR.inflight_longterm and BBR.inflight_shortterm; nil for Infinity.
        public var inflightLongTerm: UInt64?
        public var inflightShortTerm: UInt64?
        /// BBR.bw_shortterm; nil for Infinity.
        public var bandwidthShortTerm: Rate?
        /// BBR.extra_acked
        public var extraAcked: UInt64
        public var pacingRate: Rate
        public var window: UInt64
        /// BBR.round_count
        public var rounds: UInt64
        /// BBR.full_bw_reached
        public var isPipeFilled: Bool
        /// What the path loses by itself, as far as is known.
        public var randomLoss: Double
        /// ecn_alpha, once something was marked.
        public var markedShare: Double
    }

    public var status: Status {
        let limits = limits
        return Status(
            state: state.name, maxBandwidth: Rate(maxBandwidth), bandwidth: Rate(bandwidth), minRoundTrip: minRoundTrip,
            smoothedRoundTrip: smoothedRoundTrip, roundTripVariance: roundTripVariance,
            inflightLongTerm: volume(inflightLongTerm), inflightShortTerm: volume(inflightShortTerm),
            bandwidthShortTerm: bandwidthShortTerm.isFinite ? Rate(bandwidthShortTerm) : nil,
            extraAcked: volume(extraAcked) ?? 0, pacingRate: limits.pacingRate ?? .zero, window: limits.window ?? 0,
            rounds: roundCount, isPipeFilled: isFullBandwidthReached, randomLoss: randomLoss.baseline,
            markedShare: marks.alpha)
    }

    /// What to remember of this path; nil before anything was learned.
    public func memory(now: Instant) -> PathMemory? {
        guard let minRoundTrip, let lastRate, maxBandwidth > 0 else { return nil }
        return PathMemory(maxBandwidth: Rate(maxBandwidth), minRoundTrip: minRoundTrip, at: min(lastRate, now))
    }

    private func volume(_ bytes: Double) -> UInt64? {
        bytes.isFinite ? UInt64(bytes.clamped(to: 0...Bound.window)) : nil
    }
}

extension Rate {
    fileprivate init(_ bytesPerSecond: Double) {
        self.init(bytesPerSecond: UInt64(bytesPerSecond.clamped(to: 0...Bound.highestRate)))
    }
}
