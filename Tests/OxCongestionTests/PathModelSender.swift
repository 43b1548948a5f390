import OxCongestion
import OxModel

/// C and the P of what is in flight, in the draft's terms.
struct Flight {
    var packets: [PathModel.Packet] = []
    var base: UInt64 = 0
    var oldest: UInt64 = 0
    var nextNumber: UInt64 = 0
    var largestAcked: UInt64?
    var delivered: UInt64 = 0
    var deliveredTime: UInt64 = 0
    var firstSendTime: UInt64 = 0
    var lost: UInt64 = 0
    var inFlight: UInt64 = 0
    var appLimited: UInt64 = 0
    var minRoundTrip: UInt64 = .max
    var smoothed: UInt64 = 0
    var variance: UInt64 = 0
    var timeoutDue: UInt64 = .max

    mutating func mark(_ number: UInt64) { if number >= base { packets[Int(number - base)].isMarked = true } }

    mutating func markAppLimited() { appLimited = max(delivered + inFlight, 1) }

    /// OnPacketSent(). True when it left out of idleness.
    mutating func sent(size: UInt64, now: UInt64) -> (number: UInt64, isRestart: Bool) {
        let isRestart = inFlight == 0 && appLimited != 0
        if inFlight == 0 {
            firstSendTime = now
            deliveredTime = now
            timeoutDue = now + timeout
        }
        inFlight += size
        packets.append(
            PathModel.Packet(
                number: nextNumber, size: size, sent: now, firstSent: firstSendTime, deliveredTime: deliveredTime,
                delivered: delivered, lostBefore: lost, inFlightAtSending: inFlight, isAppLimited: appLimited != 0))
        nextNumber += 1
        return (nextNumber - 1, isRestart)
    }

    var timeout: UInt64 { smoothed == 0 ? 1_000_000_000 : max(smoothed + 4 * variance, 1_000_000) * 2 + 30_000_000 }

    mutating func updateRoundTrip(_ sample: UInt64) {
        minRoundTrip = min(minRoundTrip, sample)
        guard smoothed > 0 else {
            smoothed = sample
            variance = sample / 2
            return
        }
        variance = (3 * variance + (smoothed > sample ? smoothed - sample : sample - smoothed)) / 4
        smoothed = (7 * smoothed + sample) / 8
    }

    mutating func trim() {
        while oldest < nextNumber, packets[Int(oldest - base)].fate != .inFlight { oldest += 1 }
        // What was lost stays known for a while: it may come late.
        if oldest > base + 60_000 {
            packets.removeFirst(Int(oldest - base - 30_000))
            base = oldest - 30_000
        }
    }
}

// The sender of the model.
extension PathModel {
    private var rate: Rate {
        if flight.inFlight == 0, flight.appLimited != 0, let restart = limits.restartRate { return restart }
        return limits.pacingRate ?? Rate(bytesPerSecond: 1_000_000_000_000)
    }

    private var mayWindow: Bool { flight.inFlight + datagram <= limits.window ?? .max }

    private func hasData() -> Bool {
        guard let offered else { return true }
        return offeredLeft + offered * Double(now - offeredSince) / 1e9 >= Double(datagram)
    }

    /// When sending can go on, as far as pacing and the application are concerned.
    func nextChance() -> UInt64 {
        guard mayWindow else { return .max }
        var time = nextSend
        if let offered {
            guard offered > 0 else { return .max }
            let missing = max(0, Double(datagram) - offeredLeft)
            let written = offeredSince + UInt64((missing / offered * 1e9).rounded(.up)) + 1
            isWaitingForApplication = written > time
            time = max(time, written)
        }
        return max(time, now + 1)
    }

    func send() {
        while nextSend <= now {
            guard hasData() else {
                if mayWindow { flight.markAppLimited() }
                return
            }
            guard mayWindow else {
                isWindowLimited = true
                return
            }
            if let offered {
                // CheckIfApplicationLimited() at the write: pacing and window would have let something go before.
                if isWaitingForApplication { flight.markAppLimited() }
                isWaitingForApplication = false
                offeredLeft += offered * Double(now - offeredSince) / 1e9 - Double(datagram)
                offeredSince = now
            }
            let pace = rate
            let (number, isRestart) = flight.sent(size: datagram, now: now)
            isRestarted = isRestarted || isRestart
            counts.sent += datagram
            nextSend = max(now, nextSend) + UInt64(pace.time(for: datagram)!.wholeNanoseconds)
            enter(number, datagram)
            // C.is_cwnd_limited: the window was fully used, even if it is the pacing that would have waited next.
            if !mayWindow { isWindowLimited = true }
        }
    }

    /// A feedback arrives: UpdateRateSample() of each datagram, GenerateRateSample(), loss detection, and BBR.
    func feedback() {
        let numbers = group
        group = []
        groupDue = .max
        var sample = PathSample()
        sample.priorInFlight = flight.inFlight
        if !hasData(), nextSend <= now, mayWindow { flight.markAppLimited() }
        var newest: Packet?
        var sendElapsed: UInt64 = 0
        var ackElapsed: UInt64 = 0
        for number in numbers where number >= flight.base {
            let index = Int(number - flight.base)
            let packet = flight.packets[index]
            guard packet.fate != .acknowledged else { continue }
            if packet.fate == .lost { sample.newlyLate += packet.size } else { flight.inFlight -= packet.size }
            flight.packets[index].fate = .acknowledged
            flight.largestAcked = max(flight.largestAcked ?? 0, number)
            flight.delivered += packet.size
            flight.deliveredTime = now
            sample.newlyAcked += packet.size
            sample.ecnCapable += 1
            if packet.isMarked { sample.congestionMarked += 1 }
            if newest == nil || packet.number > newest!.number {
                newest = packet
                sendElapsed = packet.sent - packet.firstSent
                ackElapsed = flight.deliveredTime - packet.deliveredTime
                flight.firstSendTime = packet.sent
            }
        }
        guard let newest else { return }
        if flight.appLimited != 0, flight.delivered > flight.appLimited { flight.appLimited = 0 }
        flight.updateRoundTrip(now - newest.sent)
        sample.roundTrip = .nanoseconds(Int64(now - newest.sent))
        sample.priorDelivered = newest.delivered
        sample.sent = Instant(nanoseconds: newest.sent)
        sample.isAppLimited = newest.isAppLimited
        sample.inFlightAtSending = newest.inFlightAtSending
        let interval = max(sendElapsed, ackElapsed)
        sample.rateDelivered = flight.delivered - newest.delivered
        sample.interval = .nanoseconds(Int64(interval))
        if interval >= flight.minRoundTrip { sample.rate = Rate(bytes: sample.rateDelivered, over: sample.interval) }
        detectLoss(&sample)
        sample.lostSince = flight.lost - newest.lostBefore
        flight.timeoutDue = flight.inFlight > 0 ? now + flight.timeout : .max
        deliver(&sample)
    }

    private func detectLoss(_ sample: inout PathSample) {
        guard let largest = flight.largestAcked else { return }
        let patience = max(flight.smoothed, UInt64(sample.roundTrip?.wholeNanoseconds ?? 0)) / 8 * 9
        var number = flight.oldest
        var last: UInt64?
        while number < largest {
            let packet = flight.packets[Int(number - flight.base)]
            if packet.fate == .inFlight, number + reorderThreshold <= largest || packet.sent + patience <= now {
                lose(number, &sample, &last)
            }
            number += 1
        }
        flight.trim()
    }

    private func lose(_ number: UInt64, _ sample: inout PathSample, _ last: inout UInt64?) {
        let index = Int(number - flight.base)
        flight.packets[index].fate = .lost
        let packet = flight.packets[index]
        flight.inFlight -= packet.size
        flight.lost += packet.size
        sample.newlyLost += packet.size
        if last.map({ $0 + 1 != number }) ?? true { sample.lossRuns += 1 }
        last = number
        sample.lostSent = Instant(nanoseconds: packet.sent)
        let lost = flight.lost - packet.lostBefore
        if sample.excess == nil, Double(lost) > limits.lossThreshold * Double(packet.inFlightAtSending) {
            sample.excess = .init(inFlightAtSending: packet.inFlightAtSending, lostSince: lost, bytes: packet.size)
        }
    }

    /// All in flight is given up.
    func timeOut() {
        flight.timeoutDue = .max
        var sample = PathSample()
        sample.priorInFlight = flight.inFlight
        sample.isTimeout = true
        var last: UInt64?
        for number in flight.oldest..<flight.nextNumber where flight.packets[Int(number - flight.base)].fate == .inFlight {
            lose(number, &sample, &last)
        }
        flight.trim()
        deliver(&sample)
    }

    private func deliver(_ sample: inout PathSample) {
        sample.delivered = flight.delivered
        sample.lost = flight.lost
        sample.inFlight = flight.inFlight
        sample.smoothedRoundTrip = .nanoseconds(Int64(flight.smoothed))
        sample.roundTripVariance = .nanoseconds(Int64(flight.variance))
        sample.isWindowLimited = isWindowLimited
        sample.isRestart = isRestarted
        sample.largestDatagram = datagram
        isWindowLimited = false
        isRestarted = false
        limits = bbr.onSample(sample, now: instant)
        watch?(self, sample)
    }
}
