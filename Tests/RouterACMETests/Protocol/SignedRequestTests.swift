import Crypto
import Foundation
import Testing

@testable import RouterACME

@Suite struct `Signed requests` {
    private struct Header: Decodable {
        var alg: String
        var jwk: AccountKey.JWK?
        var kid: String?
        var nonce: String?
        var url: String
    }

    private func parse(_ body: [UInt8]) throws -> (header: Header, request: SignedRequest) {
        let request = try JSON.decode(SignedRequest.self, body)
        return (try JSON.decode(Header.self, try #require(Base64URL.decode(request.protected))), request)
    }

    @Test(arguments: [nil, "https://ca.test/account/1"])
    func `name the account once it has a URL, and before send the key`(account: String?) throws {
        let key = AccountKey()
        let body = try SignedRequest.body(
            url: "https://ca.test/order", payload: Array("{}".utf8), key: key, account: account, nonce: "n")
        let (header, request) = try self.parse(body)
        #expect(header.alg == "ES256" && header.nonce == "n" && header.url == "https://ca.test/order")
        #expect(header.kid == account)
        #expect(header.jwk == (account == nil ? key.jwk : nil))
        #expect(request.payload == "e30")
        let point = try #require(Base64URL.decode(key.jwk.x)) + (try #require(Base64URL.decode(key.jwk.y)))
        let publicKey = try P256.Signing.PublicKey(rawRepresentation: Data(point))
        let signature = try P256.Signing.ECDSASignature(
            rawRepresentation: Data(try #require(Base64URL.decode(request.signature))))
        #expect(publicKey.isValidSignature(signature, for: Data("\(request.protected).\(request.payload)".utf8)))
    }

    @Test func `only read when they have no payload`() throws {
        let body = try SignedRequest.body(
            url: "https://ca.test", payload: nil, key: AccountKey(), account: "a", nonce: "n")
        #expect(try self.parse(body).request.payload.isEmpty)
        #expect(!String(decoding: body, as: UTF8.self).contains("\\/"))
    }

    @Test func `bind an account to another one`() throws {
        let key = AccountKey()
        let secret = Array("0123456789abcdef".utf8)
        let account = try ACMEExternalAccount(keyID: "kid-1", key: Base64URL.encode(secret))
        let binding = try SignedRequest.binding(account, key: key, url: "https://ca.test/account")
        let (header, request) = try self.parse(try JSON.encode(binding))
        #expect(header.alg == "HS256" && header.kid == "kid-1" && header.nonce == nil)
        #expect(header.url == "https://ca.test/account")
        #expect(try JSON.decode(AccountKey.JWK.self, try #require(Base64URL.decode(request.payload))) == key.jwk)
        #expect(
            HMAC<SHA256>.isValidAuthenticationCode(
                Data(try #require(Base64URL.decode(request.signature))),
                authenticating: Data("\(request.protected).\(request.payload)".utf8), using: SymmetricKey(data: secret))
        )
        var dumped = ""
        dump(account, to: &dumped)
        #expect(dumped.contains("kid-1") && !dumped.contains("48"))
    }

    @Test(arguments: ["", "not base64!"])
    func `are not bound with a key that is none`(key: String) {
        let error = #expect(throws: ACMEError.self) { _ = try ACMEExternalAccount(keyID: "k", key: key) }
        #expect(error?.code == .invalidConfiguration)
    }

    @Test func `keep the account when its key is kept`() throws {
        let key = AccountKey()
        #expect(try AccountKey(pem: key.pem).thumbprint == key.thumbprint)
        #expect(key.keyAuthorization(token: "t") == "t.\(key.thumbprint)")
        #expect(key.thumbprint.utf8.count == 43)
    }
}

@Suite struct `Base64url` {
    @Test(arguments: [
        ("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"), ("fooba", "Zm9vYmE"),
        ("foobar", "Zm9vYmFy"),
    ])
    func `is what RFC 4648 says, without padding`(text: String, encoded: String) {
        #expect(Base64URL.encode(text.utf8) == encoded)
        #expect(Base64URL.decode(encoded) == Array(text.utf8))
    }

    @Test func `has two letters of its own`() {
        #expect(Base64URL.encode([0xFB, 0xEF, 0xFF]) == "--__")
        #expect(Base64URL.decode("--__") == [0xFB, 0xEF, 0xFF])
        #expect(Base64URL.decode("+/") == nil)
        #expect(Base64URL.decode("Zg==") == [0x66])
    }
}

@Suite struct `Times on the wire` {
    private let now = Date(timeIntervalSince1970: 784_111_777)  // Sun, 06 Nov 1994 08:49:37 GMT

    @Test(arguments: [
        ("120", Duration.seconds(120)), ("0", .zero), ("-1", nil), ("soon", nil), ("", nil),
        ("Sun, 06 Nov 1994 08:49:37 GMT", .zero), ("Sun, 06 Nov 1994 08:50:37 GMT", .seconds(60)),
        ("Sun, 06 Nov 1994 08:00:00 GMT", .zero), ("Sun, 99 Nov 1994 08:00:00 GMT", nil),
        ("99999999999999", .seconds(366 * 86_400)), ("Sunday, 06-Nov-94 08:49:37 GMT", nil),
    ])
    func `say how long to wait`(text: String, expected: Duration?) {
        #expect(WireTime.retryAfter(text, now: self.now) == expected)
    }

    @Test(arguments: [
        ("1994-11-06T08:49:37Z", true), ("1994-11-06T08:49:37.25Z", true), ("1994-11-06T09:49:37+01:00", true),
        ("yesterday", false), ("", false),
    ])
    func `may have parts of a second and an offset`(text: String, isTime: Bool) {
        let date = WireTime.timestamp(text)
        #expect((date != nil) == isTime)
        if let date { #expect(abs(date.timeIntervalSince(self.now)) < 1) }
    }
}

@Suite struct `A problem` {
    @Test func `is told in one line`() throws {
        let text =
            #"{"type":"urn:ietf:params:acme:error:compound","detail":"two\nthings","status":400,"subproblems":["#
            + #"{"type":"urn:ietf:params:acme:error:caa","detail":"CAA forbids a.example"},{"detail":"x"}]}"#
        let problem = try JSON.decode(ACMEProblem.self, Array(text.utf8))
        #expect(problem.name == "compound")
        #expect(problem.description == "two things; CAA forbids a.example [caa]; x [about:blank] [compound]")
    }

    @Test(arguments: ["", "<html>", "[]", "{}"])
    func `may be missing`(body: String) {
        let reply = Reply(status: 500, body: Array(body.utf8))
        let error = #expect(throws: ACMEError.self) { try reply.check("an order") }
        #expect(error?.code == .unreachable && error?.problem?.type == "about:blank")
    }
}
