import FoundationEssentials

/// Starts the two ends of tunnels: the real programs, with keys and files of their own.
struct TunnelEnds {
    let children: ChildProcesses
    let oxidize: String

    private var stateDirectory: String { children.directory + "/state" }

    // MARK: Keys

    /// Makes a private key in a file of its own, which only its owner reads. Returns the public key. Keys of Oxidize and
    /// of WireGuard have one encoding.
    func makeKey(_ name: String) throws -> String {
        let key = try children.run([oxidize, "genkey"], as: "genkey")
        let made = FileManager.default.createFile(
            atPath: keyFile(name), contents: Data(key.utf8), attributes: [.posixPermissions: 0o600])
        guard made else { throw LabFailure("cannot write \(keyFile(name))") }
        let publicKey = try children.run([oxidize, "pubkey"], as: "pubkey", input: keyFile(name))
        return String(publicKey.prefix { !$0.isNewline })
    }

    private func keyFile(_ name: String) -> String { "\(children.directory)/\(name).key" }

    // MARK: wireguard-go

    /// `name` is that of the device, of the process and of the key; `address` has its prefix.
    ///
    /// - Parameter settings: in the form of `wg setconf`, beside the private key.
    func startWireGuard(
        _ name: String, in place: Namespace, address: String, program: String = "wireguard-go", settings: String
    ) throws -> ChildProcess {
        // Without the variable it refuses to start where the kernel has WireGuard.
        let end = try children.start(
            name, [program, "--foreground", name], in: place,
            environment: ["WG_I_PREFER_BUGGY_USERSPACE_TO_POLISHED_KMOD": "1"])
        try children.waitUntilReady(end, seconds: 5) {
            FileManager.default.fileExists(atPath: "/var/run/wireguard/\(name).sock")
        }
        let file = "\(children.directory)/\(name).conf"
        try Data(settings.utf8).write(to: URL(filePath: file))
        try children.run(["wg", "set", name, "private-key", keyFile(name)], in: place)
        try children.run(["wg", "addconf", name, file], in: place, seconds: 60)
        try children.run(["ip", "address", "add", address, "dev", name], in: place)
        try children.run(["ip", "link", "set", "dev", name, "up"], in: place)
        return end
    }

    // MARK: Oxidize

    /// `name` is that of the interface and of the file.
    func startOxidize(
        _ role: String, as name: String, in place: Namespace, _ configuration: String, seconds: Double = 10
    ) throws -> ChildProcess {
        let file = "\(children.directory)/\(name).toml"
        let made = FileManager.default.createFile(
            atPath: file, contents: Data((configuration + "\n").utf8), attributes: [.posixPermissions: 0o600])
        guard made else { throw LabFailure("cannot write \(file)") }
        let socket = "\(stateDirectory)/\(name).sock"
        let end = try children.start(
            "oxidize-\(name)", [oxidize, role, file, "--state-directory", stateDirectory], in: place)
        try children.waitUntilReady(end, seconds: seconds) { FileManager.default.fileExists(atPath: socket) }
        return end
    }

    struct Status: Decodable {
        struct Peer: Decodable {
            let state: String
            let handshake_ms: Double?
            let aead: String?
        }
        struct Port: Decodable {
            let received: UInt64
            let kernel_drops: UInt64
            let kernel_drops_handshake: UInt64
        }
        let peers: [Peer]
        let drops: [String: UInt64]
        let network: Port
    }

    func status(of name: String) throws -> Status {
        let text = try children.run(
            [oxidize, "show", name, "--json", "--state-directory", stateDirectory], as: "oxidize-show")
        guard let status = try? JSONDecoder().decode(Status.self, from: Data(text.utf8)) else {
            throw LabFailure("the answer of oxidize show is not understood:\n\(text)")
        }
        return status
    }

    /// Waits for a client's session.
    func connection(_ name: String, of client: ChildProcess, seconds: Double = 15) throws -> Status.Peer {
        try children.poll("was connected", of: client, seconds: seconds) {
            let peer = try status(of: name).peers.first
            return peer?.state == "connected" ? peer : nil
        }
    }
}
