internal import COxCrypto
public import OxModel

extension Core {
    /// Nanoseconds that sealing one packet of 1,400 bytes takes here, the fastest of a few rounds: some milliseconds in all.
    public static func sealingCost(_ aead: AEAD) throws(CoreError) -> Double {
        let attempt = "measure \(aead.name)"
        guard supports(aead: aead.rawValue), let kind = ox_aead(rawValue: UInt32(aead.rawValue)) else {
            throw CoreError(attempt: attempt, reason: .unsupported)
        }
        let key = KeyTool.random(clamped: false)
        let made = unsafe key.withUnsafeBufferPointer { unsafe ox_keys_create(kind, $0.baseAddress, $0.baseAddress) }
        guard let keys = unsafe made else { throw CoreError(attempt: attempt, reason: .noMemory) }
        defer { unsafe ox_keys_destroy(keys) }
        let packets: UInt64 = 200
        var packet = [UInt8](repeating: 0, count: 1400 + Int(OX_TAG_BYTES))
        var best = Double.infinity
        for round in 0..<UInt64(4) {
            let start = SystemClock.now()
            for number in 0..<packets {
                unsafe packet.withUnsafeMutableBufferPointer {
                    unsafe ox_keys_seal(keys, 0, round * packets + number, nil, 0, $0.baseAddress, 1400)
                }
            }
            best = min(best, Double((SystemClock.now() - start).wholeNanoseconds) / Double(packets))
        }
        return best
    }
}
