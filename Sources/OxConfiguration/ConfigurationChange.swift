public import OxModel

/// What a reload has to do, or why it cannot.
public struct ConfigurationChange: Equatable, Sendable {
    /// A peer of both files, by its public key, that differs in these keys.
    public struct PeerChange: Equatable, Sendable {
        public let before: Configuration.Peer
        public let after: Configuration.Peer
        public let keys: [String]
    }

    public let addedPeers: [Configuration.Peer]
    public let removedPeers: [Configuration.Peer]
    public let changedPeers: [PeerChange]
    /// A sentence for each value outside of the peers that a reload applies.
    public let live: [String]
    /// A sentence for each value that only a restart applies. When there is one, a reload applies nothing at all.
    public let needsRestart: [String]

    public var isEmpty: Bool {
        addedPeers.isEmpty && removedPeers.isEmpty && changedPeers.isEmpty && live.isEmpty && needsRestart.isEmpty
    }
}

extension Configuration {
    /// The difference between what runs and what shall run.
    ///
    /// - Parameter replaced: peers whose preshared key is known to be another one, where both configurations are without secrets.
    public func changes(
        to new: Configuration, presharedKeysOf replaced: Set<PublicKey> = []
    ) -> ConfigurationChange {
        let old = Dictionary(uniqueKeysWithValues: peers.map { ($0.publicKey, $0) })
        let kept = Set(new.peers.map(\.publicKey))
        var sentences = Sentences()
        sentences.compare(.interface, interface.entries(.redacted), new.interface.entries(.redacted))
        if interface.privateKey != new.interface.privateKey {
            sentences.add(.interface, "private-key", "private-key in [interface] changes")
        }
        switch (relay, new.relay) {
        case (let old?, let new?): sentences.compare(.relay, old.entries, new.entries)
        case (nil, .some): sentences.needsRestart.append("[relay] makes this file a relay's")
        case (.some, nil): sentences.needsRestart.append("without [relay] this file is a client's")
        case (nil, nil): break
        }
        sentences.compare(classRules, new.classRules)
        sentences.compare(repairWishes, new.repairWishes)
        sentences.compare(.features, features.entries, new.features.entries)
        sentences.compare(.log, [("level", logLevel.rawValue)], [("level", new.logLevel.rawValue)])
        return ConfigurationChange(
            addedPeers: new.peers.filter { old[$0.publicKey] == nil },
            removedPeers: peers.filter { !kept.contains($0.publicKey) },
            changedPeers: new.peers.compactMap { peer in
                old[peer.publicKey]?.change(to: peer, hasOtherPresharedKey: replaced.contains(peer.publicKey))
            },
            live: sentences.live, needsRestart: sentences.needsRestart)
    }

    private struct Sentences {
        var live: [String] = []
        var needsRestart: [String] = []

        mutating func compare(_ table: ConfigurationKey.Table, _ old: Entries, _ new: Entries) {
            for (old, new) in zip(old, new) where old.value != new.value {
                add(table, old.name, "\(old.name) in \(table.header) changes from \(old.value) to \(new.value)")
            }
        }

        mutating func compare(_ old: [ClassRule], _ new: [ClassRule]) {
            let header = ConfigurationKey.Table.class.header
            if old.count != new.count {
                live.append("\(header) changes from \(old.count) rules to \(new.count)")
            } else {
                live += old.indices.filter { old[$0] != new[$0] }.map { "rule \($0 + 1) of \(header) changes" }
            }
        }

        /// Their order means nothing.
        mutating func compare(_ old: [RepairWish], _ new: [RepairWish]) {
            for trafficClass in TrafficClass.allCases {
                let isSame = old.first { $0.trafficClass == trafficClass } == new.first { $0.trafficClass == trafficClass }
                if !isSame { live.append("\(ConfigurationKey.Table.repair.header) of \(trafficClass.name) changes") }
            }
        }

        mutating func add(_ table: ConfigurationKey.Table, _ name: String, _ sentence: String) {
            let key = ConfigurationKey.all.first { $0.table == table && $0.name == name }
            switch key?.reload {
            case .live: live.append(sentence)
            case .restart, nil: needsRestart.append(sentence)
            }
        }
    }
}

extension Configuration.Peer {
    fileprivate func change(
        to new: Configuration.Peer, hasOtherPresharedKey: Bool
    ) -> ConfigurationChange.PeerChange? {
        var keys: [String] = []
        if name != new.name { keys.append("name") }
        if hasOtherPresharedKey || presharedKey != new.presharedKey { keys.append("preshared-key") }
        if endpoint != new.endpoint { keys.append("endpoint") }
        if Set(allowedIPs) != Set(new.allowedIPs) { keys.append("allowed-ips") }
        if persistentKeepalive != new.persistentKeepalive { keys.append("persistent-keepalive") }
        return keys.isEmpty ? nil : ConfigurationChange.PeerChange(before: self, after: new, keys: keys)
    }
}
