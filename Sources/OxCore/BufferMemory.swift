internal import COxPacket

/// Where a worker's packet buffers come from, and how many there may be.
public struct BufferMemory {
    /// The NUMA node to take them from. Nil where there is nothing to choose.
    public var node: Int32?
    /// Ask for huge pages.
    public var hugePages: Bool
    /// By how much the pool may grow under load, with all workers that have the same allowance.
    public var growth: Allowance

    public init(node: Int32? = nil, hugePages: Bool = false, growth: Allowance = Allowance(bytes: 64 << 20)) {
        self.node = node
        self.hugePages = hugePages
        self.growth = growth
    }

    /// Bytes that are taken under load and given back when they are not needed. Belongs to one control thread.
    public final class Allowance {
        private(set) var left: Int

        public init(bytes: Int) { left = bytes }

        func take(_ bytes: Int) -> Bool {
            guard left >= bytes else { return false }
            left -= bytes
            return true
        }

        func giveBack(_ bytes: Int) { left += bytes }
    }

    /// A pool grows by about so many bytes at a time.
    static let slabBytes = 8 << 20

    static func bytes(of kind: ox_buf_class) -> Int {
        kind == .OX_BUF_LARGE ? Int(OX_BUF_LARGE_BYTES) : Int(OX_BUF_BYTES)
    }
}
