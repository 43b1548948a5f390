import Testing

@testable import Oxidize

struct PathTextTests {
    private let path = TunnelStatus.Path(
        id: 0, remoteAddress: nil, mtuBytes: 1452, rttMs: 40.25, rttVarianceMs: 0.5, rttMinMs: 39, lossPercent: 1.5,
        datagramsSent: 1, datagramsReceived: 2, bytesSent: 3, bytesReceived: 4, acknowledged: 5, lost: 6, unresolved: 7,
        ceMarked: 8)

    private func queue(_ name: String, packets: UInt64 = 0, sent: UInt64 = 0, dropped: UInt64 = 0) -> TunnelStatus.Queue {
        TunnelStatus.Queue(
            class: name, packets: packets, bytes: packets * 1500, sent: sent, sentBytes: sent * 100, droppedFull: dropped,
            droppedDelay: dropped * 2, marked: dropped * 3, sojournMs: sent > 0 ? 1.25 : nil,
            sojournPeakMs: sent > 0 ? 12 : nil)
    }

    @Test func `a path without congestion control and traffic is one line`() {
        #expect(path.text == "RTT 40.3 ± 0.5 ms, least 39.0 ms, loss 1.50 %, MTU 1452")
        #expect(path.details.isEmpty)
    }

    @Test func `congestion control says what it found and what it lets pass`() {
        var path = path
        path.congestion = TunnelStatus.Congestion(
            state: "probe-bandwidth cruise", gaming: true, bandwidthBitPerS: 20_500_000, minRttMs: 39.04,
            pacingRateBitPerS: 20_300_000, inFlightBytes: 51_200, windowBytes: 204_800)
        #expect(
            path.details == [
                "congestion: probe-bandwidth cruise in gaming mode, bandwidth 20.5 Mbit/s, least RTT 39.0 ms, "
                    + "pacing 20.3 Mbit/s, in flight 50.00 KiB of 200.00 KiB"
            ])
    }

    @Test func `congestion control that knows nothing yet says so by leaving it out`() {
        var path = path
        path.congestion = TunnelStatus.Congestion(
            state: "startup", gaming: false, bandwidthBitPerS: nil, minRttMs: nil, pacingRateBitPerS: nil, inFlightBytes: 0,
            windowBytes: nil)
        #expect(path.details == ["congestion: startup, no pacing, in flight 0 B"])
    }

    @Test func `repair says what it does and why, and what came of it`() {
        var path = path
        var repair = TunnelStatus.Repair(
            lossPercent: 0, lossBurst: 1, forecastPercent: nil, congested: false, reason: "start", changedAgoS: nil, orders: [],
            lost: 0, repairedByCopy: 0, repairedByWindow: 0, repairedByResending: 0, unrepaired: 0, copiesSent: 0, copyBytes: 0,
            windowsSent: 0, windowBytes: 0, resent: 0, resentBytes: 0, redundancyPercent: nil, recoveredByCopy: 0,
            recoveredByWindow: 0, recoveredByResending: 0, late: 0, unneeded: 0)
        path.repair = repair
        #expect(path.details == ["repair: none (start)"])
        repair.lossPercent = 5.02
        repair.lossBurst = 1.31
        repair.reason = "loss"
        repair.changedAgoS = 12
        repair.orders = [
            TunnelStatus.RepairOrder(class: "gaming", copies: [1, 3], windowPercent: 0, window: 0, resends: false, deadlineMs: 70),
            TunnelStatus.RepairOrder(class: "bulk", copies: [], windowPercent: 25, window: 40, resends: true, deadlineMs: 40),
        ]
        repair.lost = 100
        repair.copiesSent = 1800
        repair.repairedByCopy = 90
        repair.repairedByWindow = 8
        repair.unrepaired = 2
        repair.redundancyPercent = 31.25
        path.repair = repair
        #expect(
            path.details == [
                "repair: on (loss 12 s ago), loss 5.02 % in runs of 1.3",
                "repair gaming: copies after 1, 3 datagrams, within 70 ms",
                "repair bulk: 25.0 % over windows of 40, lost ones sent again, within 40 ms",
                "repaired: 90 by copies, 8 by windows, 0 by sending again; 2 of 100 lost datagrams not, for 31.3 % of the bytes",
            ])
    }

    @Test func `compressed headers say what they spare`() {
        var path = path
        path.headers = TunnelStatus.Headers(
            compressed: 200, bytesBefore: 8000, bytesAfter: 800, raw: 12, restored: 90, refused: 0, feedbackBytesSent: 40,
            feedbackBytesReceived: 60)
        #expect(path.details == ["headers: 200 packets compressed from 40.0 to 4.0 bytes each, 12 sent as they were, 90 restored"])
        path.headers?.compressed = 0
        path.headers?.refused = 3
        #expect(path.details == ["headers: 0 packets compressed, 12 sent as they were, 90 restored, 3 not"])
    }

    @Test func `only classes that had traffic have a line`() {
        var path = path
        path.queues = [
            queue("gaming", sent: 7), queue("realtime"), queue("general", packets: 2, sent: 9, dropped: 1),
            queue("bulk", dropped: 1),
        ]
        #expect(
            path.details == [
                "queue gaming: 7 sent (700 B), wait 1.25 ms, peak 12.00 ms",
                "queue general: 2 waiting (2.93 KiB), 9 sent (900 B), 1 dropped for want of room, "
                    + "2 dropped for their delay, 3 marked, wait 1.25 ms, peak 12.00 ms",
                "queue bulk: 0 sent (0 B), 1 dropped for want of room, 2 dropped for their delay, 3 marked",
            ])
    }

    @Test func `JSON has the unit of each in its name`() throws {
        var path = path
        path.queues = [queue("bulk", packets: 1, sent: 1, dropped: 1)]
        path.congestion = TunnelStatus.Congestion(
            state: "drain", gaming: false, bandwidthBitPerS: 1, minRttMs: 2, pacingRateBitPerS: 3, inFlightBytes: 4, windowBytes: 5)
        let json = AdminProtocol.json(path, pretty: false)
        for name in [
            "congestion", "state", "gaming", "bandwidth_bit_per_s", "min_rtt_ms", "pacing_rate_bit_per_s", "in_flight_bytes",
            "window_bytes", "queues", "class", "packets", "bytes", "sent", "sent_bytes", "dropped_full", "dropped_delay",
            "marked", "sojourn_ms", "sojourn_peak_ms",
        ] { #expect(json.contains("\"\(name)\":"), "\(name) in \(json)") }
    }
}
