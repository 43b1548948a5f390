import OxModel

/// A flow of a congestion scenario while it runs: both of its ends.
final class FlowRun {
    let index: Int
    let flow: CongestionScenario.Flow
    let user: Int
    /// Of the packets that it sends.
    let packetBytes: Int
    var data: FlowPacket
    var acknowledgement: FlowPacket
    var outcome = FlowOutcome()
    /// When it acts next without anything having come.
    var due: Instant
    private var nextNumber: UInt64 = 0
    private var newest: UInt64?
    private let within: [UInt64]
    private let interval: UInt64
    private var random: SeededGenerator
    private var onUntil: UInt64 = 0

    // Of a transfer.
    var sender: any TransferSender
    /// Numbers as they arrived, from `logBegin` on: an acknowledgement says how far the sender may read, as a SACK would tell it all.
    private var log = Ring<UInt64>()
    private var logBegin: UInt64 = 0
    private var unacknowledged = 0
    var acknowledgeAt: Instant?

    /// RFC 9293 section 3.8.6.3, and as most do it.
    private static let acknowledgeEvery = 2
    private static let acknowledgeDelay = Duration.milliseconds(40)

    init(_ index: Int, _ flow: CongestionScenario.Flow, user: Int, start: Instant, random: SeededGenerator) {
        self.index = index
        self.flow = flow
        self.user = user
        self.random = random
        within = flow.within.map { UInt64(max(0, $0.wholeNanoseconds)) }
        outcome.inTime = [UInt64](repeating: 0, count: flow.within.count)
        sender = flow.traffic == .bbr1 ? BBR1Sender() : CubicSender()
        due = start + flow.starts + self.random.duration(upTo: .milliseconds(100))
        let size: Int
        switch flow.traffic {
        case .saturating(let bytes):
            size = bytes
            interval = 1_000_000
        case .constant(let rate, let bytes), .onOff(let rate, _, _, let bytes):
            size = bytes
            interval = max(1, UInt64(bytes) * 1_000_000_000 / max(1, rate.bytesPerSecond))
        case .game(let pace, let bytes):
            size = bytes
            interval = 1_000_000_000 / UInt64(pace)
        case .call:
            size = 200
            interval = 20_000_000
        case .cubic, .bbr1:
            size = 1500
            interval = 0
        }
        packetBytes = max(size, FlowPacket.leastBytes)
        let form: FlowPacket.Form = flow.traffic.isTransfer ? .tcp : flow.traffic == .call ? .rtp : .udp
        let from = flow.direction == .up ? 1 : 0
        data = FlowPacket(flow: index, form: form, from: from, bytes: packetBytes)
        acknowledgement = FlowPacket(flow: index, form: form, from: 1 - from, bytes: 0)
    }

    var isTransfer: Bool { flow.traffic.isTransfer }
    var isSaturating: Bool { if case .saturating = flow.traffic { true } else { false } }

    func number() -> UInt64 {
        defer { nextNumber += 1 }
        return nextNumber
    }

    /// It has sent a packet on its own: when the next one is due.
    func rest(now: Instant) {
        due = Instant(nanoseconds: due.nanoseconds + interval)
        guard case .onOff(_, let on, let off, _) = flow.traffic else { return }
        func about(_ length: Duration) -> UInt64 {
            UInt64((length * 0.5 + random.duration(upTo: length)).wholeNanoseconds)
        }
        if onUntil == 0 { onUntil = now.nanoseconds + about(on) }
        if due.nanoseconds >= onUntil {
            due = Instant(nanoseconds: due.nanoseconds + about(off))
            onUntil = due.nanoseconds + about(on)
        }
    }

    // MARK: The receiving end

    /// Returns true when the packet is to be acknowledged at once.
    func take(_ label: FlowPacket.Label, second: Int, isMeasured: Bool, now: Instant) -> Bool {
        let isLate = newest.map { label.number < $0 } ?? false
        let isNext = newest.map { label.number == $0 + 1 } ?? true
        newest = max(newest ?? 0, label.number)
        outcome.arrived(
            bytes: packetBytes, after: now.nanoseconds - label.sent, within: within, second: second, isMeasured: isMeasured,
            isLate: isLate)
        guard isTransfer else { return false }
        log.append(label.number)
        unacknowledged += 1
        if unacknowledged >= Self.acknowledgeEvery || !isNext { return true }
        acknowledgeAt = acknowledgeAt ?? now + Self.acknowledgeDelay
        return false
    }

    /// What an acknowledgement that leaves now says.
    func acknowledge() -> UInt64 {
        unacknowledged = 0
        acknowledgeAt = nil
        return logBegin + UInt64(log.count)
    }

    /// An acknowledgement has arrived at the sender.
    func acknowledged(upTo end: UInt64, now: Instant) {
        while logBegin < end, !log.isEmpty {
            sender.acknowledged(log.removeFirst(), now: now)
            logBegin += 1
        }
        sender.settle(now: now)
    }
}
