extension Configuration {
    public enum SecretRendering: Sendable {
        /// Shown as "(secret)": for people. Does not parse.
        case redacted
        case included
    }

    /// The configuration as a TOML file that says everything, defaults too. With its secrets it parses to an equal value.
    public func rendered(secrets: SecretRendering) -> String {
        var sections = [Configuration.section(.interface, interface.entries(secrets))]
        if let relay { sections.append(Configuration.section(.relay, relay.entries)) }
        sections += peers.map { Configuration.section(.peer, $0.entries(secrets)) }
        sections += classRules.map { Configuration.section(.class, $0.entries) }
        sections += repairWishes.map { Configuration.section(.repair, $0.entries) }
        sections.append(Configuration.section(.features, features.entries))
        sections.append(Configuration.section(.log, [("level", TOMLText.string(logLevel.rawValue))]))
        return sections.joined(separator: "\n")
    }

    /// Names of keys and their values as TOML. What is absent has no entry.
    typealias Entries = [(name: String, value: String)]

    private static func section(_ table: ConfigurationKey.Table, _ entries: Entries) -> String {
        "\(table.header)\n" + entries.map { "\($0.name) = \($0.value)\n" }.joined()
    }
}

extension Configuration.Interface {
    func entries(_ secrets: Configuration.SecretRendering) -> Configuration.Entries {
        [
            ("name", TOMLText.string(name)),
            ("private-key", TOMLText.secret(privateKey, secrets)),
            ("address", TOMLText.array(addresses)),
            ("listen-port", "\(listenPort)"),
            ("mtu", "\(mtu)"),
            ("fwmark", firewallMark.map { "0x" + String($0, radix: 16) } ?? "\"auto\""),
            ("table", table.tomlText),
            ("unencrypted-networks", TOMLText.array(unencryptedNetworks)),
            ("workers", workers.tomlText),
            ("cpus", "[" + cpus.map(String.init).joined(separator: ", ") + "]"),
            ("busy-poll", busyPoll.map { "\(Int64($0 / .microseconds(1)))" } ?? "\"off\""),
            ("huge-pages", TOMLText.string(hugePages.rawValue)),
            ("buffer-memory", TOMLText.string(ByteText.render(bufferMemory))),
        ]
    }
}

extension Configuration.RelaySettings {
    var entries: Configuration.Entries { [("forward", "\(forward)"), ("nat", nat.tomlText)] }
}

extension Configuration.Peer {
    func entries(_ secrets: Configuration.SecretRendering) -> Configuration.Entries {
        var entries: Configuration.Entries = []
        if let name { entries.append(("name", TOMLText.string(name))) }
        entries.append(("public-key", TOMLText.string(publicKey.description)))
        if let presharedKey { entries.append(("preshared-key", TOMLText.secret(presharedKey, secrets))) }
        if let endpoint { entries.append(("endpoint", TOMLText.string(endpoint.description))) }
        entries.append(("allowed-ips", TOMLText.array(allowedIPs)))
        let keepalive = persistentKeepalive.map { "\($0.components.seconds)s" } ?? "off"
        entries.append(("persistent-keepalive", TOMLText.string(keepalive)))
        return entries
    }
}

extension Configuration.Features {
    var entries: Configuration.Entries {
        [
            ("batch", TOMLText.string(batch.rawValue)),
            ("split", TOMLText.string(split.rawValue)),
            ("train", TOMLText.string(train.rawValue)),
            ("coalesce", TOMLText.string(coalesce.rawValue)),
            ("offload", TOMLText.string(offload.rawValue)),
            ("aes-gcm", TOMLText.string(aesGCM.rawValue)),
            ("ipsec-mb", TOMLText.string(ipsecMB.rawValue)),
            ("simd", TOMLText.string(simd.rawValue)),
            ("path-mtu-discovery", TOMLText.string(pathMTUDiscovery.rawValue)),
            ("congestion-control", TOMLText.string(congestionControl.rawValue)),
            ("fair-queue", TOMLText.string(fairQueue.rawValue)),
            ("gaming-mode", TOMLText.string(gamingMode.rawValue)),
            ("batch-hold", TOMLText.string(batchHold.rawValue)),
            ("predictive-pacing", TOMLText.string(predictivePacing.rawValue)),
            ("repair", TOMLText.string(repair.rawValue)),
            ("header-compression", TOMLText.string(headerCompression.rawValue)),
        ]
    }
}

extension Configuration.RoutingTable {
    fileprivate var tomlText: String {
        switch self {
        case .automatic: "\"auto\""
        case .off: "\"off\""
        case .number(let number): "\(number)"
        }
    }
}

extension Configuration.WorkerCount {
    fileprivate var tomlText: String {
        switch self {
        case .automatic: "\"auto\""
        case .number(let number): "\(number)"
        }
    }
}

extension Configuration.NAT {
    fileprivate var tomlText: String {
        switch self {
        case .off: "false"
        case .everyInterface: "true"
        case .interfaces(let names): TOMLText.array(names)
        }
    }
}

/// Values as TOML writes them.
enum TOMLText {
    static func string(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": quoted += "\\\(scalar)"
            case "\u{0}"..."\u{1f}", "\u{7f}":
                let hex = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }

    static func array(_ values: [some CustomStringConvertible]) -> String {
        "[" + values.map { string($0.description) }.joined(separator: ", ") + "]"
    }

    static func secret(_ key: SecretKey, _ rendering: Configuration.SecretRendering) -> String {
        string(rendering == .included ? key.base64 : key.description)
    }
}
