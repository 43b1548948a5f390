import FoundationEssentials
import OxCore

/// What has to be undone for a tunnel, on a file system that the next boot empties: written before anything is done, so
/// that whoever comes after a process that was killed can put things back.
struct NetworkJournal: Codable, Equatable {
    /// Who wrote it.
    var owner: Owner
    /// In the order in which it is to be done.
    var undo: [NetworkCommand]

    /// A process, told from later ones with the same number, in its network namespace.
    struct Owner: Codable, Equatable {
        var process: Int32
        var startTicks: UInt64
        var namespace: String

        static var current: Owner {
            let id = CurrentProcess.id
            return Owner(
                process: id, startTicks: CurrentProcess.startTicks(of: id) ?? 0,
                namespace: CurrentProcess.networkNamespace)
        }

        var isAlive: Bool {
            CurrentProcess.isAlive(process) && CurrentProcess.startTicks(of: process) == startTicks
        }
    }

    static func path(_ name: String, _ directory: String) -> String { "\(directory)/\(name).journal" }

    /// Nil when there is none.
    static func read(_ path: String) throws(NetworkError) -> NetworkJournal? {
        let text: String
        do {
            text = try SystemFile.read(path)
        } catch {
            if error.isNotFound { return nil }
            throw NetworkError("\(error)", remedy: "run as root, or as the user who wrote it", isPermission: true)
        }
        do {
            return try JSONDecoder().decode(NetworkJournal.self, from: Data(text.utf8))
        } catch {
            throw NetworkError(
                "\(path) does not say what an earlier run changed", remedy: "check routes and rules, and remove it")
        }
    }

    func write(_ path: String, in directory: String) throws(NetworkError) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            let bytes = try encoder.encode(self)
            try SystemFile.makeDirectory(directory)
            try SystemFile.replace(path, with: String(decoding: bytes, as: UTF8.self))
        } catch let error as CoreError {
            throw NetworkError(
                "\(error)", remedy: "without it nothing could be put back: make \(directory) writable for this user",
                isPermission: error.isPermission)
        } catch {
            throw NetworkError("cannot write \(path): \(error)", remedy: "remove it")
        }
    }

    /// Values from before of settings that other tunnels of this namespace, which run or were killed, have changed too.
    static func originals(
        beside name: String, in directory: String, ofLivingOnly: Bool
    ) -> [String: String] {
        let own = Owner.current
        let files = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
        var held: [String: String] = [:]
        for file in files where file.hasSuffix(".journal") && file != "\(name).journal" {
            guard let journal = try? read("\(directory)/\(file)"),
                journal.owner.namespace == own.namespace, journal.owner.isAlive || !ofLivingOnly
            else { continue }
            for case .setting(let path, let value) in journal.undo { held[path] = value }
        }
        return held
    }
}
