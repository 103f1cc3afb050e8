import Crypto

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The key that is the account: who signs with it is its owner.
struct AccountKey: Sendable {
    private let key: P256.Signing.PrivateKey

    /// Makes a new key.
    init() { self.key = P256.Signing.PrivateKey() }

    /// Reads a key that was kept.
    init(pem: String) throws { self.key = try P256.Signing.PrivateKey(pemRepresentation: pem) }

    /// The key, to be kept.
    var pem: String { self.key.pemRepresentation }

    /// The public half (RFC 7517). Its fields are in the order in which the thumbprint wants them.
    struct JWK: Codable, Equatable {
        var crv = "P-256"
        var kty = "EC"
        var x: String
        var y: String
    }

    var jwk: JWK {
        let point = self.key.publicKey.rawRepresentation
        return JWK(x: Base64URL.encode(point.prefix(32)), y: Base64URL.encode(point.suffix(32)))
    }

    /// The digest that names the key (RFC 7638).
    var thumbprint: String {
        let jwk = self.jwk
        let text = #"{"crv":"P-256","kty":"EC","x":"\#(jwk.x)","y":"\#(jwk.y)"}"#
        return Base64URL.encode(SHA256.hash(data: Data(text.utf8)))
    }

    /// What answers a challenge: its token and whose account it is.
    func keyAuthorization(token: String) -> String { "\(token).\(self.thumbprint)" }

    func signature(of text: String) throws -> [UInt8] {
        Array(try self.key.signature(for: Data(text.utf8)).rawRepresentation)
    }
}
