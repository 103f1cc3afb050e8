internal import Crypto

#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// Seals config variables and the keys of certificates for the store with AES-256-GCM.
///
/// Whose they are is authenticated with the ciphertext, so that a row which was copied to another application or
/// certificate does not open.
public struct ConfigSealer: Sendable {
    private let key: SymmetricKey

    /// - Parameter key: exactly 32 bytes.
    /// - Throws: ``PlatformError`` with code `invalid` for a key of another length.
    public init(key: Data) throws(PlatformError) {
        guard key.count == 32 else {
            throw PlatformError(.invalid, "the sealing key must be 32 bytes, not \(key.count)")
        }
        self.key = SymmetricKey(data: key)
    }

    /// Seals the variables of an application, or the parts of what else has an identity.
    func seal(_ variables: [String: String], for identity: String) throws(PlatformError) -> Data {
        do {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys]
            let plain = try encoder.encode(variables)
            let box = try AES.GCM.seal(plain, using: self.key, authenticating: Data(identity.utf8))
            guard let combined = box.combined else {
                throw PlatformError(.internalError, "cannot seal a secret: the nonce has an unexpected size")
            }
            return combined
        } catch {
            throw PlatformError(.internalError, "cannot seal a secret: \(error)", cause: error)
        }
    }

    /// Opens what ``seal(_:for:)`` made. No bytes mean no variables.
    func open(_ sealed: Data, for identity: String) throws(PlatformError) -> [String: String] {
        guard !sealed.isEmpty else { return [:] }
        do {
            let box = try AES.GCM.SealedBox(combined: sealed)
            let plain = try AES.GCM.open(box, using: self.key, authenticating: Data(identity.utf8))
            return try JSONDecoder().decode([String: String].self, from: plain)
        } catch {
            throw PlatformError(
                .internalError,
                "cannot open the config of an application or the key of a certificate: the key file does not belong to this state, or the state is damaged",
                cause: error)
        }
    }
}
