extension Configuration {
    /// The same, with every secret key replaced by one that nobody has. For what is kept while a program runs: the keys
    /// themselves are in locked memory by then. Two such configurations compare equal in their secrets where both have one.
    public func withoutSecrets() -> Configuration {
        let blank = SecretKey(bytes: [UInt8](repeating: 0, count: SecretKey.byteCount))!
        return Configuration(
            interface: Interface(
                name: interface.name, privateKey: blank, addresses: interface.addresses,
                listenPort: interface.listenPort, mtu: interface.mtu, firewallMark: interface.firewallMark,
                table: interface.table, unencryptedNetworks: interface.unencryptedNetworks, workers: interface.workers,
                cpus: interface.cpus, busyPoll: interface.busyPoll, hugePages: interface.hugePages,
                bufferMemory: interface.bufferMemory),
            relay: relay,
            peers: peers.map {
                Peer(
                    name: $0.name, publicKey: $0.publicKey, presharedKey: $0.presharedKey == nil ? nil : blank,
                    endpoint: $0.endpoint, allowedIPs: $0.allowedIPs, persistentKeepalive: $0.persistentKeepalive)
            },
            classRules: classRules, repairWishes: repairWishes, features: features, logLevel: logLevel)
    }
}
