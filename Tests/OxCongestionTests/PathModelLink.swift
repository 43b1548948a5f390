import OxCongestion
import OxModel

// The bottleneck and the receiver of the model.
extension PathModel {
    /// A datagram arrives at the bottleneck.
    func enter(_ number: UInt64, _ size: UInt64) {
        if link.policer != nil, !link.policer!.admits(Double(size), at: now) {
            counts.dropped += 1
            return
        }
        guard queued + Double(size) <= max(link.buffer, Double(size)) else {
            counts.dropped += 1
            return
        }
        queue.append((number, size, now))
        queued += Double(size)
        if link.trace.isEmpty, serviceEnd == .max { serviceEnd = now + serviceTime(size) }
    }

    private func serviceTime(_ size: UInt64) -> UInt64 { UInt64(Double(size) / link.rate * 1e9) }

    func serve() {
        if link.trace.isEmpty {
            release()
            serviceEnd = queueHead < queue.count ? now + serviceTime(queue[queueHead].size) : .max
            return
        }
        // A delivery opportunity of the trace: unused it is gone.
        credit += link.opportunity
        while queueHead < queue.count, Double(queue[queueHead].size) <= credit {
            credit -= Double(queue[queueHead].size)
            release()
        }
        if queueHead == queue.count { credit = 0 }
        traceIndex += 1
        if traceIndex == link.trace.count {
            traceIndex = 0
            traceLap += max(1, link.trace.last ?? 1)
        }
        serviceEnd = max(now, 1_000_000_000 + traceLap + link.trace[traceIndex])
    }

    private func release() {
        let (number, size, arrived) = queue[queueHead]
        queueHead += 1
        if queueHead > 4096 {
            queue.removeFirst(queueHead)
            queueHead = 0
        }
        queued -= Double(size)
        let wait = now - arrived
        waits.append(max(0, Double(wait) / 1e9 - (link.trace.isEmpty ? Double(size) / link.rate : 0)))
        if let limit = link.markAbove, wait > UInt64(limit.wholeNanoseconds) { flight.mark(number) }
        if link.loss > 0, dice.unit() < link.loss {
            counts.dropped += 1
            return
        }
        counts.through += size
        var time = now + UInt64(link.roundTrip.wholeNanoseconds)
        if let extra = link.extraDelay?(number), extra > .zero { time += UInt64(extra.wholeNanoseconds) }
        if link.slot > .zero {
            let slot = UInt64(link.slot.wholeNanoseconds)
            time = (time + slot - 1) / slot * slot
        }
        var place = arrivals.count
        while place > arrivalHead, arrivals[place - 1].time > time { place -= 1 }
        arrivals.insert((time, number), at: place)
    }

    /// The receiver's and the way back's delay are in the round trip already: here the feedback is collected.
    func receive() {
        group.append(arrivals[arrivalHead].number)
        arrivalHead += 1
        if arrivalHead > 4096 {
            arrivals.removeFirst(arrivalHead)
            arrivalHead = 0
        }
        let isSlotOver = link.slot > .zero && !(arrivalHead < arrivals.count && arrivals[arrivalHead].time == now)
        if link.slot > .zero ? isSlotOver : group.count >= feedbackEvery {
            feedback()
        } else if groupDue == .max {
            groupDue = now + feedbackDelay
        }
    }
}
