import ArgumentParser
import CLabBase
import CLabLink

/// Which packets a set of impairments is for: it is the prefix of the options' names.
protocol ImpairmentScope {
    static var prefix: String { get }
}

enum BothWays: ImpairmentScope { static let prefix = "" }
enum AToB: ImpairmentScope { static let prefix = "ab-" }
enum BToA: ImpairmentScope { static let prefix = "ba-" }

enum JitterDistribution: String, ExpressibleByArgument, CaseIterable { case uniform, normal }

enum QueueLimit: Equatable {
    case bytes(UInt64)
    case time(UInt64)
}

struct Reordering: Equatable {
    var probability: Double
    var holdNanoseconds: UInt64
}

struct GilbertElliott: Equatable {
    var badFromGood: Double
    var goodFromBad: Double
    var lossInGood: Double
    var lossInBad: Double
}

private func help(_ text: String, _ valueName: String) -> ArgumentHelp { ArgumentHelp("\(text)", valueName: valueName) }

/// The impairments of one scope, in netem's terms where netem has one.
struct Impairments<Scope: ImpairmentScope>: ParsableArguments {
    @Option(
        name: .customLong(Scope.prefix + "delay"), help: help("One-way delay, such as 20ms.", "time"),
        transform: Parse.duration)
    var delay: UInt64?

    @Option(
        name: .customLong(Scope.prefix + "jitter"),
        help: help("Variation of the delay: plus or minus this (uniform), or standard deviation (normal).", "time"),
        transform: Parse.duration)
    var jitter: UInt64?

    @Option(name: .customLong(Scope.prefix + "distribution"), help: help("Of the jitter. Default: uniform.", "name"))
    var distribution: JitterDistribution?

    @Flag(
        name: .customLong(Scope.prefix + "jitter-reorders"),
        help: "Let jitter change the order. Default: it does not.")
    var jitterReorders = false

    @Option(
        name: .customLong(Scope.prefix + "rate"),
        help: help("Rate of IP bytes, such as 20mbit. Default: unlimited.", "rate"), transform: Parse.rate)
    var rate: UInt64?

    @Option(
        name: .customLong(Scope.prefix + "trace"),
        help: help("Instead of a rate: a mahimahi trace, one line (ms) for each 1500 bytes.", "file"))
    var trace: String?

    @Option(
        name: .customLong(Scope.prefix + "queue"),
        help: help("Bound of the queue, a time or a size: 100ms (default), 64kb.", "limit"),
        transform: Parse.queue)
    var queue: QueueLimit?

    @Option(
        name: .customLong(Scope.prefix + "loss"), help: help("Independent loss, such as 1%.", "probability"),
        transform: Parse.probability)
    var loss: Double?

    @Option(
        name: .customLong(Scope.prefix + "gemodel"),
        help: help(
            "Gilbert-Elliott: good to bad, bad to good, loss in good (0%), loss in bad (100%).", "p,r[,good,bad]"),
        transform: Parse.gilbertElliott)
    var gemodel: GilbertElliott?

    @Option(
        name: .customLong(Scope.prefix + "reorder"),
        help: help("Hold packets back by a time (10ms), so that others overtake.", "probability[,time]"),
        transform: Parse.reordering)
    var reorder: Reordering?

    @Option(
        name: .customLong(Scope.prefix + "duplicate"), help: help("Deliver packets twice.", "probability"),
        transform: Parse.probability)
    var duplicate: Double?

    @Option(
        name: .customLong(Scope.prefix + "outage"),
        help: help(
            "Down from a time after the start, for a length, again every period. Repeatable.", "at,length[,period]"),
        transform: Parse.outage)
    var outages: [lab_outage] = []
}

extension Parse {
    static func queue(_ text: String) throws -> QueueLimit {
        if let time = try? Parse.duration(text), time > 0 { return .time(time) }
        if let bytes = try? Parse.size(text), bytes > 0 { return .bytes(bytes) }
        throw ValidationError("write a time such as 100ms, or a size such as 64kb, above zero.")
    }

    static func gilbertElliott(_ text: String) throws -> GilbertElliott {
        let fields = try Parse.fields(text, 2...4, like: "1%,25% or 1%,25%,0%,100%").map(Parse.probability)
        return GilbertElliott(
            badFromGood: fields[0], goodFromBad: fields[1],
            lossInGood: fields.count > 2 ? fields[2] : 0, lossInBad: fields.count > 3 ? fields[3] : 1)
    }

    static func reordering(_ text: String) throws -> Reordering {
        let fields = try Parse.fields(text, 1...2, like: "2% or 2%,10ms")
        return Reordering(
            probability: try Parse.probability(fields[0]),
            holdNanoseconds: fields.count > 1 ? try Parse.duration(fields[1]) : 10_000_000)
    }

    static func outage(_ text: String) throws -> lab_outage {
        let fields = try Parse.fields(text, 2...3, like: "5s,200ms or 5s,200ms,10s").map(Parse.duration)
        return lab_outage(at_ns: fields[0], length_ns: fields[1], period_ns: fields.count > 2 ? fields[2] : 0)
    }
}

// MARK: - To the model

/// A loaded trace. The configurations that use it only point to it.
@safe final class Trace {
    private let times: UnsafeMutablePointer<UInt32>
    private let count: UInt32

    init(path: String) throws {
        var count: UInt32 = 0
        guard let times = unsafe lab_trace_load(path, &count) else { throw LabFailure.last }
        unsafe self.times = times
        self.count = count
    }

    deinit { unsafe lab_trace_free(times) }

    func install(in config: inout lab_link_config) {
        unsafe config.trace_ms = UnsafePointer(times)
        config.trace_count = count
    }
}

extension lab_link_config {
    /// Writes what the options say over what was there, so that a direction's own options win over those for both.
    mutating func apply<Scope>(_ options: Impairments<Scope>) throws {
        if let delay = options.delay { delay_ns = delay }
        if let jitter = options.jitter { jitter_ns = jitter }
        if let distribution = options.distribution {
            jitter_shape = distribution == .normal ? LAB_JITTER_NORMAL : LAB_JITTER_UNIFORM
        }
        if options.jitterReorders { jitter_reorders = true }
        if let rate = options.rate { rate_bits_per_s = rate }
        switch options.queue {
        case .bytes(let bytes): (queue_bytes, queue_ns) = (bytes, 0)
        case .time(let time): (queue_bytes, queue_ns) = (0, time)
        case nil: break
        }
        if let loss = options.loss { self.loss = loss }
        if let model = options.gemodel {
            bad_from_good = model.badFromGood
            good_from_bad = model.goodFromBad
            loss_in_good = model.lossInGood
            loss_in_bad = model.lossInBad
        }
        if let reorder = options.reorder {
            self.reorder = reorder.probability
            reorder_ns = reorder.holdNanoseconds
        }
        if let duplicate = options.duplicate { self.duplicate = duplicate }
        for outage in options.outages where !(unsafe lab_link_config_add_outage(&self, outage)) {
            throw ValidationError("at most \(LAB_OUTAGES_MAX) outages in a direction.")
        }
    }
}
