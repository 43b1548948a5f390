internal import COxCrypto
public import OxModel

extension Core {
    /// Who computes the AEAD here, and why libsodium if it is: such as "ipsec-mb 1.3.0 AVX-512".
    public static func provider(of aead: AEAD) -> String {
        guard let kind = ox_aead(rawValue: UInt32(aead.rawValue)) else { return "nobody" }
        return unsafe String(cString: ox_aead_provider(kind))
    }

    /// Nanoseconds that sealing one packet of 1,400 bytes takes here, the least of a few rounds: some milliseconds in all.
    public static func sealingCost(_ aead: AEAD) throws(CoreError) -> Double {
        let attempt = "measure \(aead.name)"
        guard supports(aead: aead.rawValue), let kind = ox_aead(rawValue: UInt32(aead.rawValue)) else {
            throw CoreError(attempt: attempt, reason: .unsupported)
        }
        var key = KeyTool.random(clamped: false)
        defer { KeyTool.wipe(&key) }
        let made = unsafe key.withUnsafeBufferPointer { unsafe ox_keys_create(kind, $0.baseAddress, $0.baseAddress) }
        guard let keys = unsafe made else { throw CoreError(attempt: attempt, reason: .noMemory) }
        defer { unsafe ox_keys_destroy(keys) }
        guard let engine = unsafe ox_aead_engine_create() else { throw CoreError(attempt: attempt, reason: .noMemory) }
        defer { unsafe ox_aead_engine_destroy(engine) }
        return unsafe sealingCost(engine, keys)
    }

    /// In batches, as a busy worker does.
    private static func sealingCost(_ engine: OpaquePointer, _ keys: OpaquePointer) -> Double {
        let (packets, batches, bytes) = (16, 12, 1400)
        let stride = bytes + Int(OX_TAG_BYTES)
        var content = [UInt8](repeating: 0, count: packets * stride)
        var best = Double.infinity
        unsafe content.withUnsafeMutableBufferPointer { content in
            var jobs = unsafe (0..<packets).map { index in
                let packet = unsafe content.baseAddress! + index * stride
                return unsafe ox_aead_job(
                    number: 0, aad: nil, from: packet, to: packet, len: UInt32(bytes), aad_len: 0, authentic: false)
            }
            for round in 0..<4 {
                let start = SystemClock.now()
                for batch in 0..<batches {
                    for index in 0..<packets {
                        unsafe jobs[index].number = UInt64((round * batches + batch) * packets + index)
                    }
                    unsafe ox_keys_seal(engine, keys, 0, &jobs, UInt32(packets))
                }
                let took = SystemClock.now() - start
                best = min(best, Double(took.wholeNanoseconds) / Double(packets * batches))
            }
        }
        return best
    }
}
