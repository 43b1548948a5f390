import OxModel

/// The sending end of a transfer without end. Each transmission has a number of its own, as in QUIC: what is lost goes out again
/// under a new one, so that the loss of a repetition is seen like any other (RFC 9002 section 6.1.1).
protocol TransferSender {
    /// The number of the packet that may leave now, if one may.
    mutating func send(now: Instant) -> UInt64?
    mutating func acknowledged(_ number: UInt64, now: Instant)
    /// To be called after a run of `acknowledged`: what is overtaken by so many is lost.
    mutating func settle(now: Instant)
    /// When pacing lets the next packet leave, where it is only that which holds it.
    var departure: Instant? { get }
    /// When `expire` has something to do.
    var deadline: Instant? { get }
    /// Nothing has come for so long that all is taken for lost (RFC 6298).
    mutating func expire(now: Instant)
}
