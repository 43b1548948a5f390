import FoundationEssentials

/// What a control socket is asked: one line of JSON, answered by one line of JSON.
package struct AdminRequest: Codable, Equatable, Sendable {
    package enum Command: String, Codable, CaseIterable, Sendable {
        case status, ping, reload
        /// Answered at once. The connection then stays open for as long as the process lives.
        case stop
    }

    package var version = AdminProtocol.version
    package var command: Command
    /// For `ping`: a name or a public key; the only peer when absent.
    package var peer: String?

    package init(_ command: Command, peer: String? = nil) {
        self.command = command
        self.peer = peer
    }
}

/// Exactly what the request asked for, or an error.
package struct AdminResponse: Codable, Equatable, Sendable {
    package var version = AdminProtocol.version
    /// A sentence.
    package var error: String?
    package var status: TunnelStatus?
    /// Of a ping; absent when nothing answered.
    package var rttMs: Double?
    /// What a reload has changed, in words.
    package var change: String?

    package init() {}
    package init(status: TunnelStatus) { self.status = status }
    package init(error: String) { self.error = error }
    package init(change: String) { self.change = change }
    package init(roundTrip: Duration?) { rttMs = roundTrip?.inMilliseconds }
}

package enum AdminProtocol {
    package static let version = 1
    /// Bytes of a request's line.
    package static let requestLimit = 4096
    /// Bytes of a response's line: a status of 65,536 peers with long lists of networks fits.
    package static let responseLimit = 256 << 20
    /// How long a client may take to say what it wants, and then to read the answer.
    package static let clientPatience = Duration.seconds(2)
    package static let connections = 16

    package static func socketPath(_ name: String, _ stateDirectory: String) -> String {
        "\(stateDirectory)/\(name).sock"
    }

    /// A request, or a response that says what is wrong with it.
    package enum Reading: Equatable {
        case request(AdminRequest)
        case refusal(AdminResponse)
    }

    package static func read(request line: String) -> Reading {
        struct Version: Decodable { var version: Int }
        struct Question: Decodable { var command: String }

        func refuse(_ sentence: String) -> Reading { .refusal(AdminResponse(error: sentence)) }
        guard line.utf8.count <= requestLimit else { return refuse("the request is longer than \(requestLimit) bytes") }
        guard let version = (try? decode(Version.self, line))?.version else {
            return refuse("the request is no JSON object with a version")
        }
        guard version == self.version else {
            return refuse("this program speaks version \(self.version) of the protocol, and not \(version)")
        }
        guard let command = (try? decode(Question.self, line))?.command else { return refuse("the request has no command") }
        guard AdminRequest.Command(rawValue: command) != nil else {
            let known = AdminRequest.Command.allCases.map(\.rawValue).joined(separator: ", ")
            return refuse("the command is none of: \(known)")
        }
        guard let request = try? decode(AdminRequest.self, line) else { return refuse("the peer is no text") }
        return .request(request)
    }

    package static func read(response line: String) -> AdminResponse? { try? decode(AdminResponse.self, line) }

    /// One line, its end included.
    package static func line(_ message: some Encodable) -> String { json(message, pretty: false) + "\n" }

    /// Names in snake case, in alphabetical order.
    package static func json(_ value: some Encodable, pretty: Bool) -> String {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        if pretty { encoder.outputFormatting.insert(.prettyPrinted) }
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        guard let data = try? encoder.encode(value) else { preconditionFailure("messages are plain values") }
        return String(decoding: data, as: UTF8.self)
    }

    private static func decode<Value: Decodable>(_ type: Value.Type, _ line: String) throws -> Value {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(type, from: Data(line.utf8))
    }
}
