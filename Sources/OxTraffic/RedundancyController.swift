public import OxModel

/// How much redundancy the packets of each class get on one path, and of which kind: from what the path loses, what is wanted, and what
/// it may cost. Knows neither clock nor path: it hears what feedback says of losses and what is sent, and orders hold until the next.
///
/// What is lost while delay rises at a full pipe gets none: there more packets mean more loss. Where delay does not rise, a full pipe
/// has none for the classes that fill it: their senders are not held back by the losses, and redundancy would take their place.
public struct RedundancyController: Sendable {
    /// Why the orders are as they are.
    public enum Reason: String, Sendable, CaseIterable {
        case start
        case noLoss = "no loss"
        case cleanLink = "clean link"
        case loss
        /// Less than what is wanted: not in time, or not at this cost.
        case lossOutOfReach = "loss out of reach"
        case forecast
        case congestion
        /// What fills the path in spite of its losses gains nothing from redundancy, which would take its place.
        case fullPath = "full path"
    }

    public struct Status: Equatable, Sendable {
        public var orders: [TrafficClass: RepairOrder]
        /// The share of datagrams that is lost as the controller takes it, and how many in a row.
        public var loss: Double
        public var burst: Double
        /// What something expects the loss to become.
        public var forecast: Double?
        public var isCongested: Bool
        /// Of the last change of the orders, and when that was.
        public var reason: Reason
        public var changed: Instant?
    }

    /// Without loss for so long, or without need, there is no redundancy at all.
    static let restAfter = Duration.seconds(30)
    /// Until then, and while a forecast says that there will be hardly any loss, this share of the bytes.
    static let leastShare = 0.05
    /// A forecast above the first makes for twice as much redundancy, one below the second for the least.
    static let forecastHigh = 0.05
    static let forecastLow = 0.01
    /// Weaker orders are not given sooner after stronger ones.
    static let patience = Duration.seconds(2)
    private static let fullnessSeconds = 0.5
    /// Classes with nothing to repair for so long have no orders.
    private static let loadMemory = Duration.seconds(10)

    /// Of classes that are left out the preset holds.
    public var goals: [TrafficClass: RedundancyGoal]
    /// The loss that something expects soon, above what is measured or below. Nil: what is measured is all there is.
    public var forecast: Double?

    private var estimate = RedundancyEstimate()
    private var congestion = RedundancyCongestion()
    private var roundTrip: Duration?
    /// Of the last half second, the share in which this side had more to send than the path took.
    private var fullness = 0.0
    private var sampled: Instant?
    private var classes: [TrafficClass: ClassState] = [:]
    public private(set) var repair = PathRepair(watches: true)
    public private(set) var reason = Reason.start
    public private(set) var changed: Instant?

    private struct ClassState: Sendable {
        var counted = RepairLoad()
        var at: Instant
        var lastSent: Instant?
        var sparseBytes = 100.0
        var gap: Duration?
        var densePace = 0.0
        var denseBytes = 1000.0
        var planned: (situation: RedundancyPlan.Situation, plan: RedundancyPlan)?
        var lastNeeded: Instant?
        var raised: Instant?

        mutating func observe(_ load: RepairLoad, now: Instant) {
            let elapsed = (now - at).inSeconds
            let sparse = load.sparseDatagrams &- counted.sparseDatagrams
            let dense = load.denseDatagrams &- counted.denseDatagrams
            let restarted = load.sparseDatagrams < counted.sparseDatagrams || load.denseDatagrams < counted.denseDatagrams
            defer {
                counted = load
                at = now
            }
            guard !restarted, sparse + dense > 0 else { return }
            lastSent = now
            if sparse > 0 {
                sparseBytes = Double(load.sparseBytes &- counted.sparseBytes) / Double(sparse)
                gap = load.sparseGap ?? gap
            }
            if dense > 0 { denseBytes = Double(load.denseBytes &- counted.denseBytes) / Double(dense) }
            guard elapsed > 0 else { return }
            let present = Double(dense) / elapsed
            densePace += (present - densePace) * min(1, elapsed / 0.5)
        }
    }

    public init(goals: [TrafficClass: RedundancyGoal] = [:]) { self.goals = goals }

    public func status(now: Instant) -> Status {
        Status(
            orders: repair.orders, loss: estimate.loss, burst: estimate.burst, forecast: forecast,
            isCongested: congestion.isSeen(now: now), reason: reason, changed: changed)
    }

    /// Takes what feedback says of the path.
    ///
    /// - Returns: whether `repair` has changed.
    public mutating func onSample(_ sample: PathSample, now: Instant) -> Bool {
        roundTrip = sample.smoothedRoundTrip ?? roundTrip
        let isHeldBack = sample.isWindowLimited || sample.backlog > 0
        let elapsed = sampled.map { (now - $0).inSeconds } ?? 0
        sampled = now
        fullness += ((isHeldBack && !sample.isAppLimited ? 1 : 0) - fullness) * min(1, elapsed / Self.fullnessSeconds)
        if isHeldBack {
            congestion.observe(roundTrip: sample.roundTrip, pipe: .full, now: now)
        } else {
            // Nothing waits here where congestion control is off, and yet it can be this side that fills the pipe.
            let isDense = classes.values.contains { $0.densePace > RedundancyPlan.usualPace }
            congestion.observe(roundTrip: sample.smoothedRoundTrip, pipe: isDense ? .perhapsFull : .free, now: now)
        }
        if !congestion.isSeen(now: now) { estimate.observe(LossReport(sample), now: now) }
        return decide(now: now)
    }

    /// Takes what has been sent by now.
    public mutating func onLoads(_ loads: [TrafficClass: RepairLoad], now: Instant) -> Bool {
        for (trafficClass, load) in loads {
            if classes[trafficClass] == nil { classes[trafficClass] = ClassState(at: now) }
            classes[trafficClass]?.observe(load, now: now)
        }
        return decide(now: now)
    }

    public mutating func onForecast(_ loss: Double?, now: Instant) -> Bool {
        forecast = loss.map { min(max($0, 0), 1) }
        return decide(now: now)
    }

    public mutating func onGoals(_ goals: [TrafficClass: RedundancyGoal], now: Instant) -> Bool {
        self.goals = goals
        return decide(now: now)
    }
}

extension LossReport {
    init(_ sample: PathSample) {
        self.init(arrived: sample.datagramsArrived, lost: sample.datagramsLost, runs: sample.lossRuns,
            late: sample.datagramsLate)
    }
}

extension RedundancyController {
    private mutating func decide(now: Instant) -> Bool {
        // Most paths lose nothing, and samples come often.
        if estimate.cleanFor == nil, forecast == nil, repair.orders.isEmpty { return false }
        var orders: [TrafficClass: RepairOrder] = [:]
        var why: Reason
        if congestion.isSeen(now: now) {
            why = .congestion
        } else {
            why = resting
            for trafficClass in classes.keys.sorted() {
                guard let (order, reason) = order(for: trafficClass, now: now) else { continue }
                if let reason { why = reason }
                if !order.isEmpty { orders[trafficClass] = order }
            }
        }
        guard orders != repair.orders else { return false }
        repair.orders = orders
        reason = why
        changed = now
        return true
    }

    private var isFull: Bool { fullness > 0.5 }

    private var resting: Reason { estimate.cleanFor.map { $0 < Self.restAfter } ?? false ? .cleanLink : .noLoss }

    /// Nil without anything to repair. No reason: what holds for all.
    private mutating func order(for trafficClass: TrafficClass, now: Instant) -> (order: RepairOrder, reason: Reason?)? {
        guard var state = classes[trafficClass], let sent = state.lastSent, now - sent < Self.loadMemory else { return nil }
        defer { classes[trafficClass] = state }
        let current = repair.orders[trafficClass] ?? .none
        let (wanted, reason) = wanted(of: trafficClass, &state, now: now)
        if wanted.strength >= current.strength || reason == nil {
            if wanted.strength > current.strength { state.raised = now }
            return (wanted, reason)
        }
        if let raised = state.raised, now - raised < Self.patience { return (current, reason) }
        return (wanted, reason)
    }

    private func wanted(of trafficClass: TrafficClass, _ state: inout ClassState, now: Instant) -> (RepairOrder, Reason?) {
        let goal = goals[trafficClass] ?? .preset(trafficClass)
        // Without a forecast it is taken that things go on as they are.
        let expected = forecast ?? (estimate.isClean ? 0 : estimate.loss)
        let situation = situation(goal, state, loss: expected)
        if state.planned?.situation != situation {
            var plan = RedundancyPlan(situation)
            if expected > Self.forecastHigh { plan.raiseWindow(toBytes: min(2 * expected, 1), situation) }
            if plan.needsWindow { plan.raiseWindow(toBytes: Self.leastShare, situation) }
            state.planned = (situation, plan)
        }
        // Sending again takes no more than what was lost.
        if isFull, !trafficClass.isUrgent {
            var order = state.planned?.plan.order ?? .none
            order.copies = []
            order.windowShare = 0
            order.window = 0
            return (order.isEmpty ? .none : order, .fullPath)
        }
        guard let plan = state.planned?.plan, !plan.order.isEmpty else { return (rest(state, goal, now: now), nil) }
        if plan.needsWindow { state.lastNeeded = now }
        return (plan.order, forecast != nil ? .forecast : plan.fallsShort ? .lossOutOfReach : .loss)
    }

    /// What a class that needs nothing has for a while after it needed something: another burst may come.
    private func rest(_ state: ClassState, _ goal: RedundancyGoal, now: Instant) -> RepairOrder {
        guard let needed = state.lastNeeded, now - needed < Self.restAfter, let clean = estimate.cleanFor, clean < Self.restAfter,
            goal.denseCost >= Self.leastShare
        else { return .none }
        let deadline = goal.deadline(roundTrip: roundTrip)
        let reach = Int(deadline.inSeconds * max(state.densePace, RedundancyPlan.usualPace))
        return RepairOrder(
            windowShare: RedundancyPlan.windowShare(ofBytes: Self.leastShare, of: state.denseBytes), window: min(max(2, reach), RepairOrder.windowMost),
            deadline: deadline + (roundTrip ?? .zero) / 2)
    }

    /// In steps, so that it is not planned anew for nothing.
    private func situation(_ goal: RedundancyGoal, _ state: ClassState, loss: Double) -> RedundancyPlan.Situation {
        let channel = RedundancyChannel(loss: stepped(loss, by: 0.25), burst: estimate.burst)
        return RedundancyPlan.Situation(
            channel: RedundancyChannel(loss: channel.loss, persistence: (channel.persistence * 20).rounded() / 20),
            pace: stepped(estimate.pace, by: 0.25),
            roundTrip: roundTrip.map { .nanoseconds(Int64(stepped($0.inSeconds, by: 0.125) * 1e9)) }, goal: goal,
            gap: state.gap.map { .nanoseconds(Int64(stepped($0.inSeconds, by: 0.01) * 1e9)) },
            sparseBytes: (state.sparseBytes / 16).rounded(.up) * 16, densePace: stepped(state.densePace, by: 0.125),
            denseBytes: (state.denseBytes / 64).rounded(.down) * 64)
    }
}

/// To the nearest of the values that part what lies between two powers of two in steps of so much.
private func stepped(_ value: Double, by step: Double) -> Double {
    guard value > 0 else { return 0 }
    let fraction = ((value.significand - 1) / step).rounded() * step
    return Double(sign: .plus, exponent: value.exponent, significand: 1) * (1 + fraction)
}

extension RepairOrder {
    /// For the order among them alone.
    fileprivate var strength: Double {
        Double(copies.count) + windowShare + (retransmits ? 0.01 : 0)
    }
}
