import OxModel

/// Issues the ids under which this side receives. Each is in the hands of one session at a time, and comes back as late as is
/// reasonable, so that stray datagrams of its last session have left the network.
///
/// The low byte of an id says which worker its datagrams go to, so each worker has a share of the ids.
struct SessionIDAllocator: Sendable {
    /// Ids of a share that rest before the first of them is issued again, while there are fresh ones.
    static let restingMost = 4096

    private var shares: [Share]
    private var issued: Set<SessionID> = []

    init(bytes: Int, start: UInt64, workers: Int = 1) {
        precondition((1...256).contains(workers))
        let bytes = min(max(bytes, 1), 4)
        shares = (0..<workers).map { Share(worker: $0, of: workers, bytes: bytes, start: start) }
    }

    var issuedCount: Int { issued.count }

    /// An id whose datagrams come to the worker that has the peer. Nil when every one is taken.
    mutating func issue(for peer: PeerID) -> SessionID? {
        guard let id = shares[peer.worker(of: shares.count)].issue() else { return nil }
        issued.insert(id)
        return id
    }

    /// Ids that are not out are ignored.
    mutating func release(_ id: SessionID) {
        guard issued.remove(id) != nil else { return }
        shares[id.worker(of: shares.count)].release(id)
    }

    private struct Share {
        private let worker: UInt64
        private let workers: UInt64
        /// Values of the low byte that belong to the worker.
        private let lowBytes: UInt64
        private let capacity: UInt64
        /// The first id of this run, so that two runs of one machine rarely issue the same ids.
        private let start: UInt64
        private var fresh: UInt64 = 0
        private var resting: [SessionID] = []
        private var restingHead = 0

        init(worker: Int, of workers: Int, bytes: Int, start: UInt64) {
            self.worker = UInt64(worker)
            self.workers = UInt64(workers)
            lowBytes = UInt64((256 - worker + workers - 1) / workers)
            capacity = lowBytes << (8 * UInt64(bytes - 1))
            self.start = start % capacity
        }

        mutating func issue() -> SessionID? {
            if fresh < capacity, resting.count - restingHead < SessionIDAllocator.restingMost {
                let index = (start + fresh) % capacity
                fresh += 1
                return SessionID(UInt32((index / lowBytes) << 8 | (index % lowBytes * workers + worker)))
            }
            guard restingHead < resting.count else { return nil }
            let id = resting[restingHead]
            restingHead += 1
            if restingHead > 1024, restingHead * 2 > resting.count {
                resting.removeFirst(restingHead)
                restingHead = 0
            }
            return id
        }

        mutating func release(_ id: SessionID) { resting.append(id) }
    }
}
