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
        /// Names the file.
        public let reason: String
        public let remedy: String
        /// This user may not read it.
        public let isPermission: Bool

        public init(reason: String, remedy: String, isPermission: Bool = false) {
            self.reason = reason
            self.remedy = remedy
            self.isPermission = isPermission
        }

        fileprivate static func refused(_ path: String) -> Unreadable {
            Unreadable(
                reason: "no permission to read \(quoted(path, most: ConfigurationFile.longestPath))",
                remedy: "run as root, or as the owner of the file",
                isPermission: true)
        }
    }

    /// A path that was cut short would not show what is wrong with it.
    private static let longestPath = 4096

    /// Reads from the disk. A link counts as the file that it leads to.
    public static func read(_ path: String) throws(Unreadable) -> ConfigurationFile {
        let real = URL(filePath: path).resolvingSymlinksInPath().path
        let manager = FileManager.default
        let attributes: [FileAttributeKey: Any]
        do {
            attributes = try manager.attributesOfItem(atPath: real)
        } catch let error as CocoaError where error.code == .fileReadNoPermission {
            throw .refused(path)
        } catch {
            throw Unreadable(reason: "\(quoted(path, most: longestPath)) does not exist", remedy: "check the path")
        }
        guard attributes[.type] as? FileAttributeType == .typeRegular else {
            throw Unreadable(reason: "\(quoted(path, most: longestPath)) is not a regular file", remedy: "name a file")
        }
        guard let contents = manager.contents(atPath: real) else {
            throw .refused(path)
        }
        guard contents.count <= Limits.fileBytes else {
            throw Unreadable(
                reason: "\(quoted(path, most: longestPath)) is larger than \(Limits.fileBytes >> 20) MiB",
                remedy: "name the file that was meant")
        }
        guard let text = String(validating: contents, as: UTF8.self) else {
            throw Unreadable(reason: "\(quoted(path, most: longestPath)) is not UTF-8 text", remedy: "save it as UTF-8")
        }
        let owner = attributes[.ownerAccountID] as? UInt
        return ConfigurationFile(
            text: text, permissions: (attributes[.posixPermissions] as? UInt).map { UInt16(truncatingIfNeeded: $0) },
            isOwnerTrusted: owner == 0 || owner == UInt(geteuid()))
    }
}
