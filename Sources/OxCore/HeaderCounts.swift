internal import COxTunnel

/// What compressing headers did on a path, since the start.
public struct HeaderCounts: Equatable, Sendable {
    /// Packets sent with compressed headers, and the bytes of these headers before and after; and packets sent as they were.
    public var compressed: UInt64
    public var bytesBefore: UInt64
    public var bytesAfter: UInt64
    public var raw: UInt64
    /// Packets received with compressed headers: made whole again, and not.
    public var restored: UInt64
    public var refused: UInt64
    /// Bytes of feedback on headers.
    public var feedbackSent: UInt64
    public var feedbackReceived: UInt64

    init(_ report: ox_compact_report) {
        compressed = report.packets
        bytesBefore = report.octets_in
        bytesAfter = report.octets_out
        raw = report.raw
        restored = report.restored
        refused = report.refused
        feedbackSent = report.told
        feedbackReceived = report.heard
    }
}
