import OxModel

/// Datagrams on their way, in the order in which they arrive.
struct Network {
    struct Flight {
        var at: Instant
        /// Breaks ties, so that a run repeats.
        var order: UInt64
        var from: SocketAddress
        var to: SocketAddress
        var bytes: [UInt8]
        var ecn: UInt8
        /// The turn that sent it.
        var turn: TurnID
    }

    /// How datagrams ended that never arrived.
    private(set) var lost: [String: UInt64] = [:]
    private var heap: [Flight] = []
    private var order: UInt64 = 0
    private var random: SeededGenerator
    private let model: LinkModel

    init(_ model: LinkModel, random: SeededGenerator) {
        self.model = model
        self.random = random
    }

    var next: Instant? { heap.first?.at }

    mutating func drop(_ name: String) { lost[name, default: 0] += 1 }

    /// Returns whether it will arrive.
    mutating func send(
        _ bytes: [UInt8], from: SocketAddress, to: SocketAddress, ecn: UInt8, turn: TurnID, now: Instant
    ) -> Bool {
        if bytes.count > model.mtu {
            drop("link_mtu")
            return false
        }
        if random.chance(model.loss) {
            drop("link_loss")
            return false
        }
        let copies = random.chance(model.duplication) ? 2 : 1
        for _ in 0..<copies {
            var delay = model.delay + random.duration(upTo: model.jitter)
            if random.chance(model.reordering) { delay += model.jitter * 5 + .milliseconds(10) }
            order += 1
            push(Flight(at: now + delay, order: order, from: from, to: to, bytes: bytes, ecn: ecn, turn: turn))
        }
        return true
    }

    mutating func pop(upTo now: Instant) -> Flight? {
        guard let first = heap.first, first.at <= now else { return nil }
        let last = heap.removeLast()
        if !heap.isEmpty {
            heap[0] = last
            sink()
        }
        return first
    }

    private func precedes(_ a: Int, _ b: Int) -> Bool {
        (heap[a].at, heap[a].order) < (heap[b].at, heap[b].order)
    }

    private mutating func push(_ flight: Flight) {
        heap.append(flight)
        var child = heap.count - 1
        while child > 0, precedes(child, (child - 1) / 2) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    private mutating func sink() {
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && precedes(child, least) {
                least = child
            }
            if least == parent { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}

/// One turn of one host, for tracing which datagrams carried which packets.
struct TurnID: Hashable {
    var host: Int
    var number: UInt64
}
