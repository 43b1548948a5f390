internal import COxBase
internal import COxIO
internal import COxPacket
public import OxModel

/// Where datagrams are between two ports in memory: in places that are used again, so that none costs an allocation.
@safe public final class DatagramStore {
    /// A datagram of the store. Each copy of it ends with a `release`.
    public struct Datagram: Sendable {
        let place: UInt32
        /// Bytes of it: the payload of UDP.
        public let bytes: UInt32
        /// The codepoint that it was sent with.
        public let ecn: UInt8
    }

    /// An address in the form that a port takes.
    public struct Sender: Sendable {
        let core: ox_address
        public init(_ address: SocketAddress) { core = address.core }
    }

    private static let placeBytes = Int(OX_BUF_BYTES)
    private static let slabPlaces = 256
    private var slabs: [UnsafeMutablePointer<UInt8>] = unsafe []
    private var free: [UInt32] = []
    /// Of each place, the copies that are under way.
    private var copies: [UInt8] = []

    public init() {}

    deinit { for unsafe slab in unsafe slabs { unsafe slab.deallocate() } }

    /// What the port sent next. Nil when there is nothing.
    public func take(from link: MemoryLink) -> Datagram? {
        if free.isEmpty { grow() }
        let place = free[free.count - 1]
        var length = 0
        var ecn: UInt8 = 0
        guard unsafe ox_memory_pop(link.pointer, pointer(place), &length, nil, &ecn) else { return nil }
        free.removeLast()
        copies[Int(place)] = 1
        return Datagram(place: place, bytes: UInt32(length), ecn: ecn)
    }

    /// Brings a copy to a port. False when its queue is full. The datagram stays in the store.
    public func push(_ datagram: Datagram, to link: MemoryLink, from sender: Sender, ecn: UInt8) -> Bool {
        var from = sender.core
        return unsafe ox_memory_push(link.pointer, pointer(datagram.place), Int(datagram.bytes), &from, ecn)
    }

    /// There is one more copy of it.
    public func retain(_ datagram: Datagram) { copies[Int(datagram.place)] += 1 }

    /// A copy has arrived, or is lost.
    public func release(_ datagram: Datagram) {
        let place = Int(datagram.place)
        precondition(copies[place] > 0, "a datagram ends once")
        copies[place] -= 1
        if copies[place] == 0 { free.append(datagram.place) }
    }

    /// Datagrams in it.
    public var count: Int { copies.count - free.count }

    private func pointer(_ place: UInt32) -> UnsafeMutablePointer<UInt8> {
        unsafe slabs[Int(place) / Self.slabPlaces] + Int(place) % Self.slabPlaces * Self.placeBytes
    }

    private func grow() {
        let first = copies.count
        unsafe slabs.append(.allocate(capacity: Self.slabPlaces * Self.placeBytes))
        copies += [UInt8](repeating: 0, count: Self.slabPlaces)
        free += (first..<copies.count).reversed().map(UInt32.init)
    }
}
