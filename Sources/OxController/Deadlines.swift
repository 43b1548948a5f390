import OxModel

/// The next deadline of every peer that has one: a binary heap that knows where each peer stands in it, so that changing a
/// deadline costs a logarithm and leaves nothing stale behind.
struct Deadlines: Sendable {
    private struct Entry: Comparable {
        var at: Instant
        var peer: PeerID

        /// Peers of one instant come in the order of their ids, so that a run can be repeated.
        static func < (a: Entry, b: Entry) -> Bool { (a.at, a.peer) < (b.at, b.peer) }
    }

    private var heap: [Entry] = []
    private var position: [PeerID: Int] = [:]

    var earliest: Instant? { heap.first?.at }
    var count: Int { heap.count }

    mutating func set(_ peer: PeerID, to at: Instant?) {
        guard let at else { return remove(peer) }
        guard let index = position[peer] else {
            heap.append(Entry(at: at, peer: peer))
            position[peer] = heap.count - 1
            return siftUp(heap.count - 1)
        }
        guard heap[index].at != at else { return }
        heap[index].at = at
        siftUp(index)
        siftDown(position[peer]!)
    }

    /// Takes the earliest peer out if its time has come.
    mutating func popDue(_ now: Instant) -> PeerID? {
        guard let first = heap.first, first.at <= now else { return nil }
        remove(first.peer)
        return first.peer
    }

    mutating func remove(_ peer: PeerID) {
        guard let index = position.removeValue(forKey: peer) else { return }
        let last = heap.removeLast()
        guard index < heap.count else { return }
        heap[index] = last
        position[last.peer] = index
        siftUp(index)
        siftDown(position[last.peer]!)
    }

    private mutating func siftUp(_ start: Int) {
        var index = start
        while index > 0, heap[index] < heap[(index - 1) / 2] {
            exchange(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    private mutating func siftDown(_ start: Int) {
        var index = start
        while true {
            var least = index
            for child in [2 * index + 1, 2 * index + 2] where child < heap.count && heap[child] < heap[least] {
                least = child
            }
            guard least != index else { return }
            exchange(index, least)
            index = least
        }
    }

    private mutating func exchange(_ a: Int, _ b: Int) {
        heap.swapAt(a, b)
        position[heap[a].peer] = a
        position[heap[b].peer] = b
    }
}
