internal import COxBase
internal import OxModel

extension SocketAddress {
    init(_ address: ox_address) {
        let bytes = withBytes(of: address.ip)
        self.init(IPAddress(bytes: bytes)!, port: address.port, scope: address.scope)
    }

    var core: ox_address {
        var address = ox_address()
        let bytes = ip.bytes
        unsafe withUnsafeMutableBytes(of: &address.ip) { raw in unsafe raw.copyBytes(from: bytes) }
        address.port = port
        address.scope = scope
        return address
    }
}

/// The bytes of a C array that Swift sees as a tuple.
func withBytes<T: BitwiseCopyable>(of tuple: T) -> [UInt8] {
    unsafe withUnsafeBytes(of: tuple) { raw in unsafe Array(raw) }
}
