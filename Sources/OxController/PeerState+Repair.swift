import OxModel
import OxTraffic

/// How losses of one path are repaired, and why.
struct PathRepairing: Sendable {
    var controller: RedundancyController
    /// The orders in force.
    var said = PathRepair.none
    /// Samples of datagrams that were sent before say nothing of this path.
    let began: Instant
}

extension PeerState {
    /// A session is in use, on a path whose losses are not known: the one before was of another kind, or led elsewhere.
    mutating func startRepair(now: Instant, _ context: inout Context) {
        let settings = context.local.repair
        guard settings.isOn, currentSession?.features.contains(.repair) ?? false else { return endRepair(&context) }
        repairing = PathRepairing(
            controller: RedundancyController(goals: settings.goals), said: repairing?.said ?? .none, began: now)
        sayRepair(&context)
    }

    /// Another session is in use on the same path: what was learned of that holds.
    mutating func continueRepair(now: Instant, _ context: inout Context) {
        let isAgreed = currentSession?.features.contains(.repair) ?? false
        if !isAgreed { return endRepair(&context) }
        if repairing == nil { startRepair(now: now, &context) }
    }

    /// Nothing is repaired any more.
    mutating func endRepair(_ context: inout Context) {
        guard let said = repairing?.said else { return }
        repairing = nil
        if said != .none { context.emit(.setRepair(id, .first, .none)) }
    }

    mutating func onLossSample(_ sample: PathSample, now: Instant, _ context: inout Context) {
        guard let began = repairing?.began else { return }
        if let sent = sample.sent ?? sample.lostSent, sent < began { return }
        guard repairing?.controller.onSample(sample, now: now) ?? false else { return }
        sayRepair(&context)
    }

    mutating func onRepairLoads(_ loads: [TrafficClass: RepairLoad], now: Instant, _ context: inout Context) {
        guard !loads.isEmpty, repairing?.controller.onLoads(loads, now: now) ?? false else { return }
        sayRepair(&context)
    }

    mutating func onLossForecast(_ loss: Double?, now: Instant, _ context: inout Context) {
        guard repairing?.controller.onForecast(loss, now: now) ?? false else { return }
        sayRepair(&context)
    }

    /// A reload.
    mutating func onRepairSettings(now: Instant, _ context: inout Context) {
        guard context.local.repair.isOn else { return endRepair(&context) }
        continueRepair(now: now, &context)
        guard let goals = repairing?.controller.goals, goals != context.local.repair.goals else { return }
        _ = repairing?.controller.onGoals(context.local.repair.goals, now: now)
        sayRepair(&context)
    }

    private mutating func sayRepair(_ context: inout Context) {
        guard let repair = repairing?.controller.repair, repair != repairing?.said else { return }
        repairing?.said = repair
        context.emit(.setRepair(id, .first, repair))
    }
}
