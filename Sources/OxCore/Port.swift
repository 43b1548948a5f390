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

    /// One queue of a TUN device, made where it does not exist; and the device's name.
    public static func tun(name: String) throws(CoreError) -> (port: Port, name: String) {
        let attempt = "open the TUN device \(name)"
        guard name.utf8.count <= Int(OX_DEVICE_NAME_MAX) else { throw CoreError(attempt: attempt, reason: .badFormat) }
        var bytes = Array(name.utf8) + [UInt8](repeating: 0, count: Int(OX_DEVICE_NAME_MAX) + 1 - name.utf8.count)
        var made: UnsafeMutablePointer<ox_port>?
        let status = unsafe bytes.withUnsafeMutableBytes { raw in
            unsafe ox_tun_open(raw.bindMemory(to: CChar.self).baseAddress, &made)
        }
        try CoreError.check(status, attempt)
        return unsafe (Port(made!), String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self))
    }

    /// The UDP port, for IPv4 and IPv6; and its number.
    public static func udp(port: UInt16, mark: UInt32?) throws(CoreError) -> (port: Port, number: UInt16) {
        var parameters = ox_udp_parameters(port: port, mark: mark ?? 0, receive_buffer: 0)
        var number: UInt16 = 0
        var made: UnsafeMutablePointer<ox_port>?
        let status = unsafe ox_udp_open(&parameters, &number, &made)
        try CoreError.check(status, port == 0 ? "open a UDP port" : "open UDP port \(port)")
        return unsafe (Port(made!), number)
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
    private let pointer: UnsafeMutablePointer<ox_port>
    private var scratch = [UInt8](repeating: 0, count: Int(OX_BUF_BYTES))

    init(_ pointer: UnsafeMutablePointer<ox_port>) { unsafe self.pointer = pointer }

    /// False when the queue is full.
    public func push(_ bytes: [UInt8], from address: SocketAddress? = nil, ecn: UInt8 = 0) -> Bool {
        var from = address?.core ?? ox_address()
        return unsafe bytes.withUnsafeBufferPointer {
            unsafe ox_memory_push(pointer, $0.baseAddress, $0.count, &from, ecn)
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
}
