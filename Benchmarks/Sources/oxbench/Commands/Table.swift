import ArgumentParser
import FoundationEssentials

/// `oxbench table`: the tables of the README, from the results.
struct Table: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Writes tables of results into a Markdown file.",
        discussion: """
            Each table lies between two lines of their own, of which the first names its results, NAME.json, as oxbench \
            tunnel --json, kernels --json or load --json printed them. What is between them is replaced:

              <!-- oxbench table NAME -->
              <!-- oxbench table end -->
            """)

    @Argument(help: "The Markdown file.")
    var file: String

    @Option(help: ArgumentHelp("Where the results are.", valueName: "directory"))
    var results = "Benchmarks/Results"

    @Flag(help: "Write nothing; exit with 1 when the file is not as it would be written.")
    var check = false

    func run() throws {
        let old = try Self.text(of: file)
        let new = try MarkdownTables.filled(old) { name in
            let path = "\(results)/\(name).json"
            let data = Data(try Self.text(of: path).utf8)
            do {
                return try JSONDecoder().decode(StoredReport.self, from: data).markdown(name)
            } catch let error as DecodingError {
                throw LabFailure("\(path) is not what an oxbench command prints with --json: \(error)")
            }
        }
        guard new != old else { return }
        guard !check else { throw LabFailure("\(file) is not made from \(results): run oxbench table \(file)") }
        try Data(new.utf8).write(to: URL(filePath: file), options: .atomic)
    }

    private static func text(of path: String) throws -> String {
        guard let data = FileManager.default.contents(atPath: path) else { throw LabFailure("cannot read \(path)") }
        return String(decoding: data, as: UTF8.self)
    }
}

/// The marked places of a Markdown text.
enum MarkdownTables {
    private static let begin = "<!-- oxbench table "
    private static let close = " -->"
    private static let end = "<!-- oxbench table end -->"

    static func filled(_ text: String, _ table: (String) throws -> String) throws -> String {
        var lines: [String] = []
        var open: String?
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) {
            if line == end {
                guard open != nil else { throw LabFailure("'\(end)' ends no table") }
                open = nil
            } else if open != nil {
                continue
            }
            lines.append(line)
            if line.hasPrefix(begin), line.hasSuffix(close), line != end {
                let name = String(line.dropFirst(begin.count).dropLast(close.count))
                open = name
                lines += try table(name).split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
            }
        }
        if let open { throw LabFailure("the table \(open) has no end: write '\(end)' behind it") }
        return lines.joined(separator: "\n")
    }

    /// A table of GitHub's Markdown, with numbers to the right.
    static func table(_ head: [String], _ rows: [[String]], left: Int) -> String {
        let rule = head.indices.map { $0 < left ? "---" : "---:" }
        return ([head, rule] + rows).map { "| " + $0.joined(separator: " | ") + " |" }.joined(separator: "\n")
    }
}

/// A `Report` as it lies in a file.
struct StoredReport: Decodable {
    enum Value: Decodable {
        case number(Double)
        case text(String)
        case flag(Bool)
        case unknown

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if container.decodeNil() {
                self = .unknown
            } else if let flag = try? container.decode(Bool.self) {
                self = .flag(flag)
            } else if let number = try? container.decode(Double.self) {
                self = .number(number)
            } else {
                self = .text(try container.decode(String.self))
            }
        }

        var number: Double? { if case .number(let number) = self { number } else { nil } }
        var text: String? { if case .text(let text) = self { text } else { nil } }
    }

    let command: String
    let commit: String
    let machine: String
    let results: [[String: Value]]

    func markdown(_ name: String) throws -> String {
        let table =
            switch command {
            case "tunnel": results.first?["configured_peers"] == nil ? tunnelTable : scaleTable
            case "kernels": kernelsTable
            case "load latency": loadLatencyTable
            case "load loss": loadLossTable
            case "load traces": loadTracesTable
            case "load bytes": loadBytesTable
            default: throw LabFailure("there is no table of oxbench \(command), only of tunnel, kernels and load: \(name).json")
            }
        let rounds = results.first?["rounds"]?.number.map { ", \(Int($0)) rounds: median (least to largest)" } ?? ""
        return "\n\(table)\n\n`oxbench \(command)`\(rounds). \(machine), commit \(commit.prefix(12)).\n"
    }

    /// "3.12 (2.9 to 3.3)", or a dash.
    func cell(_ result: [String: Value], _ key: String, _ places: Int) -> String {
        guard let median = result[key]?.number else { return "-" }
        let text = Self.rounded(median, places)
        guard let least = result[key + "_min"]?.number, let most = result[key + "_max"]?.number, least < most else {
            return text
        }
        return "\(text) (\(Self.rounded(least, places)) to \(Self.rounded(most, places)))"
    }

    /// With commas between thousands.
    static func rounded(_ value: Double, _ places: Int) -> String {
        let scale = places == 0 ? 1 : places == 1 ? 10 : 100
        let scaled = Int((value * Double(scale)).rounded())
        var whole = "\(abs(scaled) / scale)"
        var at = whole.endIndex
        while whole.distance(from: whole.startIndex, to: at) > 3 {
            at = whole.index(at, offsetBy: -3)
            whole.insert(",", at: at)
        }
        let fraction = "\(abs(scaled) % scale)"
        let point = places == 0 ? "" : "." + String(repeating: "0", count: places - fraction.count) + fraction
        return (scaled < 0 ? "-" : "") + whole + point
    }
}

// MARK: - One table a command

extension StoredReport {
    private typealias Row = (label: String, key: String, places: Int)

    private static let tunnelRows: [Row] = [
        ("TCP, one flow, to the client, Gbit/s", "tcp_down_gbit_per_s", 2),
        ("TCP, one flow, to the relay, Gbit/s", "tcp_up_gbit_per_s", 2),
        ("CPU seconds per GB, both ends, to the client", "tcp_down_cpu_s_per_gb", 2),
        ("CPU seconds per GB, both ends, to the relay", "tcp_up_cpu_s_per_gb", 2),
        ("UDP of 64 B at <= 1 % loss, packets/s", "udp_64_pps", 0),
        ("UDP of 1,200 B at <= 1 % loss, packets/s", "udp_1200_pps", 0),
        ("delivered when offered three times that of 64 B, % of it", "overload_percent_of_peak", 0),
        ("64 kB of TCP during it, ms", "overload_tcp_64_kb_ms", 0),
        ("idle ping, median, us", "ping_p50_us", 0),
        ("idle ping, 99th percentile, us", "ping_p99_us", 0),
        ("memory of the larger end, MB", "rss_mb", 1),
        ("TCP payload per IP byte of the underlay, %", "tcp_down_goodput_percent_of_wire", 1),
        ("CPU that others took meanwhile, %", "foreign_cpu_tcp_percent", 0),
    ]

    private var tunnelTable: String {
        let head = [results.first?["underlay"]?.text ?? ""] + results.map { $0["peer"]?.text ?? "-" }
        let aeads = ["AEAD"] + results.map { $0["aead"]?.text ?? "-" }
        let rows = Self.tunnelRows.map { row in [row.label] + results.map { cell($0, row.key, row.places) } }
        return MarkdownTables.table(head, [aeads] + rows, left: 1)
    }

    private static let scaleRows: [Row] = [
        ("start of the relay, s", "relay_start_s", 2),
        ("memory of the relay, MB", "relay_rss_mb", 1),
        ("CPU of the relay for a packet received, us", "relay_receive_us_per_packet", 2),
        ("CPU of the relay for a packet sent, us", "relay_send_us_per_packet", 2),
    ]

    private var scaleTable: String {
        let head = [""] + results.map { result in
            let peers = result["configured_peers"]?.number.map { Self.rounded($0, 0) } ?? "-"
            return "\(result["peer"]?.text ?? "-"), \(peers) \(peers == "1" ? "peer" : "peers")"
        }
        let rows = Self.scaleRows.map { row in [row.label] + results.map { cell($0, row.key, row.places) } }
        return MarkdownTables.table(head, rows, left: 1)
    }

    private var kernelsTable: String {
        let rows = results.map { result in
            [
                result["kernel"]?.text ?? "-", result["variant"]?.text ?? "-", cell(result, "ns_per_operation", 2),
                result["ratio_to_baseline"]?.number.map { Self.rounded($0, 2) } ?? "-", result["baseline"]?.text ?? "-",
            ]
        }
        return MarkdownTables.table(["operation", "variant", "ns", "times as fast as", ""], rows, left: 2)
    }
}
