import OxModel

/// Why a link loses something: the names that it is counted under.
public enum LinkLoss: String, Sendable, CaseIterable {
    /// Longer than the link carries.
    case mtu = "link_mtu"
    case policer = "link_policer"
    case queue = "link_queue"
    case random = "link_loss"
}

/// One direction of a link, and what is on its way in it.
struct Link<Element> {
    /// Of IPv4 and UDP, which the bottleneck carries and the ports do not show.
    static var headerBytes: Int { 28 }

    private let model: LinkModel
    private var queue: BottleneckQueue?
    private var arrivals = ArrivalQueue<(element: Element, ecn: UInt8)>()
    private var random: SeededGenerator
    private var isBad = false
    private var isOut = false
    private var turnsAt: Instant
    private let lossEnds: Instant
    private var latest: UInt64 = 0
    private let delay: UInt64
    private let isJittered: Bool
    private(set) var lost: [LinkLoss: UInt64] = [:]
    var meter: LinkMeter

    init(_ model: LinkModel, random: SeededGenerator, start: Instant) {
        self.model = model
        self.random = random
        queue = model.bottleneck.map { BottleneckQueue($0, start: start) }
        delay = UInt64(max(0, model.delay.wholeNanoseconds))
        isJittered = model.jitter > .zero || model.reordering > 0
        turnsAt = start
        lossEnds = model.lossEnds.map { start + $0 } ?? Instant(nanoseconds: .max)
        meter = LinkMeter(start: start)
        if let outages = model.outages { turnsAt = start + self.random.lasting(outages.between) }
    }

    var next: Instant? { arrivals.next }

    mutating func pop(upTo now: Instant) -> (element: Element, ecn: UInt8)? { arrivals.pop(upTo: now) }

    /// Returns how many copies are on their way: none of what was lost.
    ///
    /// - Parameters:
    ///   - bytes: of the IP packet.
    ///   - user: whom the meter counts it for.
    mutating func send(_ element: Element, bytes: Int, ecn: UInt8, user: Int = 0, now: Instant) -> Int {
        meter.offered(bytes, user: user, now: now)
        if bytes > model.mtu + Self.headerBytes { return lose(bytes, .mtu, now) }
        var leaves = now
        var ecn = ecn
        switch queue?.admit(bytes: bytes, now: now) {
        case nil: break
        case .dropped(let why): return lose(bytes, why, now)
        case .passes(let at, let waits, let marked):
            leaves = at
            // RFC 3168: what is capable of it is marked.
            if marked, ecn != 0 {
                ecn = 3
                meter.marked += 1
            }
            meter.waited(waits)
        }
        if now < lossEnds, random.chance(model.loss) || loseInBurst() || isOutage(now) { return lose(bytes, .random, now) }
        meter.left(bytes, user: user, at: leaves)
        let copies = random.chance(model.duplication) ? 2 : 1
        for _ in 0..<copies { arrivals.push((element, ecn), at: arrival(leaves)) }
        return copies
    }

    private mutating func arrival(_ leaves: Instant) -> Instant {
        var at = leaves.nanoseconds + delay
        if isJittered {
            var late = random.duration(upTo: model.jitter)
            if random.chance(model.reordering) { late += model.jitter * 5 + .milliseconds(10) }
            at += UInt64(late.wholeNanoseconds)
        }
        if model.keepsOrder {
            at = max(at, latest)
            latest = at
        }
        return Instant(nanoseconds: at)
    }

    private mutating func loseInBurst() -> Bool {
        guard let bursts = model.lossBursts else { return false }
        if random.chance(isBad ? bursts.goodFromBad : bursts.badFromGood) { isBad.toggle() }
        return random.chance(isBad ? bursts.lossInBad : bursts.lossInGood)
    }

    private mutating func isOutage(_ now: Instant) -> Bool {
        guard let outages = model.outages else { return false }
        while turnsAt <= now {
            isOut.toggle()
            turnsAt += random.lasting(isOut ? outages.length : outages.between)
        }
        return isOut
    }

    private mutating func lose(_ bytes: Int, _ why: LinkLoss, _ now: Instant) -> Int {
        lost[why, default: 0] += 1
        meter.lost(bytes, why, now: now)
        return 0
    }
}
