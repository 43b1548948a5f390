internal import COxFEC
internal import COxTunnel
import OxModel

extension ox_path_repair {
    init(_ repair: PathRepair) {
        self.init()
        watch = repair.watches ? 1 : 0
        unsafe withUnsafeMutableBytes(of: &classes) { bytes in
            let orders = unsafe bytes.assumingMemoryBound(to: ox_repair_order.self)
            for (index, trafficClass) in TrafficClass.allCases.enumerated() {
                unsafe orders[index] = ox_repair_order(repair.orders[trafficClass] ?? .none)
            }
        }
    }
}

extension ox_repair_order {
    init(_ order: RepairOrder) {
        self.init()
        let limit = UInt64(OX_REPAIR_OFFSET_MAX)
        let distances = order.copies.prefix(Int(OX_REPAIR_COPIES_MAX)).map { UInt64(clamping: $0) }.filter { (1...limit).contains($0) }
        copies = UInt64(distances.count)
        unsafe withUnsafeMutableBytes(of: &offsets) { bytes in
            let places = unsafe bytes.assumingMemoryBound(to: UInt64.self)
            for (index, distance) in distances.enumerated() { unsafe places[index] = distance }
        }
        let isWindowed = order.windowShare > 0 && order.window > 0
        permille = isWindowed ? min(max(1, UInt64(order.windowShare * 1000)), UInt64(OX_REPAIR_PERMILLE_MAX)) : 0
        window = isWindowed ? min(UInt64(order.window), UInt64(OX_REPAIR_WINDOW_MAX)) : 0
        interleave = isWindowed ? 1 : 0
        resend = order.retransmits ? 1 : 0
        deadline_ns = UInt64(max(0, order.deadline.wholeNanoseconds))
    }
}

extension RepairCounts {
    init(_ report: ox_repair_report) {
        self.init()
        copies = report.copies
        copyBytes = report.copy_bytes
        windows = report.windows
        windowBytes = report.window_bytes
        resent = report.resent
        resentBytes = report.resent_bytes
        peerByCopy = report.peer_by_copy
        peerByWindow = report.peer_by_window
        peerByResend = report.peer_by_resend
        peerLate = report.peer_late
        peerGivenUp = report.peer_given_up
        byCopy = report.by_copy
        byWindow = report.by_window
        byResend = report.by_resend
        late = report.late
        givenUp = report.given_up
        unneeded = report.unneeded
    }
}

extension ox_repair_traffic {
    /// Of the classes that have sent anything.
    var loads: [TrafficClass: RepairLoad] {
        func counts(_ field: some BitwiseCopyable) -> [UInt64] {
            unsafe withUnsafeBytes(of: field) { unsafe Array($0.bindMemory(to: UInt64.self)) }
        }
        let sparse = counts(sparse_symbols), sparseBytes = counts(sparse_bytes), gaps = counts(sparse_gap_ns)
        let dense = counts(dense_symbols), denseBytes = counts(dense_bytes)
        var loads: [TrafficClass: RepairLoad] = [:]
        for (index, trafficClass) in TrafficClass.allCases.enumerated() where sparse[index] + dense[index] > 0 {
            loads[trafficClass] = RepairLoad(
                sparseDatagrams: sparse[index], sparseBytes: sparseBytes[index],
                sparseGap: gaps[index] == 0 ? nil : .nanoseconds(Int64(clamping: gaps[index])), denseDatagrams: dense[index],
                denseBytes: denseBytes[index])
        }
        return loads
    }
}
