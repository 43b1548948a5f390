import OxCongestion
import OxModel
import OxTraffic

/// A place that a path led to. Of one peer: what another says of the same address is not to be trusted.
struct Destination: Hashable, Sendable {
    var peer: PeerID
    var ip: IPAddress
}

/// What one path may send, and why.
struct PathCongestion: Sendable {
    /// Gaming mode ends so long after the last gaming or realtime packet.
    static let gamingGrace = Duration.seconds(5)
    /// Limits that differ by less are not worth an order.
    static let worthSaying = 0.005

    var bbr: BBR
    var batching: BatchingPolicy
    /// Since the start of the peer, as last reported, and when.
    var carried: (load: Load, at: Instant)?
    var lastUrgent: Instant?
    /// The limits in force.
    var said: PathLimits?
    /// Samples of datagrams that were sent before say nothing of this path.
    let began: Instant

    var status: BBR.Status { bbr.status }

    /// Nil when those in force will do.
    mutating func limitsToSay() -> PathLimits? {
        var limits = bbr.limits
        limits.holds = batching.hold > .zero ? batching.holds : [:]
        if let said, !limits.differs(from: said) { return nil }
        said = limits
        return limits
    }
}

extension PathLimits {
    /// Enough to matter.
    fileprivate func differs(from other: PathLimits) -> Bool {
        func far(_ a: UInt64?, _ b: UInt64?) -> Bool {
            guard let a, let b else { return a != b }
            return Double(max(a, b) - min(a, b)) > PathCongestion.worthSaying * Double(max(a, b))
        }
        return far(pacingRate?.bytesPerSecond, other.pacingRate?.bytesPerSecond)
            || far(restartRate?.bytesPerSecond, other.restartRate?.bytesPerSecond) || far(window, other.window)
            || far(quantum, other.quantum) || lossThreshold != other.lossThreshold
            || urgentGoAhead != other.urgentGoAhead || holds != other.holds
    }
}

extension PeerState {
    /// A path to somewhere begins, with what is remembered of that place.
    mutating func startCongestion(leaving: SocketAddress?, now: Instant, _ context: inout Context) {
        if let leaving { remember(leaving, now: now, &context) }
        guard context.local.congestion.isOn, let address else { return endCongestion(now: now, &context) }
        let remembered = context.destinations.recall(Destination(peer: id, ip: address.ip), now: now)
        // The handshake's round trip is that of another place after a move.
        let roundTrip = leaving == nil ? handshakeTook : remembered?.minRoundTrip
        congestion = PathCongestion(
            bbr: BBR(
                largestDatagram: UInt64(mtu?.size ?? PathMTU.base), roundTrip: roundTrip, remembered: remembered,
                seed: context.random.next(), now: now),
            batching: BatchingPolicy(context.local.congestion.hold, now: now), began: now)
        setGaming(now: now, context.local.congestion)
        sayLimits(&context)
    }

    /// The path has no session any more, or congestion control is switched off.
    mutating func endCongestion(now: Instant, _ context: inout Context) {
        guard congestion != nil else { return }
        if let address { remember(address, now: now, &context) }
        congestion = nil
        context.emit(.setLimits(id, .first, .none))
    }

    private func remember(_ address: SocketAddress, now: Instant, _ context: inout Context) {
        guard let memory = congestion?.bbr.memory(now: now) else { return }
        context.destinations.remember(memory, for: Destination(peer: id, ip: address.ip))
    }

    mutating func onPathSample(_ path: PathID, _ sample: PathSample, now: Instant, _ context: inout Context) {
        guard path == .first else { return }
        onLossSample(sample, now: now, &context)
        guard let began = congestion?.began else { return }
        if let sent = sample.sent, sent < began { return }
        // Out of idleness the worker paces by the restart rate until it hears of limits, even of the same ones.
        if sample.isRestart { congestion?.said = nil }
        if sample.urgent > 0 { congestion?.lastUrgent = now }
        setGaming(now: now, context.local.congestion)
        _ = congestion?.bbr.onSample(sample, now: now)
        sayLimits(answering: sample.at, &context)
    }

    mutating func onPacingForecast(_ scale: Double, _ context: inout Context) {
        guard context.local.congestion.heedsForecasts, congestion != nil else { return }
        congestion?.bbr.pacingScale = scale
        sayLimits(&context)
    }

    /// A reload.
    mutating func onCongestionSettings(now: Instant, _ context: inout Context) {
        let settings = context.local.congestion
        guard settings.isOn, current != nil else { return endCongestion(now: now, &context) }
        guard let congestion else { return startCongestion(leaving: nil, now: now, &context) }
        if congestion.batching.mode != settings.hold {
            self.congestion?.batching = BatchingPolicy(settings.hold, now: now)
        }
        if !settings.heedsForecasts { self.congestion?.bbr.pacingScale = 1 }
        setGaming(now: now, settings)
        sayLimits(&context)
    }

    /// What was sent since the last report: whether waiting for company pays.
    mutating func onCarried(_ carried: Load, now: Instant, _ context: inout Context) {
        guard let last = congestion?.carried else {
            congestion?.carried = (carried, now)
            return
        }
        guard now > last.at, carried.packets >= last.load.packets else { return }
        congestion?.carried = (carried, now)
        let load = Load(
            packets: carried.packets - last.load.packets, packetBytes: carried.packetBytes - last.load.packetBytes,
            datagrams: carried.datagrams - last.load.datagrams, bytes: carried.bytes - last.load.bytes,
            interval: now - last.at)
        if congestion?.batching.observe(load, now: now) ?? false { sayLimits(&context) }
    }

    private mutating func setGaming(now: Instant, _ settings: CongestionSettings) {
        let isNear = congestion?.lastUrgent.map { $0 + PathCongestion.gamingGrace > now } ?? false
        congestion?.bbr.isGaming = settings.isGaming ?? isNear
    }

    private mutating func sayLimits(answering: Instant? = nil, _ context: inout Context) {
        guard var limits = congestion?.limitsToSay() else { return }
        limits.answering = answering
        context.emit(.setLimits(id, .first, limits))
    }
}
