import ArgumentParser
import CLabBase
import CLabLink

/// `oxbench link`: the link emulator in real time.
struct Link: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Emulates a bad link between two network namespaces.",
        discussion: """
            Makes a TUN device at each end, inside the namespace named for that end, and forwards IP packets between \
            them. Nothing is routed in between. The devices vanish when the command ends, however it ends.

              ip netns add client; ip netns add relay
              oxbench link --a-netns client --a-address 10.77.0.1/24 \\
                           --b-netns relay  --b-address 10.77.0.2/24 \\
                           --delay 20ms --rate 20mbit --loss 1% --seed 1

            An impairment holds for both directions, each on its own; with --ab- or --ba- in front of its name it \
            holds for one, and takes the place of the common one. Packets meet them in this order: MTU, queue, rate, \
            outage, loss, delay and jitter, reorder and duplicate.

            Which packets are lost, duplicated, held back, and how much jitter each gets, depends on the seed and on \
            the packet's place among all packets of its direction: the same seed and the same packets give the same \
            losses, whatever the time between them. IPv6 neighbour discovery and link-scope multicast do not cross \
            the link and take no place.

            Units as in tc: 500us, 20ms, 1s; 64kbit, 20mbit, 1gbit; 1500b, 64kb; 1% or 0.01.

            The report, at the end of --duration or with SIGINT or SIGTERM, keeps apart what the emulated link did \
            (lost, queue_full, outage, too_big) and what went wrong in the emulator (own_...), says how long packets \
            waited for the rate and were sent by it (queue_...), and how late they were released. Where lateness is large, \
            the machine was busy: repeat the run.

            Needs root, or to run in the user namespace that owns the network namespaces, with /dev/net/tun open to \
            its user.
            """)

    @OptionGroup(title: "ENDS") var ends: LinkEnds
    @OptionGroup(title: "IMPAIRMENTS, BOTH DIRECTIONS") var both: Impairments<BothWays>
    @OptionGroup(title: "IMPAIRMENTS, A TO B") var aToB: Impairments<AToB>
    @OptionGroup(title: "IMPAIRMENTS, B TO A") var bToA: Impairments<BToA>

    @Option(help: "Seed of every random choice.")
    var seed: UInt64 = 1

    @Option(
        help: ArgumentHelp("Stop after this time. Default: run until a signal.", valueName: "time"),
        transform: Parse.duration)
    var duration: UInt64?

    @Option(help: "Packets that may be on the way, both directions together.")
    var buffers: UInt32 = 32768

    @Option(
        help: ArgumentHelp("Fail, exit code 1, when the p99 of lateness is above this.", valueName: "time"),
        transform: Parse.duration)
    var latenessBound: UInt64?

    @OptionGroup var ready: ReadyOptions
    @OptionGroup var output: ReportOptions

    func validate() throws {
        guard (UInt32(LAB_BUFFERS_MIN)...UInt32(LAB_BUFFERS_MAX)).contains(buffers) else {
            throw ValidationError("--buffers must be \(LAB_BUFFERS_MIN) to \(LAB_BUFFERS_MAX).")
        }
        guard ends.mtu >= 68, ends.mtu <= LAB_MTU_MAX else {
            throw ValidationError("--mtu must be 68 to \(LAB_MTU_MAX).")
        }
        guard duration != 0 else { throw ValidationError("--duration must be above zero.") }
        _ = try settings(for: aToB, LAB_A_TO_B)
        _ = try settings(for: bToA, LAB_B_TO_A)
    }

    func run() throws {
        var forward = try settings(for: aToB, LAB_A_TO_B)
        var backward = try settings(for: bToA, LAB_B_TO_A)
        // The emulator reads them to its end.
        defer { withExtendedLifetime((forward.trace, backward.trace)) {} }

        var a = try ends.open(ends.a)
        defer { unsafe lab_tun_close(&a) }
        var b = try ends.open(ends.b)
        defer { unsafe lab_tun_close(&b) }
        guard let emulator = unsafe lab_emulator_new(&a, &b, &forward.config, &backward.config, buffers) else {
            throw LabFailure.last
        }
        defer { unsafe lab_emulator_free(emulator) }

        let realtime = lab_emulator_use_realtime()
        try ready.announce()
        let finished = unsafe lab_emulator_run(emulator, duration ?? 0)
        let failure = finished ? nil : LabFailure.last

        let reports = [LAB_A_TO_B, LAB_B_TO_A].map { unsafe lab_emulator_report(emulator, Int32($0)) }
        let results = zip(["a_to_b", "b_to_a"], reports).map { Self.result($0, $1, realtime: realtime) }
        Report(command: "link", results: results).write(json: output.json)
        if let failure { throw failure }
        if let latenessBound, let worst = reports.map(\.lateness_p99_ns).max(), worst > latenessBound {
            throw LabFailure("packets were released too late: p99 \(worst / 1000) us. The machine was busy; run again.")
        }
    }
}

extension Link {
    /// What the options say about one direction, and the trace that must outlive it.
    private func settings<Scope>(
        for own: Impairments<Scope>, _ direction: Int
    ) throws -> (config: lab_link_config, trace: Trace?) {
        var config = lab_link_config()
        config.seed = lab_link_direction_seed(seed, UInt32(direction))
        config.mtu = ends.mtu
        try config.apply(both)
        try config.apply(own)

        // One direction's trace takes the place of the common rate, and its rate that of the common trace.
        if own.trace != nil && own.rate == nil { config.rate_bits_per_s = 0 }
        let path = own.trace ?? (own.rate == nil ? both.trace : nil)
        let trace = try path.map(Trace.init(path:))
        trace?.install(in: &config)

        let isLimited = config.rate_bits_per_s != 0 || trace != nil
        if isLimited && config.queue_bytes == 0 && config.queue_ns == 0 { config.queue_ns = 100_000_000 }
        if let problem = unsafe lab_link_config_problem(&config) {
            throw ValidationError(unsafe String(cString: problem))
        }
        return (config, trace)
    }

    private static func result(_ name: String, _ report: lab_direction_report, realtime: Bool) -> Report.Result {
        [
            "direction": .text(name),
            "offered_packets": .integer(report.offered_packets),
            "offered_bytes": .integer(report.offered_bytes),
            "delivered_packets": .integer(report.delivered_packets),
            "delivered_bytes": .integer(report.delivered_bytes),
            "in_flight_packets": .integer(report.in_flight),
            "lost_packets": .integer(report.lost),
            "queue_full_packets": .integer(report.queue_full),
            "outage_packets": .integer(report.outage),
            "too_big_packets": .integer(report.too_big),
            "duplicated_packets": .integer(report.duplicated),
            "held_back_packets": .integer(report.held_back),
            "own_write_failed_packets": .integer(report.write_failed),
            "own_buffers_exhausted_packets": .integer(report.buffers_exhausted),
            "own_device_dropped_packets": .integer(report.device_dropped),
            "housekeeping_packets": .integer(report.housekeeping),
            "queue_p50_us": .number(Double(report.queue_p50_ns) / 1000),
            "queue_p95_us": .number(Double(report.queue_p95_ns) / 1000),
            "queue_p99_us": .number(Double(report.queue_p99_ns) / 1000),
            "lateness_p50_us": .number(Double(report.lateness_p50_ns) / 1000),
            "lateness_p99_us": .number(Double(report.lateness_p99_ns) / 1000),
            "lateness_max_us": .number(Double(report.lateness_max_ns) / 1000),
            "realtime": .flag(realtime),
        ]
    }
}

/// Where the two ends of the link are.
struct LinkEnds: ParsableArguments {
    struct End {
        var netns: String
        var device: String
        var addresses: [String]
    }

    @Option(
        name: .customLong("a-netns"),
        help: ArgumentHelp("Network namespace of end A, a name or a path. Default: present.", valueName: "name"))
    var aNetns = ""

    @Option(name: .customLong("a-dev"), help: ArgumentHelp("Device at end A.", valueName: "name"))
    var aDevice = "link0"

    @Option(
        name: .customLong("a-address"), parsing: .singleValue,
        help: ArgumentHelp("Address of end A, with its prefix length. Repeatable.", valueName: "address"))
    var aAddresses: [String] = []

    @Option(
        name: .customLong("b-netns"),
        help: ArgumentHelp("Network namespace of end B.", valueName: "name"))
    var bNetns = ""

    @Option(name: .customLong("b-dev"), help: ArgumentHelp("Device at end B.", valueName: "name"))
    var bDevice = "link0"

    @Option(
        name: .customLong("b-address"), parsing: .singleValue,
        help: ArgumentHelp("Address of end B. Repeatable.", valueName: "address"))
    var bAddresses: [String] = []

    @Option(help: "MTU of both devices, in bytes.")
    var mtu: UInt32 = 1500

    var a: End { End(netns: aNetns, device: aDevice, addresses: aAddresses) }
    var b: End { End(netns: bNetns, device: bDevice, addresses: bAddresses) }

    func validate() throws {
        if aNetns == bNetns && aDevice == bDevice {
            throw ValidationError("the two ends need different namespaces (--a-netns, --b-netns) or device names.")
        }
    }

    func open(_ end: End) throws -> lab_tun {
        var tun = lab_tun()
        guard unsafe lab_tun_open(&tun, end.netns, end.device, mtu) else { throw LabFailure.last }
        for address in end.addresses where !(unsafe lab_tun_add_address(&tun, end.netns, address)) {
            let failure = LabFailure.last
            unsafe lab_tun_close(&tun)
            throw failure
        }
        return tun
    }
}
