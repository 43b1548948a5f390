import OxCore
import OxModel

/// Keys in WireGuard's encoding.
public enum KeyText {
    public static func newPrivateKey() throws(TunnelError) -> String { try random(clamped: true) }
    public static func newPresharedKey() throws(TunnelError) -> String { try random(clamped: false) }

    /// - Parameter privateKey: white space around it does not matter.
    public static func publicKey(of privateKey: String) throws(TunnelError) -> String {
        let trimmed = privateKey.split(whereSeparator: \.isWhitespace)
        guard trimmed.count == 1, var bytes = Base64.decodeKey(String(trimmed[0])) else {
            throw TunnelError(
                .configuration, "that is no private key: base64 of 32 bytes is expected, as 'oxidize genkey' prints it")
        }
        defer { KeyTool.wipe(&bytes) }
        do {
            try Core.start()
            return try KeyTool.publicKey(of: bytes).description
        } catch {
            throw TunnelError(error)
        }
    }

    private static func random(clamped: Bool) throws(TunnelError) -> String {
        do {
            try Core.start()
        } catch {
            throw TunnelError(error)
        }
        var bytes = KeyTool.random(clamped: clamped)
        defer { KeyTool.wipe(&bytes) }
        return Base64.encodeKey(bytes)
    }
}
