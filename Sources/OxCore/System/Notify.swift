internal import Glibc

/// What systemd is told (sd_notify(3)).
public enum Systemd {
    /// Sends states such as "READY=1", each on a line. Nothing happens where nobody listens.
    public static func notify(_ state: String) {
        guard let raw = unsafe getenv("NOTIFY_SOCKET") else { return }
        notify(state, socket: unsafe String(cString: raw))
    }

    static func notify(_ state: String, socket name: String) {
        guard let socket = try? UnixAddress.socket(SOCK_DGRAM, "tell systemd") else { return }
        let bytes = Array(state.utf8)
        _ = unsafe UnixAddress.with(name) { address, length in
            let sent = unsafe bytes.withUnsafeBytes { raw in
                unsafe sendto(
                    socket.number, raw.baseAddress, raw.count, CInt(MSG_NOSIGNAL), address, length)
            }
            return sent < 0 ? -1 : 0
        }
    }
}
