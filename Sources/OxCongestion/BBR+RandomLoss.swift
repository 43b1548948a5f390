import OxModel

/// What a path loses by itself. Beyond the draft, whose 2 % end in a crawl on a path that always loses 5 %.
///
/// Loss that a sender causes, at a full buffer or a policer, goes away when it slows down, or comes with a queue. So the evidence is
/// loss in rounds without a queue, in which the path was used below what it had delivered:
/// after the draft's own cut (BBR.bw_shortterm), in a round limited by the application, or in Startup while the rate still grows.
/// The share lost there is the baseline, and LossThresh is counted from it. The baseline falls with any round that loses less. A cut that
/// halves the loss proves nothing, and neither does one growing round: a policer's bucket may have run dry within it.
struct RandomLoss: Sendable {
    /// The share that the path loses by itself.
    private(set) var baseline = 0.0
    /// Lost and acknowledged bytes of the current loss round.
    var lost = 0.0
    var acked = 0.0

    /// BBR.max_bw before loss made it forgotten, in case that the loss is the path's own.
    var forgotten: Double?

    /// And of the current round trip.
    var lostInRound = 0.0
    var ackedInRound = 0.0

    /// Evidence gathered, in bytes.
    private var sample = Evidence()
    private var check = Evidence()
    /// Rounds since the last cut: what is acknowledged in the first of them was sent before it.
    private(set) var roundsSinceCut: Int?
    /// What was lost of the round that led to that cut.
    private(set) var shareBeforeCut = 0.0
    /// What was lost of the last round in which the rate grew.
    private var shareWhileGrowing = 0.0

    private struct Evidence: Sendable {
        var lost = 0.0
        var total = 0.0
        var share: Double { total > 0 ? lost / total : 0 }
    }

    /// Evidence counts from so many datagrams on.
    static let enough = 250.0
    /// Or from so many losses on, which tell the share about as well.
    static let enoughLosses = 6.0
    /// No more than this is ever believed.
    static let highest = 0.15

    mutating func endLossRound() {
        lost = 0
        acked = 0
    }

    var shareInLossRound: Double { lost > 0 ? lost / (lost + acked) : 0 }

    mutating func noteCut() {
        guard roundsSinceCut == nil else { return }
        roundsSinceCut = 0
        shareBeforeCut = shareInLossRound
    }

    /// Of the loss of a round in which the rate grew, what the one before it had too.
    mutating func lastingLoss(_ lost: Double, of total: Double) -> Double {
        let share = total > 0 ? lost / total : 0
        defer { shareWhileGrowing = share }
        return min(share, shareWhileGrowing) * total
    }

    mutating func endCut() { roundsSinceCut = nil }

    /// A round ended: `isEvidence` when its loss cannot be the sender's doing. True when the baseline was raised.
    mutating func endRound(lost: Double, total: Double, datagram: Double, isEvidence: Bool) -> Bool {
        if let rounds = roundsSinceCut { roundsSinceCut = rounds + 1 }
        check.lost += lost
        check.total += total
        if check.total >= RandomLoss.enough * datagram {
            // Less than chance explains: or the least of many checks would become the baseline.
            let chance = (baseline * datagram / check.total).squareRoot()
            if check.share < baseline - chance { baseline += (check.share - baseline) / 2 }
            check = Evidence()
        }
        guard isEvidence else { return false }
        sample.lost += lost
        sample.total += total
        guard sample.total >= RandomLoss.enough * datagram || sample.lost >= RandomLoss.enoughLosses * datagram else { return false }
        defer { sample = Evidence() }
        guard sample.share > baseline, roundsSinceCut == nil || sample.share > shareBeforeCut / 2 else { return false }
        baseline = min(sample.share, RandomLoss.highest)
        return true
    }
}

extension BBR {
    /// BBR.LossThresh, counted from what the path loses by itself, with room for two standard deviations of chance in one flight.
    var lossThreshold: Double { lossThreshold(volume: max(bandwidthDelayProduct, minimumWindow)) }

    private func lossThreshold(volume: Double) -> Double {
        guard extensions.toleratesRandomLoss, randomLoss.baseline > 0.002 else { return Draft.lossThreshold }
        let mean = 1.25 * randomLoss.baseline
        let chance = 2 * (mean * datagram / max(volume, datagram)).squareRoot()
        return min(0.5, Draft.lossThreshold + mean + chance)
    }

    /// Loss that comes without a queue, and not by itself, is a policer's or a very small buffer's. What arrived is the path's rate then:
    /// BBR.max_bw, measured while the bucket was full, would be used again in each REFILL for up to two cycles.
    mutating func forgetBandwidthIfPoliced() {
        guard extensions.toleratesRandomLoss, !queueDelay.isInLastRound,
            randomLoss.shareInLossRound > 2 * Draft.lossThreshold + randomLoss.baseline
        else { return }
        randomLoss.forgotten = max(randomLoss.forgotten ?? 0, maxBandwidth)
        bandwidthFilter.reset(to: max(bandwidthLatest, Draft.beta * maxBandwidth))
    }

    /// Whether the loss of this loss round is no more than the path's own.
    var isLossTolerable: Bool {
        guard extensions.toleratesRandomLoss, randomLoss.baseline > 0.002 else { return false }
        let total = randomLoss.lost + randomLoss.acked
        return randomLoss.lost <= total * lossThreshold(volume: total)
    }

    /// Once a round: is its loss the path's own?
    mutating func updateRandomLoss(_ sample: PathSample) {
        randomLoss.acked += Double(sample.newlyAcked)
        guard isRoundStart else { return }
        var lost = randomLoss.lostInRound
        let total = lost + randomLoss.ackedInRound
        randomLoss.lostInRound = 0
        randomLoss.ackedInRound = 0
        guard extensions.toleratesRandomLoss else { return }
        let rate = sample.bandwidth ?? 0
        if !bandwidthShortTerm.isFinite { randomLoss.endCut() }
        if state == .probeBandwidth(.up) { randomLoss.forgotten = nil }
        let isBelowCut = (randomLoss.roundsSinceCut ?? 0) >= 2 && !state.isProbing
        let isGrowing = state == .startup && !sample.isAppLimited && rate >= fullBandwidth * Draft.fullBandwidthGrowth
        if isGrowing { lost = randomLoss.lastingLoss(lost, of: total) }
        let isLittleUsed = sample.isAppLimited && rate < 0.7 * maxBandwidth && isFullBandwidthReached
        let isRaised = randomLoss.endRound(
            lost: lost, total: total, datagram: datagram,
            isEvidence: !queueDelay.isInLastRound && (isBelowCut || isGrowing || isLittleUsed))
        // What was cut for such loss was cut in vain.
        guard isRaised, isLossTolerable else { return }
        resetShortTermModel()
        inflightLongTerm = .infinity
        if let forgotten = randomLoss.forgotten { bandwidthFilter.update(forgotten) }
        randomLoss.forgotten = nil
    }
}
