import Crypto

#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// What somebody vouches for a slug with: an Ed25519 signature (RFC 8032) over its identifier. Since that is the digest of
/// everything in the slug, a signature says who answers for every byte of it, wherever it is stored.
public struct SlugSignature: Sendable, Hashable, Codable {
    /// The signer's public key, 32 bytes.
    public var publicKey: Data
    /// The signature, 64 bytes.
    public var signature: Data

    /// A signature that was made elsewhere; nothing is checked.
    public init(publicKey: Data, signature: Data) {
        self.publicKey = publicKey
        self.signature = signature
    }

    /// Whether it is that key's signature of the slug. Whether the key is to be trusted is another question:
    /// ``SignaturePolicy``.
    public func isValid(for id: SlugID) -> Bool {
        guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: self.publicKey) else { return false }
        return key.isValidSignature(self.signature, for: Self.message(id))
    }

    /// What is signed: never the bare digest, so that no signature made for anything else fits a slug.
    static func message(_ id: SlugID) -> Data { Data("slipway-slug-signature 1\n\(id)\n".utf8) }
}

/// A private key that vouches for slugs.
public struct SlugSigner: Sendable {
    private let key: Curve25519.Signing.PrivateKey

    /// A new key from the system's random source.
    public init() { self.key = Curve25519.Signing.PrivateKey() }

    /// A key that was kept.
    /// - Parameter privateKey: The seed, 32 bytes.
    /// - Throws: ``SlugStoreError/Code/untrusted`` if that is no key.
    public init(privateKey: Data) throws(SlugStoreError) {
        do {
            self.key = try Curve25519.Signing.PrivateKey(rawRepresentation: privateKey)
        } catch {
            throw SlugStoreError(
                code: .untrusted,
                message: "A key to sign with has 32 bytes, and this one has \(privateKey.count). Make a new one.",
                cause: error)
        }
    }

    /// The seed, 32 bytes, to be kept where nobody else can read it.
    public var privateKey: Data { self.key.rawRepresentation }
    /// What others check signatures with, 32 bytes.
    public var publicKey: Data { self.key.publicKey.rawRepresentation }

    /// Vouches for a slug.
    /// - Throws: ``SlugStoreError/Code/untrusted`` if the key cannot sign.
    public func signature(of id: SlugID) throws(SlugStoreError) -> SlugSignature {
        do {
            return SlugSignature(
                publicKey: self.publicKey, signature: try self.key.signature(for: SlugSignature.message(id)))
        } catch {
            throw SlugStoreError(code: .untrusted, message: "The slug \(id) could not be signed.", cause: error)
        }
    }
}

/// Whose word it takes for a slug to be used.
public enum SignaturePolicy: Sendable, Hashable {
    /// Nobody's: signatures are kept and not looked at.
    case none
    /// A valid signature of at least one of these public keys, each of 32 bytes.
    case anyOf(Set<Data>)

    /// Refuses a slug that nobody trusted has signed.
    /// - Throws: ``SlugStoreError/Code/untrusted``, saying whether there was no signature, a wrong one, or one of strangers.
    public func check(_ id: SlugID, signatures: [SlugSignature]) throws(SlugStoreError) {
        guard case .anyOf(let trusted) = self else { return }
        let fromTrusted = signatures.filter { trusted.contains($0.publicKey) }
        if fromTrusted.contains(where: { $0.isValid(for: id) }) { return }
        let what =
            if !fromTrusted.isEmpty {
                "has a signature that is wrong: it was made for another slug, or was changed"
            } else if !signatures.isEmpty {
                "is signed by none of the keys that are trusted here"
            } else {
                "is not signed"
            }
        throw SlugStoreError(
            code: .untrusted,
            message:
                "The slug \(id) \(what), and only signed slugs are used here. Sign it with a trusted key, or deploy it "
                + "from where that is done.")
    }
}
