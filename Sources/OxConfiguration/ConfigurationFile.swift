import FoundationEssentials

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A file that was read, and who else may read it.
public struct ConfigurationFile: Sendable {
    public let text: String
    /// Permission bits, as in 0o600. Nil where there is no such thing: then nothing is said about them.
    public let permissions: UInt16?
    /// Whether it belongs to root or to the user who runs this.
    public let isOwnerTrusted: Bool

    public init(text: String, permissions: UInt16? = nil, isOwnerTrusted: Bool = true) {
        self.text = text
        self.permissions = permissions
        self.isOwnerTrusted = isOwnerTrusted
    }

    /// Why a file cannot be read, and what to do.
    public struct Unreadable: Error, Equatable, Sendable {
        public let reason: String
        public let remedy: String

        public init(reason: String, remedy: String) {
            self.reason = reason
            self.remedy = remedy
        }
    }

    /// Reads from the disk. A link counts as the file that it leads to.
    public static func read(_ path: String) throws(Unreadable) -> ConfigurationFile {
        let real = URL(filePath: path).resolvingSymlinksInPath().path
        let manager = FileManager.default
        guard let attributes = try? manager.attributesOfItem(atPath: real) else {
            throw Unreadable(
                reason: "\(quoted(path)) does not exist or may not be looked at",
                remedy: "check the path and the permissions of its directories")
        }
        guard attributes[.type] as? FileAttributeType == .typeRegular else {
            throw Unreadable(reason: "\(quoted(path)) is not a regular file", remedy: "name a file")
        }
        guard let contents = manager.contents(atPath: real) else {
            throw Unreadable(
                reason: "\(quoted(path)) may not be read", remedy: "run as its owner, or as root")
        }
        guard contents.count <= Limits.fileBytes else {
            throw Unreadable(
                reason: "\(quoted(path)) is larger than \(Limits.fileBytes >> 20) MiB",
                remedy: "name the file that was meant")
        }
        guard let text = String(validating: contents, as: UTF8.self) else {
            throw Unreadable(reason: "\(quoted(path)) is not UTF-8 text", remedy: "save it as UTF-8")
        }
        let owner = attributes[.ownerAccountID] as? UInt
        return ConfigurationFile(
            text: text, permissions: (attributes[.posixPermissions] as? UInt).map { UInt16(truncatingIfNeeded: $0) },
            isOwnerTrusted: owner == 0 || owner == UInt(geteuid()))
    }
}
