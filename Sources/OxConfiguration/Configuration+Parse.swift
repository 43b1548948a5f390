public import OxModel

extension Configuration {
    /// Gives a file's content, or says why not. Paths come as the configuration names them, made relative to its directory.
    public typealias FileReader = (String) throws(ConfigurationFile.Unreadable) -> ConfigurationFile

    /// Gives the public key of a private one; nil where it is not known. Cryptography is not this module's.
    public typealias KeyDerivation = (SecretKey) -> PublicKey?

    /// Reads and checks a file, and the key files that it names.
    ///
    /// - Parameters:
    ///   - publicKey: to find a peer that is this end itself.
    ///   - allowedCPUs: those that this process may use; nil when that is not to be checked.
    public static func load(
        path: String, readFile: FileReader = ConfigurationFile.read, publicKey: KeyDerivation = { _ in nil },
        allowedCPUs: [Int]? = nil
    ) throws(ConfigurationErrors) -> Configuration {
        let file: ConfigurationFile
        do {
            file = try readFile(path)
        } catch {
            throw ConfigurationErrors([
                ConfigurationError(
                    file: path, line: nil, message: error.reason, remedy: error.remedy, isPermission: error.isPermission)
            ])
        }
        return try parse(
            text: file.text, file: path, permissions: file.permissions, readFile: readFile, publicKey: publicKey,
            allowedCPUs: allowedCPUs)
    }

    /// Checks a text.
    ///
    /// - Parameters:
    ///   - file: what errors call the text; key files are looked for beside it, and the interface is named after it.
    ///   - permissions: of that file, when they are to be checked.
    ///   - publicKey: to find a peer that is this end itself.
    ///   - allowedCPUs: those that this process may use; nil when that is not to be checked.
    public static func parse(
        text: String, file: String, permissions: UInt16? = nil, readFile: FileReader = ConfigurationFile.read,
        publicKey: KeyDerivation = { _ in nil }, allowedCPUs: [Int]? = nil
    ) throws(ConfigurationErrors) -> Configuration {
        let document: Document
        do {
            document = try Document(text)
        } catch {
            throw ConfigurationErrors([
                ConfigurationError(file: file, line: error.line, message: error.message, remedy: error.remedy)
            ])
        }
        var reader = DocumentReader(document: document, file: file, allowedCPUs: allowedCPUs)
        let configuration = reader.configuration(permissions: permissions, readFile, publicKey)
        guard let configuration, reader.errors.isEmpty else { throw ConfigurationErrors(reader.errors) }
        return configuration
    }
}

extension DocumentReader {
    /// Nil when a value without which there is no configuration is missing or wrong: then there are errors.
    mutating func configuration(
        permissions: UInt16?, _ readFile: Configuration.FileReader, _ publicKey: Configuration.KeyDerivation
    ) -> Configuration? {
        checkTables()
        let interfaceTable = table(.interface)
        let relayTable = table(.relay)
        let featuresTable = table(.features)
        let logTable = table(.log)
        if document.root["interface"] == nil {
            report([], "[interface] is missing", "add [interface] with a private-key or private-key-file")
        }
        let isRelay = document.root["relay"] != nil
        let interface = interfaceTable.flatMap { self.interface($0, isRelay: isRelay, readFile) }
        let relay = relayTable.map { relaySettings($0) }
        let peers = self.peers(readFile)
        let classRules = self.classRules()
        let repairWishes = self.repairWishes()
        let features = self.features(featuresTable)
        let logLevel: Configuration.LogLevel? = logTable.flatMap { choice($0, "level") }
        for table in [interfaceTable, relayTable, featuresTable, logTable] { if let table { checkKeys(table) } }
        checkAcrossPeers(peers, own: (interface?.privateKey).flatMap(publicKey))
        if hasInlineSecret, let permissions, permissions & 0o004 != 0 {
            report(
                firstInlineSecret, "the file has a key in it and every user of this machine can read it",
                "run: chmod 600 \(file)")
        }
        if !isRelay, !peers.contains(where: { $0.peer?.endpoint != nil || $0.hasEndpointKey }) {
            report(
                ["peer"], "a client needs a [[peer]] with an endpoint",
                "add endpoint = \"host:port\" of the relay, or [relay] when this is one")
        }
        guard let interface else { return nil }
        return Configuration(
            interface: interface, relay: relay, peers: peers.compactMap(\.peer), classRules: classRules,
            repairWishes: repairWishes, features: features, logLevel: logLevel ?? .info)
    }

    private mutating func interface(
        _ table: Table, isRelay: Bool, _ readFile: Configuration.FileReader
    ) -> Configuration.Interface? {
        let name = interfaceName(table)
        let privateKey = secret(table, "private-key", readFile)
        if privateKey == nil, !table.has("private-key"), !table.has("private-key-file") {
            report(
                table.path, "[interface] has no private key",
                "make one with 'oxidize genkey' and name its file: private-key-file = \"path\"")
        }
        let addresses = interfaceAddresses(table)
        let port = integer(table, "listen-port", 0...65535) ?? (isRelay ? 51820 : 0)
        if isRelay, port == 0, table.has("listen-port"), isInteger(table, "listen-port") {
            report(
                table.path + ["listen-port"], "a relay cannot listen on a port that its clients do not know",
                "write a port from 1 to 65535, or leave listen-port out for 51820")
        }
        let mtu = integer(table, "mtu", 1280...1500, unit: "bytes") ?? 1500
        let mark = integerOrWord(table, "fwmark", 1...0xffff_ffff, words: ["auto"])
        let routing = integerOrWord(table, "table", 1...0xffff_ffff, words: ["auto", "off"])
        let unencrypted = prefixes(table, "unencrypted-networks", asNetworks: true)
        for (prefix, path) in unencrypted where prefix.length == 0 {
            report(
                path, "unencrypted-networks holds every address there is",
                "name only the networks where nobody else can listen")
        }
        let threads = threads(table)
        let hugePages: Configuration.FeatureChoice? = choice(table, "huge-pages")
        let bufferMemory = byteCount(table, "buffer-memory", Limits.bufferMemory)
        guard let privateKey else { return nil }
        return Configuration.Interface(
            name: name, privateKey: privateKey, addresses: addresses, listenPort: UInt16(port), mtu: mtu,
            firewallMark: mark?.number, table: routing.map { $0.routingTable } ?? .automatic,
            unencryptedNetworks: unencrypted.map(\.prefix), workers: threads.workers, cpus: threads.cpus,
            busyPoll: threads.busyPoll, hugePages: hugePages ?? .auto,
            bufferMemory: bufferMemory ?? Limits.bufferMemoryDefault)
    }

    private typealias Threads = (workers: Configuration.WorkerCount, cpus: [Int], busyPoll: Duration?)

    private mutating func threads(_ table: Table) -> Threads {
        let wanted = integerOrWord(table, "workers", 1...Limits.workers, words: ["auto"])?.number.map(Int.init)
        let busyPoll = integerOrWord(table, "busy-poll", 1...Limits.busyPollMicroseconds, words: ["off"])?.number
        let cpus = self.cpus(table)
        if let wanted, !cpus.isEmpty, wanted != cpus.count {
            report(
                table.path + ["cpus"], "cpus has \(cpus.count) for workers = \(wanted)",
                "name one for each worker, or leave workers out")
        }
        return (wanted.map { .number($0) } ?? .automatic, cpus, busyPoll.map { .microseconds(Int64($0)) })
    }

    private mutating func cpus(_ table: Table) -> [Int] {
        let path = table.path + ["cpus"]
        switch table.take("cpus") {
        case nil: return []
        case .array(let nodes) where nodes.count <= Limits.workers:
            var cpus: [Int] = []
            for (index, node) in nodes.enumerated() {
                guard case .integer(let cpu) = node, (0...Limits.cpu).contains(cpu) else {
                    report(
                        path + ["#\(index)"], "cpus has something in it that is no CPU",
                        "write numbers from 0 to \(Limits.cpu), without quotes")
                    continue
                }
                if cpus.contains(cpu) {
                    report(path + ["#\(index)"], "cpus names \(cpu) twice", "remove one of the two")
                } else if let allowedCPUs, !allowedCPUs.contains(cpu) {
                    report(
                        path + ["#\(index)"], "cpus names \(cpu), which is not there or not ours to use",
                        "name some of \(allowedCPUs.map(String.init).joined(separator: ", "))")
                } else {
                    cpus.append(cpu)
                }
            }
            return cpus
        case .array(let nodes): report(path, "cpus names \(nodes.count) CPUs", "name at most \(Limits.workers)")
        case .some(let node): report(path, "cpus is \(node.typeName)", "write an array such as [0, 1]")
        }
        return []
    }

    private mutating func interfaceName(_ table: Table) -> String {
        if let name = string(table, "name") {
            if !DocumentReader.isInterfaceName(name) {
                report(
                    table.path + ["name"], "\(quoted(name)) cannot be the name of a network interface",
                    "use 1 to \(Limits.interfaceNameBytes) of the characters A-Z a-z 0-9 _ = + . -")
            }
            return name
        }
        let base = file.split(separator: "/").last ?? ""
        let stem = base.hasSuffix(".toml") ? base.dropLast(5) : base
        return DocumentReader.isInterfaceName(String(stem)) ? String(stem) : "ox0"
    }

    static func isInterfaceName(_ text: String) -> Bool {
        (1...Limits.interfaceNameBytes).contains(text.utf8.count) && text != "." && text != ".."
            && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "_=+.-".contains($0)) }
    }

    private mutating func interfaceAddresses(_ table: Table) -> [IPPrefix] {
        let addresses = prefixes(table, "address", asNetworks: false)
        for (prefix, path) in addresses where prefix.address.isUnspecified {
            report(path, "\(quoted(prefix.description)) is no address of a host", "write the address that this end has")
        }
        if addresses.count > Limits.addresses {
            report(
                table.path + ["address"], "[interface] has \(addresses.count) addresses",
                "keep at most \(Limits.addresses): more do not fit in a handshake")
        }
        return addresses.map(\.prefix)
    }

    private mutating func relaySettings(_ table: Table) -> Configuration.RelaySettings {
        let forward = boolean(table, "forward") ?? true
        var nat = Configuration.NAT.off
        let path = table.path + ["nat"]
        switch table.take("nat") {
        case nil: break
        case .boolean(let on): nat = on ? .everyInterface : .off
        case .array(let nodes):
            var names: [String] = []
            for (index, node) in nodes.enumerated() {
                let path = path + ["#\(index)"]
                guard case .string(let name) = node, DocumentReader.isInterfaceName(name) else {
                    report(path, "nat names something that is no interface", "write names such as \"eth0\"")
                    continue
                }
                if names.contains(name) {
                    report(path, "nat names \(quoted(name)) twice", "remove one of the two")
                } else {
                    names.append(name)
                }
            }
            nat = names.isEmpty ? .off : .interfaces(names)
        case .some(let node):
            report(
                path, "nat is \(node.typeName)",
                "write true, false, or an array of interface names such as [\"eth0\"]")
        }
        return Configuration.RelaySettings(forward: forward, nat: nat)
    }

    private mutating func features(_ table: Table?) -> Configuration.Features {
        func feature(_ name: String, default preset: Configuration.FeatureChoice = .auto) -> Configuration.FeatureChoice {
            table.flatMap { choice($0, name) } ?? preset
        }
        return Configuration.Features(
            batch: feature("batch"), split: feature("split"), train: feature("train"), coalesce: feature("coalesce"),
            offload: feature("offload"), aesGCM: feature("aes-gcm"), ipsecMB: feature("ipsec-mb"),
            simd: feature("simd"), pathMTUDiscovery: feature("path-mtu-discovery"),
            congestionControl: feature("congestion-control"), fairQueue: feature("fair-queue"),
            gamingMode: feature("gaming-mode"), batchHold: feature("batch-hold", default: .off),
            predictivePacing: feature("predictive-pacing", default: .off), repair: feature("repair"),
            headerCompression: feature("header-compression"))
    }
}

extension DocumentReader.NumberOrWord {
    fileprivate var number: UInt32? {
        if case .number(let value) = self { UInt32(value) } else { nil }
    }

    fileprivate var routingTable: Configuration.RoutingTable {
        switch self {
        case .number(let value): .number(UInt32(value))
        case .word("off"): .off
        case .word: .automatic
        }
    }
}
