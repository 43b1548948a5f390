import FoundationEssentials

/// Recorded rates of links, in files of mahimahi's form.
struct TraceSet {
    /// A direction of a link, and the other one where it is known.
    struct Link {
        let name: String
        let forward: String
        let backward: String?
    }

    let links: [Link]
    private let children: ChildProcesses

    // MARK: Finding

    private static let sharedData = "../shared/data"

    /// Where the traces are: where `named` says, or else in the data beside the project. Nil where there are none.
    static func find(_ named: String?) throws -> String? {
        if let named {
            guard FileManager.default.fileExists(atPath: named) else { throw LabFailure("there is nothing at \(named)") }
            return named
        }
        let folders = [ProcessInfo.processInfo.environment["OXIDIZE_DATA"], sharedData].compactMap { $0 }
        let candidates = folders.flatMap { ["\($0)/bandwidth.tar.xz", "\($0)/bandwidth"] }
        return candidates.first { FileManager.default.fileExists(atPath: $0) }
    }

    /// - Parameter place: as `find` gives it.
    init(_ place: String, _ children: ChildProcesses) throws {
        self.children = children
        var folder = place
        if place.contains(".tar") {
            folder = children.directory + "/traces"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try children.run(["tar", "-xf", place, "-C", folder], seconds: 60)
        }
        var isFolder = false
        _ = FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder)
        guard isFolder else {
            links = [Link(name: Self.plainName(place), forward: place, backward: nil)]
            return
        }
        let files = (try? FileManager.default.subpathsOfDirectory(atPath: folder)) ?? []
        let traces = Set(files.filter { Self.plainName($0).hasSuffix(".up") || Self.plainName($0).hasSuffix(".down") })
        links = traces.sorted().map { file in
            let other = file.contains(".down") ? file.replacing(".down", with: ".up") : file.replacing(".up", with: ".down")
            let name = Self.plainName(file)
            return Link(
                name: name, forward: "\(folder)/\(file)", backward: traces.contains(other) ? "\(folder)/\(other)" : nil)
        }
        guard !links.isEmpty else { throw LabFailure("there is no trace NAME.up or NAME.down in \(place)") }
    }

    /// Without folders and .gz.
    private static func plainName(_ path: String) -> String {
        let name = path.split(separator: "/").last.map(String.init) ?? path
        return name.hasSuffix(".gz") ? String(name.dropLast(3)) : name
    }

    // MARK: A trace

    /// The beginning of a trace, in a file of its own.
    struct Trace {
        let path: String
        /// Of each opportunity for 1,500 bytes; the last one is the period.
        let milliseconds: [Int]

        private static let opportunityBytes = 1500
        private var period: Int { milliseconds[milliseconds.count - 1] }

        /// Opportunities that lie before a time.
        private func count(before time: Int) -> Int {
            let within = time % period
            var low = 0
            var high = milliseconds.count
            while low < high {
                let middle = (low + high) / 2
                if milliseconds[middle] < within { low = middle + 1 } else { high = middle }
            }
            return time / period * milliseconds.count + low
        }

        /// What it can carry between two times, in nanoseconds since its start.
        func bytes(from: UInt64, to: UInt64) -> Int {
            Self.opportunityBytes * (count(before: Int(to / 1_000_000)) - count(before: Int(from / 1_000_000)))
        }

        /// Of the best second.
        var peakBitsPerSecond: Double {
            let seconds = (0..<max(1, period / 1000)).map { count(before: 1000 * ($0 + 1)) - count(before: 1000 * $0) }
            return 8 * Double(Self.opportunityBytes * max(1, seconds.max() ?? 0))
        }

        /// How long it takes to the next opportunity, at the 95th percentile of the times of its beginning.
        func waitP95Milliseconds(_ seconds: Int) -> Double {
            let end = min(1000 * seconds, period)
            var waits: [Int] = []
            var next = 0
            for time in 0..<end {
                while milliseconds[next] < time { next += 1 }
                waits.append(milliseconds[next] - time)
            }
            waits.sort()
            return waits.isEmpty ? 0 : Double(waits[(waits.count * 95 + 99) / 100 - 1])
        }
    }

    /// Unpacks a trace, and keeps so much of its beginning.
    func load(_ file: String, as name: String, seconds: Int) throws -> Trace {
        let text: String
        if file.hasSuffix(".gz") {
            text = try children.run(["gzip", "-dc", file], as: "trace-\(name)", seconds: 60)
        } else {
            guard let data = FileManager.default.contents(atPath: file) else { throw LabFailure("cannot read \(file)") }
            text = String(decoding: data, as: UTF8.self)
        }
        var milliseconds: [Int] = []
        for line in text.utf8.split(separator: UInt8(ascii: "\n")) {
            guard let time = Int(Substring(line).trimmed) else { continue }
            milliseconds.append(time)
            // The first one behind the end is kept, so that a gap at the end stays one.
            if time > 1000 * seconds { break }
        }
        guard let last = milliseconds.last, last > 0 else { throw LabFailure("\(file) is no trace of mahimahi's form") }
        let path = "\(children.directory)/\(name).trace"
        let kept = milliseconds.map(String.init).joined(separator: "\n") + "\n"
        try Data(kept.utf8).write(to: URL(filePath: path))
        return Trace(path: path, milliseconds: milliseconds)
    }
}

extension Substring {
    fileprivate var trimmed: Substring { drop { $0 == " " }.prefix { $0.isNumber } }
}
