import OxModel

/// Issues the ids under which this side receives. Each is in the hands of one session at a time, and comes back as late as is
/// reasonable, so that stray datagrams of its last session have left the network.
struct SessionIDAllocator: Sendable {
    /// Ids that rest before the first of them is issued again, while there are fresh ones.
    static let restingMost = 4096

    private let capacity: UInt64
    /// The first id of this run, so that two runs of one machine rarely issue the same ids.
    private let start: UInt64
    private var fresh: UInt64 = 0
    private var issued: Set<SessionID> = []
    private var resting: [SessionID] = []
    private var restingHead = 0

    init(bytes: Int, start: UInt64) {
        capacity = 1 << (8 * UInt64(min(max(bytes, 1), 4)))
        self.start = start % capacity
    }

    var issuedCount: Int { issued.count }

    /// Nil when every id is taken.
    mutating func issue() -> SessionID? {
        let id: SessionID
        if fresh < capacity, resting.count - restingHead < SessionIDAllocator.restingMost {
            id = SessionID(UInt32((start + fresh) % capacity))
            fresh += 1
        } else if restingHead < resting.count {
            id = resting[restingHead]
            restingHead += 1
            if restingHead > 1024, restingHead * 2 > resting.count {
                resting.removeFirst(restingHead)
                restingHead = 0
            }
        } else {
            return nil
        }
        issued.insert(id)
        return id
    }

    /// Ids that are not out are ignored.
    mutating func release(_ id: SessionID) {
        guard issued.remove(id) != nil else { return }
        resting.append(id)
    }
}
