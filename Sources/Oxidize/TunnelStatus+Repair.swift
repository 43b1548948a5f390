import OxCore
import OxModel
import OxTraffic

extension TunnelStatus.Repair {
    init(_ status: RedundancyController.Status, _ traffic: PeerTraffic, now: Instant) {
        let counts = traffic.repair
        self.init(
            lossPercent: status.loss * 100, lossBurst: status.burst, forecastPercent: status.forecast.map { $0 * 100 },
            congested: status.isCongested, reason: status.reason.rawValue, changedAgoS: status.changed.map { (now - $0).inSeconds },
            orders: status.orders.sorted { $0.key < $1.key }.map { TunnelStatus.RepairOrder($0.key, $0.value) },
            lost: traffic.path.lost, repairedByCopy: counts.peerByCopy, repairedByWindow: counts.peerByWindow,
            repairedByResending: counts.peerByResend,
            unrepaired: traffic.path.lost > counts.peerRecovered ? traffic.path.lost - counts.peerRecovered : 0,
            copiesSent: counts.copies, copyBytes: counts.copyBytes, windowsSent: counts.windows, windowBytes: counts.windowBytes,
            resent: counts.resent, resentBytes: counts.resentBytes,
            redundancyPercent: traffic.path.bytesSent == 0
                ? nil : 100 * Double(counts.bytesSpent) / Double(traffic.path.bytesSent),
            recoveredByCopy: counts.byCopy, recoveredByWindow: counts.byWindow, recoveredByResending: counts.byResend,
            late: counts.late, unneeded: counts.unneeded)
    }
}

extension TunnelStatus.RepairOrder {
    init(_ trafficClass: TrafficClass, _ order: OxModel.RepairOrder) {
        self.init(
            class: trafficClass.name, copies: order.copies, windowPercent: order.windowShare * 100, window: order.window,
            resends: order.retransmits, deadlineMs: order.deadline.inMilliseconds)
    }
}
