public import OxModel

/// Where a peer is found at first: an address, or a name that is looked up.
public struct Endpoint: Hashable, Sendable, CustomStringConvertible {
    /// A host name, or an address in its recommended form without brackets.
    public let host: String
    /// 1 to 65535.
    public let port: UInt16

    /// Nil when `host` is a name.
    public var address: SocketAddress? { IPAddress(host).map { SocketAddress($0, port: port) } }

    /// "relay.example.net:51820", "192.0.2.1:51820" or "[2001:db8::1]:51820".
    public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    enum Problem: Error, Equatable {
        case noPort
        case badPort(String)
        case badHost(String)
        case bracketsMissing
        case unspecified
    }

    static func parse(_ text: String) -> Result<Endpoint, Problem> {
        if IPAddress(text) != nil { return .failure(text.contains(":") ? .bracketsMissing : .noPort) }
        guard let colon = text.lastIndex(of: ":"), !text.hasSuffix("]") else { return .failure(.noPort) }
        let digits = text[text.index(after: colon)...]
        guard !digits.isEmpty, digits.allSatisfy({ $0.isASCII && $0.isNumber }), let port = UInt16(digits), port > 0
        else { return .failure(.badPort(String(digits))) }
        let host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            let inner = String(host.dropFirst().dropLast())
            guard inner.contains(":"), let ip = IPAddress(inner) else { return .failure(.badHost(inner)) }
            return make(ip, port)
        }
        if host.contains(":") {
            return .failure(IPAddress(String(host)) == nil ? .badHost(String(host)) : .bracketsMissing)
        }
        if let ip = IPAddress(String(host)) { return make(ip, port) }
        guard isHostName(host) else { return .failure(.badHost(String(host))) }
        return .success(Endpoint(host: String(host), port: port))
    }

    private static func make(_ ip: IPAddress, _ port: UInt16) -> Result<Endpoint, Problem> {
        ip.isUnspecified ? .failure(.unspecified) : .success(Endpoint(host: ip.description, port: port))
    }

    /// RFC 1123, and underscores, which resolvers accept. A last label of digits alone is a mistyped address.
    private static func isHostName(_ text: Substring) -> Bool {
        guard text.utf8.count <= 253 else { return false }
        var labels = text.split(separator: ".", omittingEmptySubsequences: false)
        if labels.count > 1, labels.last == "" { labels.removeLast() }
        let wellFormed = labels.allSatisfy { label in
            (1...63).contains(label.utf8.count) && label.first != "-" && label.last != "-"
                && label.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") }
        }
        return wellFormed && !labels[labels.count - 1].allSatisfy(\.isNumber)
    }
}
