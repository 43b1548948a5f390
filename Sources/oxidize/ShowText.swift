import Oxidize

/// What `show` prints for people, in the manner of wg(8).
extension TunnelStatus {
    func text(colours: Bool) -> String {
        let style = TextStyle(isOn: colours)
        var lines = [
            "\(style.green("interface")): \(style.green(interface))", "  role: \(role)", "  process: \(pid)",
            "  public key: \(publicKey)",
            "  listening port: \(listenPort)",
        ]
        if let firewallMark { lines.append("  fwmark: 0x\(String(firewallMark, radix: 16))") }
        lines.append("  up for: \(span(uptimeS))")
        lines.append("  encryption offered: \(aeadsOffered.joined(separator: ", ")) (\(aeadsOfferedReason))")
        lines += aeads.map { "  \($0.name): \($0.text)" }
        lines += workerLines
        for peer in peers { lines += [""] + peer.lines(style, aeadReason: reasonForAEAD(of: peer)) }
        let dropped = drops.filter { $0.value > 0 }.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
        if !dropped.isEmpty { lines += ["", "\(style.bold("drops")):"] + dropped.map { "  \($0.key): \($0.value)" } }
        let failures = [("device", device), ("network", network)].flatMap { name, port in port.lines(name) }
        if !failures.isEmpty { lines += ["", "\(style.bold("system")):"] + failures }
        return lines.joined(separator: "\n") + "\n"
    }
}

extension TunnelStatus {
    /// Threads, memory and offloads.
    fileprivate var workerLines: [String] {
        let cpus = workers.compactMap(\.cpu).map(String.init)
        let place = cpus.isEmpty ? "on any CPU" : "on CPU \(cpus.joined(separator: ", "))"
        let nodes = workers.compactMap(\.numaNode).map(String.init)
        let memory =
            numaNodes == 1
            ? "one NUMA node: nothing to choose"
            : nodes.isEmpty ? "\(numaNodes) NUMA nodes, buffers from any" : "buffers from NUMA node \(nodes.joined(separator: ", "))"
        var lines = ["  workers: \(workers.count), \(place) (\(memory))"]
        let handed = workers.reduce(0) { $0 + $1.handedOver }
        if handed > 0 { lines.append("  packets that workers handed over to each other: \(handed)") }
        for size in (workers.first?.buffers ?? []).indices {
            let buffers = workers.map { $0.buffers[size] }
            let count = buffers.reduce(0) { $0 + $1.count }, grown = buffers.reduce(0) { $0 + $1.grown }
            lines.append(
                "  buffers of \(byteText(UInt64(buffers[0].bytes))): \(count) in \(buffers[0].pages) pages"
                    + (grown > 0 ? ", grown \(grown) times" : ""))
        }
        lines.append("  offload: device \(device.offloadText), network \(network.offloadText)")
        return lines
    }
}

extension TunnelStatus.Port {
    fileprivate var offloadText: String {
        (offload ? "on" : "off") + (offloadFallbacks > 0 ? " (refused by the kernel \(offloadFallbacks) times)" : "")
    }
}

extension TunnelStatus.Peer {
    fileprivate func lines(_ style: TextStyle, aeadReason: String?) -> [String] {
        var lines = ["\(style.yellow("peer")): \(style.yellow(name ?? publicKey))"]
        if name != nil { lines.append("  public key: \(publicKey)") }
        if presharedKey { lines.append("  preshared key: (hidden)") }
        if let endpoint = paths.first?.remoteAddress ?? endpoint { lines.append("  endpoint: \(endpoint)") }
        lines.append("  allowed ips: \(allowedIps.isEmpty ? "(none)" : allowedIps.joined(separator: ", "))")
        lines.append("  state: \(state)\(silent ? style.red(", but it does not answer") : "")")
        if let lastHandshakeAgoS {
            let took = handshakeMs.map { ", took \(decimal($0)) ms" } ?? ""
            lines.append("  latest handshake: \(span(lastHandshakeAgoS)) ago\(took)")
        }
        if let handshakeAttempt, state == "connecting" { lines.append("  handshake attempt: \(handshakeAttempt)") }
        if let hint { lines.append("  hint: \(style.red(hint))") }
        lines.append("  transfer: \(byteText(packetBytesReceived)) received, \(byteText(packetBytesSent)) sent")
        if encrypted == false {
            lines.append("  encryption: \(style.red("NOT ENCRYPTED: both ends call this network trusted"))")
        } else if let aead {
            lines.append("  encryption: \(aead)\(aeadReason.map { " (\($0))" } ?? "")")
        }
        if let features {
            let off = featuresOffThere.flatMap { $0.isEmpty ? nil : "; off at the other end: \($0.joined(separator: ", "))" }
            lines.append("  features: \(features.isEmpty ? "(none)" : features.joined(separator: ", "))\(off ?? "")")
        }
        lines += paths.flatMap { ["  path: \($0.text)"] + $0.details.map { "    \($0)" } }
        if let persistentKeepaliveS {
            lines.append("  persistent keepalive: every \(span(persistentKeepaliveS))")
        }
        return lines
    }
}

extension TunnelStatus.AEADCost {
    fileprivate var text: String {
        guard let sealNs else { return "not on this CPU" }
        return "\(decimal(sealNs, 0)) ns for a packet of 1,400 bytes, by \(provider)"
    }
}

extension TunnelStatus.Port {
    fileprivate func lines(_ name: String) -> [String] {
        var lines: [String] = []
        if sendFailed > 0 {
            lines.append("  \(name): \(sendFailed) not sent\(lastFailure.map { ", the last because of: \($0)" } ?? "")")
        }
        if kernelDrops > 0 { lines.append("  \(name): \(kernelDrops) dropped by the kernel, as they came too fast") }
        if kernelDropsHandshake > 0 {
            lines.append("  \(name): \(kernelDropsHandshake) handshakes dropped by the kernel, as they came too fast")
        }
        return lines
    }
}

private struct TextStyle {
    let isOn: Bool

    func bold(_ text: String) -> String { paint(text, "1") }
    func green(_ text: String) -> String { paint(text, "1;32") }
    func yellow(_ text: String) -> String { paint(text, "1;33") }
    func red(_ text: String) -> String { paint(text, "1;31") }

    private func paint(_ text: String, _ code: String) -> String { isOn ? "\u{1b}[\(code)m\(text)\u{1b}[0m" : text }
}

/// "1 day, 2 hours, 5 seconds".
private func span(_ seconds: Double) -> String {
    var left = Int64(max(0, min(seconds, 1e12)))
    var parts: [String] = []
    for (name, length) in [("day", Int64(86_400)), ("hour", 3600), ("minute", 60), ("second", 1)] {
        let count = left / length
        left %= length
        if count > 0 { parts.append("\(count) \(name)\(count == 1 ? "" : "s")") }
    }
    return parts.isEmpty ? "0 seconds" : parts.joined(separator: ", ")
}
