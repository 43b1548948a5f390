internal import COxIO
internal import Glibc

/// What this process is allowed to do.
public enum Capabilities {
    /// CAP_NET_ADMIN: TUN devices, addresses, routes, firewall marks.
    public static var hasNetworkAdministration: Bool { ox_network_admin_held() }

    public static var isRoot: Bool { geteuid() == 0 }
}
