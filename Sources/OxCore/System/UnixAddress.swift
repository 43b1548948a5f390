internal import Glibc

/// Calls with a sockaddr_un. A name that starts with "@" is one of the abstract namespace (unix(7)).
enum UnixAddress {
    private static var pathLimit: Int { withBytes(of: sockaddr_un().sun_path).count }

    /// Nil, and errno says so, for a path that is too long.
    static func with(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> CInt) -> CInt? {
        var bytes = Array(path.utf8)
        let isAbstract = bytes.first == UInt8(ascii: "@")
        if isAbstract { bytes[0] = 0 }
        guard !bytes.isEmpty, bytes.count < pathLimit else {
            errno = ENAMETOOLONG
            return nil
        }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
        // The rest of an abstract name counts, so its length is exact; a path ends with its zero.
        let offset = MemoryLayout<sockaddr_un>.offset(of: \.sun_path)!
        let length = socklen_t(offset + bytes.count + (isAbstract ? 0 : 1))
        return unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe body($0, length) }
        }
    }

    static func socket(_ type: __socket_type, _ attempt: String) throws(CoreError) -> Descriptor {
        let flags = CInt(type.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        return try Descriptor.of(Glibc.socket(AF_UNIX, flags, 0), attempt)
    }
}
