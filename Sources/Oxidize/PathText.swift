import OxModel

/// A path as `show` prints it for people.
extension TunnelStatus.Path {
    package var text: String {
        var parts: [String] = []
        if let rttMs {
            parts.append("RTT \(decimal(rttMs)) ± \(decimal(rttVarianceMs ?? 0)) ms")
            if let rttMinMs { parts.append("least \(decimal(rttMinMs)) ms") }
        }
        if let lossPercent { parts.append("loss \(decimal(lossPercent, 2)) %") }
        parts.append("MTU \(mtuBytes)")
        return parts.joined(separator: ", ")
    }

    /// Below that: what the path was found to carry, and the classes of traffic that it had.
    package var details: [String] {
        (congestion.map { ["congestion: \($0.text)"] } ?? [])
            + (repair.map { $0.lines } ?? [])
            + (headers.map { ["headers: \($0.text)"] } ?? [])
            + queues.filter(\.hadTraffic).map { "queue \($0.class): \($0.text)" }
    }
}

extension TunnelStatus.Congestion {
    fileprivate var text: String {
        var parts = [state + (gaming ? " in gaming mode" : "")]
        if let bandwidthBitPerS { parts.append("bandwidth \(Rate(bitsPerSecond: bandwidthBitPerS))") }
        if let minRttMs { parts.append("least RTT \(decimal(minRttMs)) ms") }
        parts.append(pacingRateBitPerS.map { "pacing \(Rate(bitsPerSecond: $0))" } ?? "no pacing")
        parts.append("in flight \(byteText(inFlightBytes))" + (windowBytes.map { " of \(byteText($0))" } ?? ""))
        return parts.joined(separator: ", ")
    }
}

extension TunnelStatus.Repair {
    fileprivate var lines: [String] {
        var parts = [orders.isEmpty ? "repair: none" : "repair: on"]
        let ago = changedAgoS.map { " \(decimal($0, 0)) s ago" } ?? ""
        parts[0] += " (\(reason)\(ago))"
        if congested { parts.append("the path is full") }
        if lossPercent > 0 { parts.append("loss \(decimal(lossPercent, 2)) % in runs of \(decimal(lossBurst))") }
        if let forecastPercent { parts.append("forecast \(decimal(forecastPercent, 2)) %") }
        var lines = [parts.joined(separator: ", ")]
        lines += orders.map { "repair \($0.class): \($0.text)" }
        guard lost + copiesSent + windowsSent + resent > 0 else { return lines }
        lines.append(
            "repaired: \(repairedByCopy) by copies, \(repairedByWindow) by windows, \(repairedByResending) by sending again; "
                + "\(unrepaired) of \(lost) lost datagrams not, for \(decimal(redundancyPercent ?? 0)) % of the bytes")
        return lines
    }
}

extension TunnelStatus.Headers {
    fileprivate var text: String {
        var parts = ["\(compressed) packets compressed"]
        if compressed > 0 {
            let each = [bytesBefore, bytesAfter].map { decimal(Double($0) / Double(compressed)) }
            parts[0] += " from \(each[0]) to \(each[1]) bytes each"
        }
        parts.append("\(raw) sent as they were")
        parts.append("\(restored) restored")
        if refused > 0 { parts.append("\(refused) not") }
        return parts.joined(separator: ", ")
    }
}

extension TunnelStatus.RepairOrder {
    fileprivate var text: String {
        var parts: [String] = []
        if !copies.isEmpty { parts.append("copies after \(copies.map(String.init).joined(separator: ", ")) datagrams") }
        if windowPercent > 0 { parts.append("\(decimal(windowPercent)) % over windows of \(window)") }
        if resends { parts.append("lost ones sent again") }
        return parts.joined(separator: ", ") + ", within \(decimal(deadlineMs, 0)) ms"
    }
}

extension TunnelStatus.Queue {
    fileprivate var hadTraffic: Bool { packets > 0 || sent > 0 || droppedFull > 0 || droppedDelay > 0 }

    fileprivate var text: String {
        var parts: [String] = []
        if packets > 0 { parts.append("\(packets) waiting (\(byteText(bytes)))") }
        parts.append("\(sent) sent (\(byteText(sentBytes)))")
        if droppedFull > 0 { parts.append("\(droppedFull) dropped for want of room") }
        if droppedDelay > 0 { parts.append("\(droppedDelay) dropped for their delay") }
        if marked > 0 { parts.append("\(marked) marked") }
        if let sojournMs { parts.append("wait \(decimal(sojournMs, 2)) ms") }
        if let sojournPeakMs { parts.append("peak \(decimal(sojournPeakMs, 2)) ms") }
        return parts.joined(separator: ", ")
    }
}
