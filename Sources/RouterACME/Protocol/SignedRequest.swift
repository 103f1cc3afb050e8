import Crypto

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The body of every request but the first two: a JSON Web Signature in its flattened form (RFC 7515, RFC 8555
/// section 6.2).
struct SignedRequest: Codable {
    var protected: String
    var payload: String
    var signature: String

    private struct Header: Encodable {
        var alg: String
        var jwk: AccountKey.JWK?
        var kid: String?
        var nonce: String?
        var url: String
    }

    /// Signs a request with the account's key.
    ///
    /// - Parameters:
    ///   - payload: JSON; nil to only read the resource (POST-as-GET).
    ///   - account: the account's URL; nil when it is not known yet, so that the key itself is sent.
    static func body(url: String, payload: [UInt8]?, key: AccountKey, account: String?, nonce: String) throws -> [UInt8]
    {
        let header = Header(
            alg: "ES256", jwk: account == nil ? key.jwk : nil, kid: account, nonce: nonce, url: url)
        let protected = Base64URL.encode(try JSON.encode(header))
        let payload = Base64URL.encode(payload ?? [])
        let signature = Base64URL.encode(try key.signature(of: "\(protected).\(payload)"))
        return try JSON.encode(SignedRequest(protected: protected, payload: payload, signature: signature))
    }

    /// The proof that the new account belongs to one that the user has with the authority by other means (RFC 8555
    /// section 7.3.4).
    static func binding(_ binding: ACMEExternalAccount, key: AccountKey, url: String) throws -> SignedRequest {
        let header = Header(alg: "HS256", kid: binding.keyID, url: url)
        let protected = Base64URL.encode(try JSON.encode(header))
        let payload = Base64URL.encode(try JSON.encode(key.jwk))
        let code = HMAC<SHA256>.authenticationCode(
            for: Data("\(protected).\(payload)".utf8), using: SymmetricKey(data: binding.key))
        return SignedRequest(protected: protected, payload: payload, signature: Base64URL.encode(code))
    }
}

/// JSON as the protocol wants it.
enum JSON {
    static func encode(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(value))
    }

    static func decode<Value: Decodable>(_ type: Value.Type, _ bytes: [UInt8]) throws -> Value {
        try JSONDecoder().decode(type, from: Data(bytes))
    }
}
