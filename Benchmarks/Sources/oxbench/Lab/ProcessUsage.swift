import CLabBase
import FoundationEssentials
import Glibc

/// What proc(5) says of processors and memory.
enum ProcessUsage {
    private static let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))

    static func file(_ path: String) -> String? {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
    }

    /// User and system seconds of a process with all its threads, and of its children that have ended and been waited for.
    fileprivate static func seconds(_ pid: String) -> (own: Double, children: Double)? {
        // proc_pid_stat(5): the name is in parentheses, may hold anything, and is field 2; utime is field 14.
        guard let text = file("/proc/\(pid)/stat"), let end = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: end)...].split(separator: " ").map { Double($0) ?? 0 }
        guard fields.count > 14 else { return nil }
        return ((fields[11] + fields[12]) / ticks, (fields[13] + fields[14]) / ticks)
    }

    /// Processor time at one moment.
    struct Moment {
        /// Of all processes inside the enclosure, dead or alive; nil where /proc does not show them.
        let ours: Double?
        /// Of everybody, and what the hypervisor took; what interrupts took belongs to nobody.
        let everybody: Double
        let wall: Double

        init() {
            let processors = file("/proc/stat")?.split(separator: "\n").first?.split(separator: " ") ?? []
            // user nice system idle iowait irq softirq steal
            let columns = processors.dropFirst().map { (Double($0) ?? 0) / ticks }
            everybody = columns.count > 7 ? columns[0] + columns[1] + columns[2] + columns[7] : 0
            wall = Double(lab_clock_ns()) / 1e9
            ours = Self.enclosed()
        }

        /// The first process of the enclosure is this one, and waits for all others.
        private static func enclosed() -> Double? {
            guard (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self")) == "1" else { return nil }
            let pids = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
            return pids.filter { $0.allSatisfy(\.isNumber) }.reduce(0) { sum, pid in
                guard let used = seconds(pid) else { return sum }
                return sum + used.own + (pid == "1" ? used.children : 0)
            }
        }

        /// The share of the machine, in percent, that processes of others took from `start` to this moment.
        func foreignPercent(since start: Moment) -> Double? {
            guard let ours, let before = start.ours, wall > start.wall else { return nil }
            let foreign = (everybody - start.everybody) - (ours - before)
            let processors = Double(sysconf(Int32(_SC_NPROCESSORS_ONLN)))
            return max(0, 100 * foreign / ((wall - start.wall) * processors))
        }
    }
}

extension ChildProcess {
    /// User and system seconds so far.
    func processorSeconds() throws -> Double {
        guard let used = ProcessUsage.seconds("\(pid)") else { throw failure("is gone") }
        return used.own
    }

    func residentBytes() throws -> UInt64 {
        let path = "/proc/\(pid)/status"
        guard let line = ProcessUsage.file(path)?.split(separator: "\n").first(where: { $0.hasPrefix("VmRSS:") }),
            let kibibytes = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap({ UInt64($0) })
        else { throw LabFailure("\(path) does not tell the memory of \(name)") }
        return kibibytes * 1024
    }
}
