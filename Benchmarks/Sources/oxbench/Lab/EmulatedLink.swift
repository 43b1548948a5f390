import FoundationEssentials
import Glibc

/// The link emulator, `oxbench link`, between two namespaces: a device link0 in each.
struct EmulatedLink {
    struct End {
        let place: Namespace
        /// With its prefix length.
        let address: String
    }

    private let children: ChildProcesses
    private let process: ChildProcess

    /// - Parameter options: impairments in the form of `oxbench link`.
    init(children: ChildProcesses, oxbench: String, _ a: End, _ b: End, _ options: [String]) throws {
        self.children = children
        let ready = children.directory + "/link.ready"
        try? FileManager.default.removeItem(atPath: ready)
        let ends = [
            "--a-netns", a.place.name, "--a-address", a.address, "--b-netns", b.place.name, "--b-address", b.address,
        ]
        process = try children.start("link", [oxbench, "link"] + ends + options + ["--ready-file", ready, "--json"])
        try children.waitUntilReady(process, seconds: 10) { FileManager.default.fileExists(atPath: ready) }
    }

    func stop() throws -> LinkReport {
        try children.stop(process, SIGINT)
        return LinkReport(try process.results(of: LinkReport.Direction.self))
    }
}

/// What the emulator says of itself.
struct LinkReport {
    struct Direction: Decodable {
        let lost_packets: Int
        let queue_full_packets: Int
        let own_write_failed_packets: Int
        let own_buffers_exhausted_packets: Int
        let own_device_dropped_packets: Int
        let queue_p50_us: Double
        let queue_p95_us: Double
        let lateness_p99_us: Double
        let lateness_max_us: Double
    }

    let aToB: Direction
    private let directions: [Direction]

    fileprivate init(_ directions: [Direction]) {
        self.directions = directions
        aToB = directions[0]
    }

    // MARK: Both directions together

    var lostPackets: Int { directions.map(\.lost_packets).reduce(0, +) }
    var queueFullPackets: Int { directions.map(\.queue_full_packets).reduce(0, +) }
    /// Lost by the emulator, not by the link that it emulates.
    var ownLostPackets: Int {
        directions.map {
            $0.own_write_failed_packets + $0.own_buffers_exhausted_packets + $0.own_device_dropped_packets
        }.reduce(0, +)
    }
    var latenessMicroseconds: Double { directions.map(\.lateness_p99_us).max() ?? 0 }
    var latenessMostMicroseconds: Double { directions.map(\.lateness_max_us).max() ?? 0 }
}

/// What is read of a `Report`.
private struct ReportResults<Result: Decodable>: Decodable { let results: [Result] }

extension ChildProcess {
    /// What an oxbench command wrote with --json.
    func results<Result: Decodable>(of type: Result.Type) throws -> [Result] {
        try decoded(as: ReportResults<Result>.self).results
    }

    /// Standard output, as JSON.
    func decoded<Value: Decodable>(as type: Value.Type) throws -> Value {
        do {
            return try JSONDecoder().decode(type, from: Data(output.utf8))
        } catch {
            throw failure("gave an answer that is not understood (\(error))")
        }
    }
}
