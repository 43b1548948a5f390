import OxModel

/// Whether a path's loss is that of a full buffer: delay has risen while this side sends more than the path carries.
struct RedundancyCongestion: Sendable {
    enum Pipe {
        /// More waits at this side than the path takes.
        case full
        /// This side sends a lot, and nothing says how much the path takes.
        case perhapsFull
        case free

        /// A round trip that is longer than the least by more than this is one with a queue in it.
        var queue: (least: Duration, share: Double)? {
            switch self {
            case .full: (.milliseconds(5), 0.25)
            case .perhapsFull: (.milliseconds(15), 0.5)
            case .free: nil
            }
        }
    }

    /// The least round trip is that of this last while, or of the one before.
    private static let memory = Duration.seconds(30)
    /// A sign holds for so long.
    private static let grace = Duration.seconds(1)

    private var least: Duration?
    private var leastBefore: Duration?
    private var turned: Instant?
    private var seenUntil: Instant?

    mutating func observe(roundTrip: Duration?, pipe: Pipe, now: Instant) {
        guard let roundTrip else { return }
        if turned.map({ now - $0 >= Self.memory }) ?? true {
            leastBefore = least
            least = nil
            turned = now
        }
        let floor = min(least ?? roundTrip, roundTrip)
        least = floor
        let minimum = min(floor, leastBefore ?? floor)
        guard let queue = pipe.queue else { return }
        if roundTrip - minimum > max(queue.least, minimum * queue.share) { seenUntil = now + Self.grace }
    }

    func isSeen(now: Instant) -> Bool { seenUntil.map { $0 > now } ?? false }
}
