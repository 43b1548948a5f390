import OxModel

extension DocumentReader {
    /// A peer as far as it could be read, and where it stands.
    struct PeerEntry {
        let path: [String]
        /// Nil when its public key is missing or wrong.
        let peer: Configuration.Peer?
        /// A wrong endpoint is one error, not two.
        let hasEndpointKey: Bool
        let allowedIPs: [(prefix: IPPrefix, path: [String])]
    }

    mutating func peers(_ readFile: Configuration.FileReader) -> [PeerEntry] {
        guard case .array(let nodes)? = document.root["peer"] else {
            if let node = document.root["peer"] {
                report(["peer"], "peer is \(node.typeName), and there can be many", "write [[peer]], with two brackets")
            }
            return []
        }
        if nodes.count > Limits.peers {
            report(["peer"], "the file has \(nodes.count) peers", "keep at most \(Limits.peers)")
            return []
        }
        var entries: [PeerEntry] = []
        for (index, node) in nodes.enumerated() {
            let path = ["peer", "#\(index)"]
            guard case .table(let nodes) = node else {
                report(path, "a peer is \(node.typeName)", "write [[peer]] and its keys below")
                continue
            }
            let table = Table(kind: .peer, nodes: nodes, path: path)
            entries.append(peer(table, readFile))
            checkKeys(table)
        }
        return entries
    }

    private mutating func peer(_ table: Table, _ readFile: Configuration.FileReader) -> PeerEntry {
        let name = peerName(table)
        let publicKey = publicKey(table)
        let presharedKey = secret(table, "preshared-key", readFile)
        let hasEndpointKey = table.has("endpoint")
        let endpoint = endpoint(table)
        let allowedIPs = prefixes(table, "allowed-ips", asNetworks: true)
        let keepalive = keepalive(table)
        let peer = publicKey.map {
            Configuration.Peer(
                name: name, publicKey: $0, presharedKey: presharedKey, endpoint: endpoint,
                allowedIPs: allowedIPs.map(\.prefix), persistentKeepalive: keepalive)
        }
        return PeerEntry(path: table.path, peer: peer, hasEndpointKey: hasEndpointKey, allowedIPs: allowedIPs)
    }

    private mutating func peerName(_ table: Table) -> String? {
        guard let name = string(table, "name") else { return nil }
        guard (1...Limits.peerNameCharacters).contains(name.unicodeScalars.count),
            name.unicodeScalars.allSatisfy(isPrintable)
        else {
            report(
                table.path + ["name"], "\(quoted(name)) cannot be a peer's name",
                "use 1 to \(Limits.peerNameCharacters) printable characters")
            return nil
        }
        return name
    }

    private mutating func publicKey(_ table: Table) -> PublicKey? {
        guard table.has("public-key") else {
            report(table.path, "this [[peer]] has no public-key", "add the one that 'oxidize pubkey' prints on the peer")
            return nil
        }
        guard let text = string(table, "public-key") else { return nil }
        guard let key = PublicKey(base64: text) else {
            report(
                table.path + ["public-key"], "\(quoted(text)) is no public key",
                "write the 44 characters that 'oxidize pubkey' prints on the peer")
            return nil
        }
        if key.bytes.allSatisfy({ $0 == 0 }) {
            report(
                table.path + ["public-key"], "the public key is all zeros",
                "write the 44 characters that 'oxidize pubkey' prints on the peer")
            return nil
        }
        return key
    }

    private mutating func endpoint(_ table: Table) -> Endpoint? {
        guard let text = string(table, "endpoint") else { return nil }
        let path = table.path + ["endpoint"]
        switch Endpoint.parse(text) {
        case .success(let endpoint): return endpoint
        case .failure(.noPort): report(path, "the endpoint \(quoted(text)) has no port", "write host:port")
        case .failure(.badPort(let port)):
            report(path, "the endpoint's port \(quoted(port)) is no port", "write a number from 1 to 65535")
        case .failure(.badHost(let host)):
            report(
                path, "the endpoint's host \(quoted(host)) is neither an address nor a name",
                "write host:port, with an IPv6 address in brackets")
        case .failure(.bracketsMissing):
            report(
                path, "the endpoint \(quoted(text)) is an IPv6 address without brackets",
                "write [address]:port")
        case .failure(.unspecified):
            report(path, "the endpoint \(quoted(text)) is no address of a host", "write the peer's own address")
        }
        return nil
    }

    /// Seconds as WireGuard takes them, a duration with its unit, or "off".
    private mutating func keepalive(_ table: Table) -> Duration? {
        let path = table.path + ["persistent-keepalive"]
        let remedy = "write \"off\", or 1s to 65535s as in \"25s\""
        let duration: Duration
        switch table.take("persistent-keepalive") {
        case nil, .string("off"): return nil
        case .integer(let seconds):
            guard (0...65535).contains(seconds) else {
                report(path, "persistent-keepalive is \(seconds) seconds", remedy)
                return nil
            }
            duration = .seconds(seconds)
        case .string(let text):
            switch DurationText.parse(text) {
            case .success(let parsed): duration = parsed
            case .failure(.wrongUnit(let unit)):
                report(
                    path, "\(quoted(unit)) in persistent-keepalive = \(quoted(text)) is no unit of time",
                    "use \(DurationText.units), as in \"25s\"")
                return nil
            case .failure(.notANumber), .failure(.tooLarge):
                report(path, "persistent-keepalive \(quoted(text)) is no duration", remedy)
                return nil
            }
        case .some(let node):
            report(path, "persistent-keepalive is \(node.typeName)", remedy)
            return nil
        }
        if duration == .zero { return nil }
        guard duration.components.attoseconds == 0, (1...65535).contains(duration.components.seconds) else {
            report(path, "persistent-keepalive is not a number of whole seconds up to 65535", remedy)
            return nil
        }
        return duration
    }

    /// What one peer alone cannot show: keys, names and networks that two of them claim.
    mutating func checkAcrossPeers(_ entries: [PeerEntry], own: PublicKey?) {
        var keys: [PublicKey: Int] = [:]
        var names: [String: Int] = [:]
        var networks: [IPPrefix: Int] = [:]
        for entry in entries {
            if let key = entry.peer?.publicKey {
                let path = entry.path + ["public-key"]
                if key == own {
                    report(
                        path, "the public key \(quoted(key.description)) is this end's own",
                        "write the one that 'oxidize pubkey' prints on the peer")
                }
                if let line = keys[key] {
                    report(
                        path, "the public key \(quoted(key.description)) belongs to another [[peer]] too, on line \(line)",
                        "remove one of the two, or give each its own key")
                } else {
                    keys[key] = document.line(of: path)
                }
            }
            if let name = entry.peer?.name {
                let path = entry.path + ["name"]
                if let line = names[name] {
                    report(
                        path, "another [[peer]] is called \(quoted(name)) too, on line \(line)",
                        "give each peer a name of its own")
                } else {
                    names[name] = document.line(of: path)
                }
            }
            var listed: Set<IPPrefix> = []
            for (prefix, path) in entry.allowedIPs where listed.insert(prefix).inserted {
                if let line = networks[prefix] {
                    report(
                        path, "\(quoted(prefix.description)) is in another peer's allowed-ips too, on line \(line)",
                        "leave it to one of them, or split the network: the longer prefix wins")
                } else {
                    networks[prefix] = document.line(of: path)
                }
            }
        }
    }
}
