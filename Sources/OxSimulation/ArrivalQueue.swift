import OxModel

/// What is on its way, in the order in which it arrives: a ring of what was sent in that order, and a heap of what overtakes.
struct ArrivalQueue<Element> {
    private struct Entry {
        var at: UInt64
        /// Breaks ties, so that a run repeats.
        var order: UInt64
        var element: Element
    }

    private var ring = Ring<Entry>()
    private var heap: [Entry] = []
    private var order: UInt64 = 0

    var isEmpty: Bool { ring.isEmpty && heap.isEmpty }

    var next: Instant? {
        let times = (ring.first?.at, heap.first?.at)
        switch times {
        case (nil, nil): return nil
        case (let a?, nil): return Instant(nanoseconds: a)
        case (nil, let b?): return Instant(nanoseconds: b)
        case (let a?, let b?): return Instant(nanoseconds: min(a, b))
        }
    }

    mutating func push(_ element: Element, at: Instant) {
        order += 1
        let entry = Entry(at: at.nanoseconds, order: order, element: element)
        if let last = ring.last, last.at > entry.at { lift(entry) } else { ring.append(entry) }
    }

    mutating func pop(upTo now: Instant) -> Element? {
        let first = ring.first
        if let top = heap.first, first.map({ Self.precedes(top, $0) }) ?? true {
            return top.at <= now.nanoseconds ? takeTop().element : nil
        }
        guard let first, first.at <= now.nanoseconds else { return nil }
        return ring.removeFirst().element
    }

    private static func precedes(_ a: Entry, _ b: Entry) -> Bool { (a.at, a.order) < (b.at, b.order) }

    private mutating func lift(_ entry: Entry) {
        heap.append(entry)
        var child = heap.count - 1
        while child > 0, Self.precedes(heap[child], heap[(child - 1) / 2]) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    private mutating func takeTop() -> Entry {
        let top = heap[0]
        let last = heap.removeLast()
        if !heap.isEmpty {
            heap[0] = last
            sink()
        }
        return top
    }

    private mutating func sink() {
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < heap.count && Self.precedes(heap[child], heap[least]) {
                least = child
            }
            if least == parent { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
