import OxCore
import OxModel
import Oxidize

/// One end of a tunnel in a congestion scenario.
final class TunnelEnd {
    let tunnel: Int
    /// Of what it sends.
    let direction: CongestionScenario.Direction
    let host: Host
    let sender: DatagramStore.Sender
    /// Something came to one of its ports since it turned.
    var isTouched = true
    var datagrams: UInt64 = 0
    var wireBytes: UInt64 = 0

    // Of what saturates it.
    private var fillRate = 0.0
    private var filledAt: Instant
    private var filledSent: UInt64 = 0
    private var allowance = 0.0
    private var allowedAt: Instant
    private var depth = 12

    private static let peer = PeerID(0)
    /// So many packets wait at most, and at least; in between about as many as leave in so many seconds.
    private static let depths = 12...512
    private static let depthSeconds = 0.004
    private static let measureEvery = Duration.milliseconds(20)
    /// A saturating source offers at most so many times what the link carries: more would only be dropped.
    private static let fillMost = 4.0

    init(tunnel: Int, direction: CongestionScenario.Direction, host: Host, now: Instant) {
        self.tunnel = tunnel
        self.direction = direction
        self.host = host
        sender = DatagramStore.Sender(host.address)
        filledAt = now
        allowedAt = now
    }

    /// False when the device has no room.
    func push(_ packet: [UInt8]) -> Bool {
        guard host.device.push(packet) else { return false }
        isTouched = true
        return true
    }

    /// What repair did for what it sent.
    var repaired: RepairCounts { host.node.workers[0].traffic(of: Self.peer)?.repair ?? RepairCounts() }

    /// Inner packets that have left it in datagrams.
    var packetsSent: UInt64 { host.node.workers[0].traffic(of: Self.peer)?.packetsSent ?? 0 }
    /// Their bytes, as they came.
    var packetBytesSent: UInt64 { host.node.workers[0].traffic(of: Self.peer)?.packetBytesSent ?? 0 }

    /// How many packets a saturating source may add now.
    func room(now: Instant, linkRate: Rate) -> Int {
        let elapsed = now - filledAt
        if elapsed >= Self.measureEvery {
            let sent = packetsSent
            let perSecond = Double(sent - filledSent) / elapsed.inSeconds
            depth = min(max(Int(perSecond * Self.depthSeconds), Self.depths.lowerBound), Self.depths.upperBound)
            filledAt = now
            filledSent = sent
        }
        allowance += Double(now.nanoseconds - allowedAt.nanoseconds) * Double(linkRate.bytesPerSecond) * Self.fillMost / 1.5e12
        allowance = min(allowance, Double(Self.depths.upperBound))
        allowedAt = now
        return max(0, min(depth - Int(host.node.queuedPackets), Int(allowance)))
    }

    func spend(_ packets: Int) { allowance -= Double(packets) }
}
