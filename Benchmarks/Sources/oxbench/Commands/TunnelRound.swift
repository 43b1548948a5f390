import CLabBase
import FoundationEssentials

/// How long and how exactly a way is measured.
struct TunnelLengths {
    let seconds: Int
    let probeSeconds: Double
    let overloadSeconds: Int
    let pings: Int
    /// A search ends when the rate that passed and the one that did not are this close.
    let searchRatio: Double
    /// A rate has failed when it failed so often.
    let attempts: Int

    static func full(seconds: Int) -> TunnelLengths {
        TunnelLengths(seconds: seconds, probeSeconds: 1, overloadSeconds: 5, pings: 200, searchRatio: 1.05, attempts: 2)
    }
    static func quick(seconds: Int) -> TunnelLengths {
        TunnelLengths(seconds: seconds, probeSeconds: 0.4, overloadSeconds: 3, pings: 50, searchRatio: 1.2, attempts: 1)
    }
}

/// One round of one way: one kind of traffic after the other, so that none disturbs another.
struct TunnelRound {
    let stage: TunnelStage
    let way: TunnelStage.Way
    let lengths: TunnelLengths
    let narrator: Narrator
    var samples: Samples<TunnelFigure>

    private static let smallBytes = 64
    private static let largeBytes = 1200
    private static let lossMost = 0.01

    mutating func measure() throws {
        narrator.say("\(way.peer.name): ping")
        try watched(.foreignPing) { try $0.ping() }
        narrator.say("\(way.peer.name): TCP, one flow, both ways")
        try watched(.foreignTCP) { round in
            try round.transfer(reverse: true, .tcpDown, .tcpDownProcessor)
            try round.transfer(reverse: false, .tcpUp, .tcpUpProcessor)
        }
        try goodput()
        narrator.say("\(way.peer.name): UDP, as much as arrives")
        try watched(.foreignUDP) { round in
            try round.search(.udpSmall, bytes: Self.smallBytes)
            try round.search(.udpLarge, bytes: Self.largeBytes)
        }
        narrator.say("\(way.peer.name): UDP, three times that")
        try watched(.foreignOverload) { try $0.overload() }
    }

    /// Notes what others took of the machine meanwhile.
    private mutating func watched(_ figure: TunnelFigure, _ body: (inout TunnelRound) throws -> Void) throws {
        let start = ProcessUsage.Moment()
        try body(&self)
        if let percent = ProcessUsage.Moment().foreignPercent(since: start) { samples.add(figure, percent) }
    }

    private mutating func ping() throws {
        let times = try way.traffic.ping(count: lengths.pings, interval: 0.01).sorted()
        samples.add(.pingMedian, 1000 * times[(times.count - 1) / 2])
        samples.add(.pingP99, 1000 * times[(times.count * 99 + 99) / 100 - 1])
    }

    // MARK: TCP

    private mutating func transfer(reverse: Bool, _ rate: TunnelFigure, _ processor: TunnelFigure) throws {
        let before = try way.processorSeconds()
        let received = try way.traffic.transfer(.seconds(lengths.seconds), reverse: reverse).end.sum_received
        let used = try way.processorSeconds() - before
        samples.add(rate, received.bits_per_second / 1e9)
        if !way.ends.isEmpty {
            samples.add(processor, used / (Double(received.bytes) / 1e9))
            samples.add(.resident, Double(try way.residentBytes()) / 1e6)
        }
    }

    /// The counters of a veth count a super-packet as one packet, so nothing is sent as one meanwhile.
    private mutating func goodput() throws {
        try stage.setSegmentation(false)
        let before = try stage.wireBytes()
        let received = try way.traffic.transfer(.seconds(min(lengths.seconds, 2)), reverse: true).end.sum_received
        let wire = try stage.wireBytes() - before
        try stage.setSegmentation(true)
        samples.add(.goodput, 100 * Double(received.bytes) / Double(wire))
    }

    // MARK: UDP

    private struct Probe {
        let delivered: Double
        let passed: Bool
    }

    /// Datagrams that are due within 100 us go in one system call: what a timer can hold.
    private func plan(_ rate: Double, bytes: Int, seconds: Double) -> [String] {
        let burst = min(64, max(1, Int(rate / 10_000)))
        return [
            "--profile", "bulk", "--pps", "\(rate)", "--size", "\(bytes)", "--burst", "\(burst)", "--duration",
            "\(seconds)s", "--at-most", "\(seconds * 1.05)s",
        ]
    }

    private func probe(_ rate: Double, bytes: Int) throws -> Probe {
        let flow = try way.traffic.flow(
            plan(rate, bytes: bytes, seconds: lengths.probeSeconds), seconds: lengths.probeSeconds, linger: "150ms")
        let arrived = Double(flow.received.received_packets) / (rate * lengths.probeSeconds)
        // Else a queue that grows would pass for as long as it has room.
        let inTime = flow.received.elapsed_s ?? .infinity <= 1.02 * lengths.probeSeconds + 0.01
        return Probe(delivered: flow.deliveredPerSecond, passed: arrived >= 1 - Self.lossMost && inTime)
    }

    /// The highest rate of which at most 1 % is lost, a sender that falls behind included: doubling or halving until it
    /// lies between two, then bisection.
    private mutating func search(_ figure: TunnelFigure, bytes: Int) throws {
        var rate = samples.median(figure) ?? 40_000
        var step = samples.count(figure) == 0 ? 1.8 : 1.25
        var passed: (rate: Double, delivered: Double)?
        var failed: Double?
        while true {
            var probe = try probe(rate, bytes: bytes)
            for _ in 1..<lengths.attempts where !probe.passed { probe = try self.probe(rate, bytes: bytes) }
            if probe.passed { passed = (rate, probe.delivered) } else { failed = rate }
            switch (passed, failed) {
            case (let low?, let high?):
                guard high / low.rate > lengths.searchRatio else {
                    samples.add(figure, low.delivered)
                    return
                }
                rate = (low.rate * high).squareRoot()
            case (_?, nil): rate *= step
            default:
                guard rate > 100 else { throw LabFailure("\(way.peer.name) loses more than 1 % of 100 packets a second") }
                rate /= step
            }
            if passed == nil || failed == nil { step *= 1.2 }
        }
    }

    private mutating func overload() throws {
        guard let peak = samples.latest(.udpSmall) else { return }
        let seconds = Double(lengths.overloadSeconds)
        var milliseconds: Double?
        let flow = try way.traffic.flow(
            plan(3 * peak, bytes: Self.smallBytes, seconds: seconds), seconds: seconds, linger: "300ms"
        ) {
            try Signals.sleep(300_000_000)
            let start = lab_clock_ns()
            do {
                _ = try way.traffic.transfer(.bytes(65_536), patience: seconds - 0.8)
                milliseconds = Double(lab_clock_ns() - start) / 1e6
            } catch is LabFailure {
                // Not to get through is a result.
            }
        }
        samples.add(.overloadOffered, Double(flow.sent.sent_packets) / flow.sent.elapsed_s)
        samples.add(.overloadDelivered, flow.deliveredPerSecond)
        samples.add(.overloadShare, 100 * flow.deliveredPerSecond / peak)
        if let milliseconds { samples.add(.overloadTransfer, milliseconds) }
    }
}
