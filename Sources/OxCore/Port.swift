internal import COxBase
internal import COxIO
internal import COxPacket
public import OxModel

/// A place where packets come from and go to. A worker that takes it owns it.
@safe public final class Port: @unchecked Sendable {
    private var pointer: UnsafeMutablePointer<ox_port>?

    private init(_ pointer: UnsafeMutablePointer<ox_port>) { unsafe self.pointer = pointer }

    deinit { unsafe ox_port_close(pointer) }

    /// The caller owns what it gets: once only.
    func release() -> UnsafeMutablePointer<ox_port> {
        defer { unsafe pointer = nil }
        return unsafe pointer!
    }

    /// One queue of a TUN device, made where it does not exist; and the device's name. With `offload` super-packets and
    /// partial checksums are left to the kernel, as far as it can.
    public static func tun(name: String, offload: Bool) throws(CoreError) -> (port: Port, name: String) {
        let attempt = "open the TUN device \(name)"
        guard name.utf8.count <= Int(OX_DEVICE_NAME_MAX) else { throw CoreError(attempt: attempt, reason: .badFormat) }
        var bytes = Array(name.utf8) + [UInt8](repeating: 0, count: Int(OX_DEVICE_NAME_MAX) + 1 - name.utf8.count)
        var made: UnsafeMutablePointer<ox_port>?
        let status = unsafe bytes.withUnsafeMutableBytes { raw in
            unsafe ox_tun_open(raw.bindMemory(to: CChar.self).baseAddress, offload, &made)
        }
        try CoreError.check(status, attempt)
        return unsafe (Port(made!), String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self))
    }

    /// How a UDP port is to be opened.
    public struct UDPOptions: Sendable {
        /// 0 for any.
        public var port: UInt16
        /// SO_MARK.
        public var mark: UInt32?
        /// Several datagrams in one buffer, where the kernel can (UDP_GRO, UDP_SEGMENT).
        public var offload: Bool
        /// SO_BUSY_POLL, in microseconds; 0 for off.
        public var busyPoll: UInt32
        /// Ports that share the number, a worker each: `Port.owner(of:workers:)` says whose a session is.
        public var workers: Int

        public init(port: UInt16, mark: UInt32? = nil, offload: Bool, busyPoll: UInt32 = 0, workers: Int = 1) {
            self.port = port
            self.mark = mark
            self.offload = offload
            self.busyPoll = busyPoll
            self.workers = workers
        }
    }

    /// The UDP ports, for IPv4 and IPv6, one a worker; and their common number. Handshakes come to the first.
    public static func udp(_ options: UDPOptions) throws(CoreError) -> (ports: [Port], number: UInt16) {
        let attempt = options.port == 0 ? "open a UDP port" : "open UDP port \(options.port)"
        precondition((1...Int(OX_UDP_WORKERS_MAX)).contains(options.workers))
        var parameters = ox_udp_parameters()
        parameters.port = options.port
        parameters.mark = options.mark ?? 0
        parameters.busy_poll_us = options.busyPoll
        parameters.workers = UInt32(options.workers)
        parameters.offload = options.offload
        var number: UInt16 = 0
        var made = unsafe [UnsafeMutablePointer<ox_port>?](repeating: nil, count: options.workers)
        let status = unsafe ox_udp_open(&parameters, &number, &made)
        try CoreError.check(status, attempt)
        return unsafe (made.map { unsafe Port($0!) }, number)
    }

    /// Which of `workers` the kernel brings the data of a session to.
    public static func owner(of session: UInt32, workers: Int) -> Int {
        Int(ox_udp_worker(session, UInt32(workers)))
    }

    /// A port whose other end is a MemoryLink: no system calls.
    public static func memory(capacity: Int) throws(CoreError) -> (port: Port, link: MemoryLink) {
        guard let made = unsafe ox_memory_open(UInt32(capacity)) else {
            throw CoreError(attempt: "make a port in memory", reason: .noMemory)
        }
        return unsafe (Port(made), MemoryLink(made))
    }
}

/// The outer end of a port in memory. Valid as long as the worker that owns the port.
@safe public final class MemoryLink {
    let pointer: UnsafeMutablePointer<ox_port>
    private var scratch = [UInt8](repeating: 0, count: Int(OX_BUF_BYTES))

    init(_ pointer: UnsafeMutablePointer<ox_port>) { unsafe self.pointer = pointer }

    /// False when the queue is full.
    public func push(_ bytes: [UInt8], from address: SocketAddress? = nil, ecn: UInt8 = 0) -> Bool {
        var from = address?.core ?? ox_address()
        return unsafe bytes.withUnsafeBufferPointer {
            unsafe ox_memory_push(pointer, $0.baseAddress, $0.count, &from, ecn)
        }
    }

    /// A TCP or UDP super-packet whose checksum is partial, as a device hands it out. False when the queue is full.
    public func push(_ bytes: [UInt8], segment: UInt16, transport: UInt16, protocol number: UInt8) -> Bool {
        var like = unsafe ox_buf()
        unsafe like.segment = segment
        unsafe like.transport = transport
        unsafe like.protocol = number
        return unsafe push(bytes, like: like)
    }

    /// Datagrams of `segment` bytes each, as the network puts them together. False when the queue is full.
    public func push(_ bytes: [UInt8], segment: UInt16, from address: SocketAddress, ecn: UInt8 = 0) -> Bool {
        var like = unsafe ox_buf()
        unsafe like.segment = segment
        unsafe like.address = address.core
        unsafe like.ecn = ecn
        return unsafe push(bytes, like: like)
    }

    private func push(_ bytes: [UInt8], like: ox_buf) -> Bool {
        unsafe withUnsafePointer(to: like) { like in
            unsafe bytes.withUnsafeBufferPointer { unsafe ox_memory_push_super(pointer, $0.baseAddress, $0.count, like) }
        }
    }

    public struct Packet: Sendable {
        public var bytes: [UInt8]
        public var to: SocketAddress?
        public var ecn: UInt8
    }

    public func pop() -> Packet? {
        var length = 0
        var to = ox_address()
        var ecn: UInt8 = 0
        let popped = unsafe scratch.withUnsafeMutableBufferPointer {
            unsafe ox_memory_pop(pointer, $0.baseAddress, &length, &to, &ecn)
        }
        guard popped else { return nil }
        return Packet(bytes: Array(scratch.prefix(length)), to: to.port == 0 ? nil : SocketAddress(to), ecn: ecn)
    }

    /// Shows the next packet to `body`, and lets it go. False when there is none.
    public func pop(_ body: (Span<UInt8>) -> Void) -> Bool {
        var length = 0
        let popped = unsafe scratch.withUnsafeMutableBufferPointer {
            unsafe ox_memory_pop(pointer, $0.baseAddress, &length, nil, nil)
        }
        guard popped else { return false }
        let bytes = scratch
        body(bytes.span.extracting(0..<length))
        return true
    }
}
