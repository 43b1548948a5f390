/// How the losses of one class on one path are repaired: by what, and how much of it. All empty: not at all.
public struct RepairOrder: Hashable, Sendable {
    /// Of sparse flows: which later datagrams of the same flow carry a datagram's packets again, ascending from 1. At most `copiesMost`.
    public var copies: [Int]
    /// Of all others: repair datagrams for each datagram of the class.
    public var windowShare: Double
    /// Datagrams that a repair datagram covers, at most `windowMost`.
    public var window: Int
    /// What is known to be lost is sent again.
    public var retransmits: Bool
    /// From when a packet was sent until a repair of it arrives that is still worth something.
    public var deadline: Duration

    public static let copiesMost = 3
    public static let offsetMost = 16
    public static let windowMost = 64

    public init(
        copies: [Int] = [], windowShare: Double = 0, window: Int = 0, retransmits: Bool = false,
        deadline: Duration = .zero
    ) {
        self.copies = copies
        self.windowShare = windowShare
        self.window = window
        self.retransmits = retransmits
        self.deadline = deadline
    }

    public static let none = RepairOrder()

    public var isEmpty: Bool { copies.isEmpty && windowShare == 0 && !retransmits }
}

/// The orders of a path.
public struct PathRepair: Equatable, Sendable {
    /// Of the classes that are left out nothing is repaired.
    public var orders: [TrafficClass: RepairOrder]
    /// Loss is wanted to be known although nothing is repaired.
    public var watches: Bool

    public init(orders: [TrafficClass: RepairOrder] = [:], watches: Bool = false) {
        self.orders = orders
        self.watches = watches
    }

    public static let none = PathRepair()
}

/// What a class has sent over a path that can be repaired.
public struct RepairLoad: Equatable, Sendable {
    /// Datagrams, and bytes of their UDP payload, of flows so sparse that copies ride in their own later ones: since the start.
    public var sparseDatagrams: UInt64
    public var sparseBytes: UInt64
    /// From one datagram to the next of such a flow, as is usual; of several flows the longest. Nil before it is known.
    public var sparseGap: Duration?
    /// Of all others.
    public var denseDatagrams: UInt64
    public var denseBytes: UInt64

    public init(
        sparseDatagrams: UInt64 = 0, sparseBytes: UInt64 = 0, sparseGap: Duration? = nil, denseDatagrams: UInt64 = 0,
        denseBytes: UInt64 = 0
    ) {
        self.sparseDatagrams = sparseDatagrams
        self.sparseBytes = sparseBytes
        self.sparseGap = sparseGap
        self.denseDatagrams = denseDatagrams
        self.denseBytes = denseBytes
    }
}

/// What repair did on a path, since the start.
public struct RepairCounts: Equatable, Sendable {
    /// Sent: copies that rode in datagrams of their flow, repair datagrams, and what was sent again; each with the bytes that it took.
    public var copies: UInt64 = 0
    public var copyBytes: UInt64 = 0
    public var windows: UInt64 = 0
    public var windowBytes: UInt64 = 0
    public var resent: UInt64 = 0
    public var resentBytes: UInt64 = 0
    /// Datagrams that the other side recovered, by what; and repairs that came too late, and datagrams that a window could not recover.
    public var peerByCopy: UInt64 = 0
    public var peerByWindow: UInt64 = 0
    public var peerByResend: UInt64 = 0
    public var peerLate: UInt64 = 0
    public var peerGivenUp: UInt64 = 0
    /// Likewise on this side.
    public var byCopy: UInt64 = 0
    public var byWindow: UInt64 = 0
    public var byResend: UInt64 = 0
    public var late: UInt64 = 0
    public var givenUp: UInt64 = 0
    /// Repairs of what had arrived.
    public var unneeded: UInt64 = 0

    public init() {}

    public var bytesSpent: UInt64 { copyBytes &+ windowBytes &+ resentBytes }
    public var peerRecovered: UInt64 { peerByCopy &+ peerByWindow &+ peerByResend }
    public var recovered: UInt64 { byCopy &+ byWindow &+ byResend }
}
