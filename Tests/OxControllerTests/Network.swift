import OxController
import OxModel
import Testing

/// What crosses the invented network. A key stands for the secrets of one handshake, which only its two ends share.
enum Datagram {
    case initiation(key: UInt64, timestamp: Timestamp, offer: Offer)
    case response(key: UInt64, sessionKey: UInt64, offer: Offer)
    case session(to: SessionID, sessionKey: UInt64, Content)

    enum Content {
        case data, feedback, keepalive, close(CloseReason)
        case challenge(UInt64), answer(UInt64)
        case probe(Int), acknowledged(Int)
    }
}

/// A driver without a worker: carries out commands as the real one does, and checks that they make sense.
struct End {
    struct Live {
        var parameters: SessionParameters
        var key: UInt64
        var isConfirmed: Bool
        var activity = Activity()
        var isChanged = false
    }

    static let peer = PeerID(0)
    var controller: Controller
    var address: SocketAddress
    var pathAddress: SocketAddress?
    var live: [SessionID: Live] = [:]
    var wiped: [(id: SessionID, at: Instant)] = []
    var heldIDs: Set<SessionID> = []
    var sending: SessionID?
    var initiation: (local: SessionID, key: UInt64)?
    var answering: (key: UInt64, sessionKey: UInt64)?
    var completing: UInt64?
    var staged = 0
    var delivered = 0
    var commands = 0
    var handshakes = 0
    var pathLimit = 1472

    var sendingKey: UInt64? { sending.flatMap { live[$0]?.key } }
}

/// Two ends, a network between them, and a clock.
struct Network {
    var ends: [End]
    var now = Instant(nanoseconds: 1_000_000_000)
    var delay: ClosedRange<Int> = 20...20
    var loss = 0.0
    var duplication = 0.0
    var random: SplitMix64
    private var inFlight: [(at: Instant, order: Int, to: Int, from: SocketAddress, Datagram)] = []
    private var order = 0
    private var keys: UInt64 = 0
    private var stamps: UInt64 = 0

    static let addresses = [SocketAddress("192.0.2.1:1")!, SocketAddress("192.0.2.2:2")!]

    /// `starts`: which ends connect at start.
    init(seed: UInt64, connects: [Bool] = [false, false], delay: ClosedRange<Int> = 20...20) {
        random = SplitMix64(seed)
        ends = []
        self.delay = delay
        for index in 0..<2 { ends.append(Network.fresh(index, connects[index], seed: random.next(), now: now)) }
        for index in 0..<2 { obey(index) }
    }

    static func fresh(_ index: Int, _ connects: Bool, seed: UInt64, now: Instant) -> End {
        var controller = Controller(local: LocalSettings(), random: SplitMix64(seed))
        let settings = PeerSettings(
            publicKey: PublicKey(bytes: [UInt8](repeating: UInt8(index), count: 32))!, endpoint: addresses[1 - index],
            connectsAtStart: connects, allowedIPs: [])
        controller.add(End.peer, settings, now: now)
        return End(controller: controller, address: addresses[index])
    }

    /// As after a crash: nothing is known of before, and nobody is told.
    mutating func restart(_ index: Int, connects: Bool) {
        let address = ends[index].address
        ends[index] = Network.fresh(index, connects, seed: random.next(), now: now)
        ends[index].address = address
        obey(index)
    }

    mutating func handle(_ index: Int, _ event: Event) {
        ends[index].controller.handle(event, now: now)
        obey(index)
    }

    /// A packet from the TUN.
    mutating func sendData(_ index: Int) {
        if let sending = ends[index].sending {
            transmit(index, sending, .data)
        } else {
            ends[index].staged = min(ends[index].staged + 1, 8)
            handle(index, .packetsWaiting(End.peer))
        }
    }

    /// Lets time pass in steps of 10 ms. `data`: how often each end has a packet to send, in steps; 0 for never.
    mutating func run(_ duration: Duration, data: [Int] = [0, 0]) {
        let end = now + duration
        var step = 0
        while now < end {
            now += .milliseconds(10)
            step += 1
            deliver()
            for index in 0..<2 {
                if data[index] > 0, step % data[index] == 0 { sendData(index) }
                if step % 25 == 0 { report(index) }
                ends[index].controller.advance(to: now)
                obey(index)
                if let deadline = ends[index].controller.deadline, deadline <= now {
                    Issue.record("a deadline stayed due after it had fired")
                }
                freeWiped(index)
            }
        }
    }

    private mutating func freeWiped(_ index: Int) {
        let ready = ends[index].wiped.filter { $0.at <= now }.map(\.id)
        guard !ready.isEmpty else { return }
        ends[index].wiped.removeAll { $0.at <= now }
        ends[index].heldIDs.subtract(ready)
        ends[index].controller.sessionsRetired(ready)
    }

    private mutating func report(_ index: Int) {
        for id in ends[index].live.keys.sorted() {
            // A report may have ended the session of the next.
            guard let session = ends[index].live[id], session.isChanged else { continue }
            ends[index].live[id]!.isChanged = false
            handle(index, .activity(id, session.activity))
        }
    }

    // MARK: the network

    private mutating func chance(_ share: Double) -> Bool {
        share > 0 && Double(random.next() >> 11) / Double(1 << 53) < share
    }

    private mutating func send(_ index: Int, to: SocketAddress, _ datagram: Datagram) {
        guard let target = ends.firstIndex(where: { $0.address == to }), target != index else { return }
        for _ in 0..<(chance(duplication) ? 2 : 1) where !chance(loss) {
            let wait = Int.random(in: delay, using: &random)
            order += 1
            inFlight.append((now + .milliseconds(wait), order, target, ends[index].address, datagram))
        }
    }

    private mutating func deliver() {
        let due = inFlight.filter { $0.at <= now }.sorted { ($0.at, $0.order) < ($1.at, $1.order) }
        inFlight.removeAll { $0.at <= now }
        for arrival in due { receive(arrival.to, arrival.4, from: arrival.from) }
    }

    private mutating func transmit(_ index: Int, _ id: SessionID, _ content: Datagram.Content, to: SocketAddress? = nil) {
        guard let session = ends[index].live[id], let address = to ?? ends[index].pathAddress else { return }
        ends[index].live[id]!.activity.lastSent = now
        if case .data = content { ends[index].live[id]!.activity.lastSentEliciting = now }
        ends[index].live[id]!.activity.numbersUsed += 1
        ends[index].live[id]!.isChanged = true
        send(
            index, to: address,
            .session(to: SessionID(session.parameters.remote.rawValue), sessionKey: session.key, content))
    }

    private mutating func receive(_ index: Int, _ datagram: Datagram, from: SocketAddress) {
        switch datagram {
        case .initiation(let key, let timestamp, let offer):
            keys += 1
            ends[index].answering = (key, keys << 32 | key)
            handle(index, .initiationReceived(End.peer, timestamp: timestamp, offer: offer, from: from))
            ends[index].answering = nil
        case .response(let key, let sessionKey, let offer):
            guard let pending = ends[index].initiation, pending.key == key else { return }
            ends[index].completing = sessionKey
            handle(index, .responseReceived(End.peer, local: pending.local, offer: offer, from: from))
            ends[index].completing = nil
        case .session(let id, let sessionKey, let content):
            guard let session = ends[index].live[id], session.key == sessionKey else { return }
            receive(index, id, content, from: from)
        }
    }

    private mutating func receive(_ index: Int, _ id: SessionID, _ content: Datagram.Content, from: SocketAddress) {
        ends[index].live[id]!.activity.lastReceived = now
        if case .data = content { ends[index].live[id]!.activity.lastReceivedEliciting = now }
        ends[index].live[id]!.isChanged = true
        if !ends[index].live[id]!.isConfirmed {
            ends[index].live[id]!.isConfirmed = true
            handle(index, .sessionConfirmed(id))
        }
        if from != ends[index].pathAddress { handle(index, .addressChanged(id, from)) }
        guard ends[index].live[id] != nil else { return }
        switch content {
        case .data:
            ends[index].delivered += 1
            transmit(index, ends[index].sending ?? id, .feedback)
        case .probe(let size): if size <= ends[index].pathLimit { transmit(index, id, .acknowledged(size)) }
        case .challenge(let token): transmit(index, id, .answer(token), to: from)
        case .answer(let token): handle(index, .challengeAnswered(id, token: token, from: from))
        case .acknowledged(let size): handle(index, .mtuAcknowledged(id, size: size))
        case .close(let reason): handle(index, .closed(id, reason))
        case .feedback, .keepalive: break
        }
    }

    // MARK: the driver

    private mutating func obey(_ index: Int) {
        for command in ends[index].controller.takeCommands() {
            ends[index].commands += 1
            carryOut(index, command)
        }
        if ends[index].live.count > 4 { Issue.record("\(ends[index].live.count) sessions live") }
    }

    private mutating func carryOut(_ index: Int, _ command: Command) {
        switch command {
        case .sendInitiation(_, let local, let offer, let to):
            if ends[index].initiation?.local != local { hold(index, local) }
            keys += 1
            stamps += 1
            ends[index].handshakes += 1
            ends[index].initiation = (local, keys)
            let timestamp = Timestamp(seconds: stamps, nanoseconds: 0)
            send(index, to: to, .initiation(key: keys, timestamp: timestamp, offer: offer))
        case .sendResponse(_, let local, let offer, let to):
            hold(index, local)
            let answering = ends[index].answering!
            send(index, to: to, .response(key: answering.key, sessionKey: answering.sessionKey, offer: offer))
        case .abandonInitiation:
            if let pending = ends[index].initiation { ends[index].heldIDs.remove(pending.local) }
            ends[index].initiation = nil
        case .install(let parameters): install(index, parameters)
        case .use(let id, let confirm):
            guard mustBeLive(index, id, command) else { return }
            ends[index].sending = id
            let staged = ends[index].staged
            ends[index].staged = 0
            for _ in 0..<staged { transmit(index, id, .data) }
            if staged == 0, confirm { transmit(index, id, .keepalive) }
        case .retire(let id):
            guard mustBeLive(index, id, command) else { return }
            ends[index].live[id] = nil
            if ends[index].sending == id { ends[index].sending = nil }
            ends[index].wiped.append((id, now + .milliseconds(100)))
        case .move(_, _, let to): ends[index].pathAddress = to
        case .challenge(let id, let token, let to):
            if mustBeLive(index, id, command) { transmit(index, id, .challenge(token), to: to) }
        case .sendKeepalive(let id): if mustBeLive(index, id, command) { transmit(index, id, .keepalive) }
        case .probeMTU(let id, let size): if mustBeLive(index, id, command) { transmit(index, id, .probe(size)) }
        case .close(let id, let reason): if mustBeLive(index, id, command) { transmit(index, id, .close(reason)) }
        case .dropWaiting: ends[index].staged = 0
        case .setMTU, .setLimits, .setRepair, .resolveEndpoint, .refuse, .log: break
        }
    }

    private mutating func install(_ index: Int, _ parameters: SessionParameters) {
        let key = parameters.isInitiator ? ends[index].completing! : ends[index].answering!.sessionKey
        if parameters.isInitiator { ends[index].initiation = nil }
        ends[index].live[parameters.local] = End.Live(
            parameters: parameters, key: key, isConfirmed: parameters.isInitiator)
    }

    private mutating func hold(_ index: Int, _ id: SessionID) {
        if !ends[index].heldIDs.insert(id).inserted { Issue.record("\(id) was issued again too early") }
    }

    private func mustBeLive(_ index: Int, _ id: SessionID, _ command: Command) -> Bool {
        if ends[index].live[id] == nil { Issue.record("\(command): there is no such session") }
        return ends[index].live[id] != nil
    }
}
