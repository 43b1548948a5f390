internal import Glibc
public import OxModel

/// Names to addresses. Blocks for as long as the system's resolver does.
public enum Resolver {
    /// In the order in which they are to be tried (RFC 6724), each once. `host` may be a literal, with a zone
    /// ("fe80::1%eth0") too.
    public static func addresses(host: String, port: UInt16) throws(CoreError) -> [SocketAddress] {
        var hints = unsafe addrinfo()
        unsafe hints.ai_family = AF_UNSPEC
        unsafe hints.ai_socktype = CInt(SOCK_DGRAM.rawValue)
        unsafe hints.ai_protocol = CInt(IPPROTO_UDP)
        unsafe hints.ai_flags = AI_NUMERICSERV
        var list: UnsafeMutablePointer<addrinfo>?
        let status = unsafe getaddrinfo(host, String(port), &hints, &list)
        guard status == 0 else {
            throw CoreError(attempt: "find the address of \(host)", reason: reason(status, errno))
        }
        defer { unsafe freeaddrinfo(list) }
        var found: [SocketAddress] = []
        var entry = unsafe list
        while let current = unsafe entry {
            if let address = unsafe address(current.pointee), !found.contains(address) { found.append(address) }
            unsafe entry = current.pointee.ai_next
        }
        return found
    }

    private static func address(_ entry: addrinfo) -> SocketAddress? {
        guard let raw = unsafe UnsafeRawPointer(entry.ai_addr) else { return nil }
        switch unsafe entry.ai_family {
        case AF_INET:
            let v4 = unsafe raw.loadUnaligned(as: sockaddr_in.self)
            return SocketAddress(
                IPAddress(v4: UInt32(bigEndian: v4.sin_addr.s_addr)), port: UInt16(bigEndian: v4.sin_port))
        case AF_INET6:
            let v6 = unsafe raw.loadUnaligned(as: sockaddr_in6.self)
            let bytes = unsafe withUnsafeBytes(of: v6.sin6_addr) { unsafe Array($0) }
            guard let ip = IPAddress(bytes: bytes) else { return nil }
            return SocketAddress(ip, port: UInt16(bigEndian: v6.sin6_port), scope: v6.sin6_scope_id)
        default: return nil
        }
    }

    /// The resolver's codes as the nearest of errno's.
    private static func reason(_ status: CInt, _ code: CInt) -> CoreError.Reason {
        switch status {
        case EAI_SYSTEM: .system(code)
        case EAI_MEMORY: .noMemory
        case EAI_AGAIN: .system(EAGAIN)
        default: .system(ENXIO)
        }
    }
}
