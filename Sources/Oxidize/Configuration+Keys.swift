package import OxConfiguration
import OxCore
import OxModel

extension Configuration {
    /// Reads and checks a file, and finds a peer in it that is this end itself, and CPUs that this machine does not have.
    package static func load(comparingKeysOf path: String) throws(ConfigurationErrors) -> Configuration {
        try load(path: path, publicKey: publicKey, allowedCPUs: Machine.allowedCPUs())
    }

    private static func publicKey(of key: SecretKey) -> PublicKey? {
        guard (try? Core.start()) != nil else { return nil }
        return key.withBytes { bytes in
            var copy = bytes.indices.map { bytes[$0] }
            defer { KeyTool.wipe(&copy) }
            return try? KeyTool.publicKey(of: copy)
        }
    }
}
