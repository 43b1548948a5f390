import OxModel

/// How a network treats datagrams, one way: the bottleneck first, then what may be lost, late or twice behind it.
public struct LinkModel: Sendable, Equatable {
    /// Nil for a link that nothing waits in front of.
    public var bottleneck: Bottleneck?
    public var delay: Duration
    /// Up to this much is added at random, so that datagrams overtake each other.
    public var jitter: Duration
    /// With jitter, nothing overtakes all the same: what is late holds up what comes behind it.
    public var keepsOrder: Bool
    /// Independent loss, behind the bottleneck: what is lost has used it.
    public var loss: Double
    /// Loss in bursts, likewise.
    public var lossBursts: GilbertElliott?
    /// Times in which nothing passes, likewise.
    public var outages: Outages?
    /// All of these losses end so long after the start. Nil: never.
    public var lossEnds: Duration?
    public var duplication: Double
    /// Datagrams that are held back for five times the jitter and 10 ms.
    public var reordering: Double
    /// Datagrams longer than this vanish.
    public var mtu: Int

    public init(
        bottleneck: Bottleneck? = nil, delay: Duration = .milliseconds(20), jitter: Duration = .zero,
        keepsOrder: Bool = false, loss: Double = 0, lossBursts: GilbertElliott? = nil,
        outages: Outages? = nil, lossEnds: Duration? = nil, duplication: Double = 0,
        reordering: Double = 0, mtu: Int = 1472
    ) {
        self.bottleneck = bottleneck
        self.delay = delay
        self.jitter = jitter
        self.keepsOrder = keepsOrder
        self.loss = loss
        self.lossBursts = lossBursts
        self.outages = outages
        self.lossEnds = lossEnds
        self.duplication = duplication
        self.reordering = reordering
        self.mtu = mtu
    }
}

/// A link that is good for a while and then bad for a while. It may change before each datagram.
public struct GilbertElliott: Sendable, Equatable {
    public var badFromGood: Double
    public var goodFromBad: Double
    public var lossInGood: Double
    public var lossInBad: Double

    public init(badFromGood: Double, goodFromBad: Double, lossInGood: Double = 0, lossInBad: Double = 1) {
        precondition(badFromGood <= 0 || goodFromBad > 0, "a link that turns bad must be able to turn good")
        self.badFromGood = badFromGood
        self.goodFromBad = goodFromBad
        self.lossInGood = lossInGood
        self.lossInBad = lossInBad
    }

    /// Of all datagrams, in the long run.
    public var meanLoss: Double {
        let bad = badFromGood + goodFromBad > 0 ? badFromGood / (badFromGood + goodFromBad) : 0
        return bad * lossInBad + (1 - bad) * lossInGood
    }
}

/// A link that is dead for a while now and then, whatever is sent: both whiles are of exponentially distributed length.
public struct Outages: Sendable, Equatable {
    /// The mean.
    public var length: Duration
    /// Of the time.
    public var share: Double

    public init(length: Duration, share: Double) {
        precondition(length > .zero && share > 0 && share < 1, "outages take some time, and not all")
        self.length = length
        self.share = share
    }

    var between: Duration { length * ((1 - share) / share) }
}
