import OxModel
import Testing

@testable import OxConfiguration

/// Keys that nobody uses: each byte is its number.
enum Sample {
    static func key(_ byte: UInt8) -> String { Base64.encodeKey([UInt8](repeating: byte, count: 32)) }
    static func publicKey(_ byte: UInt8) -> PublicKey { PublicKey(base64: key(byte))! }

    static let client = """
        [interface]
        private-key = "\(key(1))"
        address = ["10.9.0.2/24", "fd09::2/64"]

        [[peer]]
        public-key = "\(key(2))"
        endpoint = "relay.example.net:51820"
        allowed-ips = ["0.0.0.0/0", "::/0"]
        persistent-keepalive = "25s"
        """

    /// Every key that can stand together with the others.
    static let relay = """
        [interface]
        name = "ox7"                     # a comment
        private-key-file = 'relay.key'
        address = "10.9.0.1/24"
        listen-port = 443
        mtu = 1_400
        fwmark = 0xca6c
        table = 1234
        unencrypted-networks = [
            "192.168.7.0/24",  # the lab
            "127.0.0.0/8",
        ]
        workers = 2
        cpus = [1, 0]
        busy-poll = 50
        huge-pages = "on"
        buffer-memory = "96 MB"

        [relay]
        forward = false
        nat = ["eth0", "eth1"]

        [[peer]]
        name = "laptop"
        public-key = "\(key(2))"
        preshared-key = "\(key(3))"
        allowed-ips = "10.9.0.2"

        [[peer]]
        public-key = "\(key(4))"
        preshared-key-file = "/keys/psk"
        endpoint = "[2001:db8::1]:51820"
        allowed-ips = ["10.9.0.77/30", "fd09::/64"]
        persistent-keepalive = 25

        [[class]]
        class = "gaming"
        protocol = "udp"
        ports = "27015-27030"
        prefix = "203.0.113.0/24"
        dscp = "EF"

        [[class]]
        class = "bulk"
        ports = 873
        protocol = 6

        [[class]]
        class = "web"
        protocol = 132
        dscp = 3

        [[repair]]
        class = "gaming"
        loss = "0.05%"
        lateness = "100ms"
        cost = "120%"

        [[repair]]
        class = "bulk"
        cost = "0%"

        [features]
        batch = "on"
        split = "off"
        train = "on"
        coalesce = "auto"
        offload = "off"
        aes-gcm = "auto"
        ipsec-mb = "off"
        path-mtu-discovery = "on"
        congestion-control = "on"
        fair-queue = "off"
        gaming-mode = "on"
        batch-hold = "off"
        predictive-pacing = "auto"
        repair = "on"
        header-compression = "off"

        [log]
        level = "debug"
        """

    static let files: [String: ConfigurationFile] = [
        "/etc/oxidize/relay.key": ConfigurationFile(text: key(9) + "\n", permissions: 0o600),
        "/keys/psk": ConfigurationFile(text: key(8), permissions: 0o400),
        "/keys/open": ConfigurationFile(text: key(8), permissions: 0o644),
        "/keys/group": ConfigurationFile(text: key(8), permissions: 0o640),
        "/keys/foreign": ConfigurationFile(text: key(8), permissions: 0o600, isOwnerTrusted: false),
        "/keys/nonsense": ConfigurationFile(text: "hello", permissions: 0o600),
        "/keys/two": ConfigurationFile(text: key(8) + "\n" + key(9), permissions: 0o600),
        "/keys/large": ConfigurationFile(text: String(repeating: " ", count: 5000) + key(8), permissions: 0o600),
    ]

    static func read(_ path: String) throws(ConfigurationFile.Unreadable) -> ConfigurationFile {
        guard let file = files[path] else {
            throw ConfigurationFile.Unreadable(reason: "\(quoted(path)) does not exist", remedy: "check the path")
        }
        return file
    }

    static func parse(
        _ text: String, file: String = "/etc/oxidize/relay.toml", permissions: UInt16? = nil
    ) throws(ConfigurationErrors) -> Configuration {
        try Configuration.parse(text: text, file: file, permissions: permissions, readFile: read)
    }

    /// The errors of a text, as people see them, without the file's name.
    static func errors(_ text: String, permissions: UInt16? = nil) -> [String] {
        do {
            _ = try parse(text, file: "f.toml", permissions: permissions)
            return []
        } catch {
            return error.errors.map { String($0.description.dropFirst("f.toml:".count)) }
        }
    }

    /// The errors of a client's file in which one line is replaced.
    static func errors(replacing line: String, with other: String) -> [String] {
        #expect(client.contains(line))
        var text = client
        text.replace(line, with: other, maxReplacements: 1)
        return errors(text)
    }
}
