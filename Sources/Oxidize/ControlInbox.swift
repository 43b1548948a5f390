import OxCore
import OxModel
import Synchronization

/// Work that other threads hand to the control thread: the only way to a node from outside of it.
final class ControlInbox: Sendable {
    typealias Work = @Sendable (Node, Instant) -> Void

    private struct Waiting {
        var work: [Work] = []
        var isClosed = false
    }

    private let waiting = Mutex(Waiting())
    let wake: WakeFlag

    init() throws(CoreError) { wake = try WakeFlag() }

    /// False when the tunnel has ended: the work is not done.
    @discardableResult
    func post(_ work: @escaping Work) -> Bool {
        let accepted = waiting.withLock { state in
            guard !state.isClosed else { return false }
            state.work.append(work)
            return true
        }
        wake.signal()
        return accepted
    }

    func takeAll() -> [Work] {
        wake.clear()
        return waiting.withLock { state in
            defer { state.work = [] }
            return state.work
        }
    }

    /// What comes later is refused. Returns what is still to be done.
    func close() -> [Work] {
        waiting.withLock { state in
            state.isClosed = true
            defer { state.work = [] }
            return state.work
        }
    }
}

/// A value that one thread waits for and another delivers, once.
final class Promise<Value: Sendable>: Sendable {
    private let value = Mutex<Value?>(nil)
    private let flag: WakeFlag

    init() throws(CoreError) { flag = try WakeFlag() }

    func fulfil(_ new: Value) {
        value.withLock { $0 = $0 ?? new }
        flag.signal()
    }

    /// Nil after the timeout.
    func wait(_ timeout: Duration?) -> Value? {
        if Poll.wait(readable: [flag.descriptor], timeout: timeout).isEmpty { return nil }
        return value.withLock { $0 }
    }
}
