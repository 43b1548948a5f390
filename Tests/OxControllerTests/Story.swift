import OxController
import OxModel
import Testing

/// Randomness that repeats.
struct SplitMix64: RandomNumberGenerator, Sendable {
    var state: UInt64
    init(_ seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}

let alice = PeerID(1)
let home = SocketAddress("192.0.2.1:7000")!
let cafe = SocketAddress("198.51.100.7:7001")!
let train = SocketAddress("203.0.113.9:7002")!

func offer(
    _ session: UInt32 = 77, _ aeads: [AEAD] = [.chaCha20Poly1305], features: FeatureSet = [.batch, .split],
    inner: [IPAddress] = []
) -> Offer {
    Offer(
        aeads: aeads, features: features, sessions: [.first: RemoteSessionID(session, byteCount: 2)],
        innerAddresses: inner)
}

/// One controller with one peer and a clock that the story moves.
struct Story {
    var controller: Controller
    var now = Instant(nanoseconds: 1_000_000_000)
    private var stamps: UInt64 = 0

    /// Stories of other things than congestion leave it out, so that each command in them is theirs.
    init(
        _ settings: PeerSettings? = nil, local: LocalSettings = LocalSettings(), congestion: CongestionSettings? = nil,
        seed: UInt64 = 1
    ) {
        var local = local
        local.congestion = congestion ?? CongestionSettings(isOn: false)
        controller = Controller(local: local, random: SplitMix64(seed))
        controller.add(alice, settings ?? Story.settings(), now: now)
    }

    static func settings(
        endpoint: SocketAddress? = home, hasName: Bool = false, connects: Bool = false, keepalive: Duration? = nil
    ) -> PeerSettings {
        PeerSettings(
            publicKey: PublicKey(bytes: [UInt8](repeating: 7, count: 32))!, endpoint: endpoint, endpointHasName: hasName,
            connectsAtStart: connects, persistentKeepalive: keepalive, allowedIPs: [IPPrefix("10.0.0.0/24")!])
    }

    var status: PeerStatus { controller.status(of: alice, now: now)! }

    /// Commands since the last look, without the log.
    mutating func take() -> [Command] {
        controller.takeCommands().filter { if case .log = $0 { false } else { true } }
    }

    mutating func notices() -> [Notice] {
        controller.takeCommands().compactMap { if case .log(let notice) = $0 { notice } else { nil } }
    }

    mutating func handle(_ event: Event) { controller.handle(event, now: now) }

    /// Lets time pass, stopping wherever something is due.
    mutating func pass(_ duration: Duration) {
        let end = now + duration
        while let at = controller.deadline, at <= end {
            now = max(now, at)
            controller.advance(to: now)
            if let next = controller.deadline, next <= now {
                Issue.record("a deadline stayed due after it had fired")
                break
            }
        }
        now = end
        controller.advance(to: now)
    }

    mutating func stamp() -> Timestamp {
        stamps += 1
        return Timestamp(seconds: 1000 + stamps, nanoseconds: 0)
    }

    /// As the initiator: the whole handshake, at once.
    mutating func connect(from: SocketAddress = home, _ response: Offer = offer()) -> SessionID {
        handle(.packetsWaiting(alice))
        let local = initiations(controller.takeCommands()).last!.local
        handle(.responseReceived(alice, local: local, offer: response, from: from))
        return local
    }

    /// As the responder: up to the installed session.
    mutating func answer(from: SocketAddress = home, _ offered: Offer = offer()) -> SessionID? {
        _ = controller.takeCommands()
        handle(.initiationReceived(alice, timestamp: stamp(), offer: offered, from: from))
        let commands = controller.takeCommands()
        for case .install(let parameters) in commands { return parameters.local }
        return nil
    }

    mutating func accept(from: SocketAddress = home, _ offered: Offer = offer()) -> SessionID {
        let session = answer(from: from, offered)!
        handle(.sessionConfirmed(session))
        return session
    }

    /// Data went both ways just now.
    mutating func traffic(_ session: SessionID, sent: Bool = true, received: Bool = true, numbers: UInt64 = 1) {
        handle(
            .activity(
                session,
                Activity(
                    lastReceived: received ? now : nil, lastSent: sent ? now : nil,
                    lastSentEliciting: sent ? now - .milliseconds(1) : nil,
                    lastReceivedEliciting: received ? now : nil, numbersUsed: numbers)))
    }
}

struct Initiation: Equatable {
    var local: SessionID
    var offer: Offer
    var to: SocketAddress
}

func initiations(_ commands: [Command]) -> [Initiation] {
    commands.compactMap {
        guard case .sendInitiation(_, let local, let offer, let to) = $0 else { return nil }
        return Initiation(local: local, offer: offer, to: to)
    }
}

func installs(_ commands: [Command]) -> [SessionParameters] {
    commands.compactMap { if case .install(let parameters) = $0 { parameters } else { nil } }
}

func probes(_ commands: [Command]) -> [Int] {
    commands.compactMap { if case .probeMTU(_, let size) = $0 { size } else { nil } }
}

func challenges(_ commands: [Command]) -> [(token: UInt64, to: SocketAddress)] {
    commands.compactMap { if case .challenge(_, let token, let to) = $0 { (token, to) } else { nil } }
}
