import CLabBase
import Glibc

/// Tells what a long command does, as it does it.
struct Narrator {
    private let descriptor: Int32
    private let start = lab_clock_ns()

    /// Tells nothing.
    static let silent = Narrator(descriptor: -1)

    init(descriptor: Int32) { self.descriptor = descriptor }

    func title(_ text: String) { write("\n\(text)\n") }

    func say(_ text: String) {
        let seconds = "\((lab_clock_ns() - start) / 1_000_000_000)"
        write(String(repeating: " ", count: max(0, 4 - seconds.count)) + "\(seconds) s  \(text)\n")
    }

    func show(_ name: String, _ text: String) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        write(lines.reduce("        \(name)\n") { $0 + "        | \($1)\n" })
    }

    private func write(_ text: String) {
        guard descriptor >= 0 else { return }
        let bytes = Array(text.utf8)
        var done = 0
        while done < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress! + done, $0.count - done) }
            guard count > 0 else { return }
            done += count
        }
    }
}
