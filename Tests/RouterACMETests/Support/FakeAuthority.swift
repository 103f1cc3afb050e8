import Crypto
import Foundation
import RouterCore
import SwiftASN1
import Synchronization
import X509

@testable import RouterACME

/// An ACME authority in memory: as much of RFC 8555 as a client needs, as exact as it has to be, as unfriendly as the
/// test wants.
final class FakeAuthority: ACMETransport {
    struct Rules {
        /// Hosts that it never manages to check, and by what.
        var unprovable: [String: Set<String>] = [:]
        /// Answers orders for these hosts with this problem.
        var refusals: [String: (status: Int, name: String, retryAfter: String?)] = [:]
        /// So many of the next signed requests are told that their nonce is bad.
        var badNonces = 0
        /// So many of the next requests get no answer.
        var failures = 0
        /// How often an authorization or an order is still being worked on when it is asked for.
        var slowness = 0
        var lifetime: TimeInterval = 90 * 86_400
        var terms: String? = "https://authority.test/terms"
        var offers = ["http-01", "tls-alpn-01", "dns-01"]
        var needsBinding = false
        /// When it wants certificates renewed; nil when it does not tell.
        var window: (start: Date, end: Date)?
    }

    struct State {
        var rules: Rules
        var nonces: Set<String> = []
        var count = 0
        var accounts: [String: AccountKey.JWK] = [:]
        var contacts: [String: [String]] = [:]
        var orders: [String: OrderState] = [:]
        /// Every request as `METHOD path`, without signatures.
        var log: [String] = []
        var issued: [String] = []
        /// The kinds of challenges that were tried, by host.
        var tried: [String: [String]] = [:]
        var replaced: [String] = []
        var questions = 0
        var inFlight = 0
        var mostInFlight = 0
        var isShutDown = false
        var watchers: [(condition: @Sendable (State) -> Bool, continuation: CheckedContinuation<Void, Never>)] = []
    }

    struct OrderState {
        var host: String
        var isProven = false
        var hasFailed: String?
        var tries = 0
        var chain: String?
    }

    static let base = "https://authority.test"
    static let directory = "\(base)/directory"

    private let key = P256.Signing.PrivateKey()
    private let challenges: ACMEChallenges
    private let now: @Sendable () -> Date
    let state: Mutex<State>

    init(challenges: ACMEChallenges, rules: Rules = Rules(), now: @escaping @Sendable () -> Date = { Date() }) {
        self.challenges = challenges
        self.now = now
        self.state = Mutex(State(rules: rules))
    }

    func change(_ body: (inout Rules) -> Void) { self.state.withLock { body(&$0.rules) } }

    var issued: [String] { self.state.withLock { $0.issued } }

    /// Waits until what it has seen is as described.
    func wait(until condition: @escaping @Sendable (State) -> Bool) async {
        await withCheckedContinuation { continuation in
            let isDone = self.state.withLock { state in
                if condition(state) { return true }
                state.watchers.append((condition, continuation))
                return false
            }
            if isDone { continuation.resume() }
        }
    }

    func shutDown() async { self.update { $0.isShutDown = true } }

    private func update<R>(_ body: (inout State) throws -> R) rethrows -> R {
        let (result, due) = try self.state.withLock { state in
            let result = try body(&state)
            let watchers = state.watchers
            state.watchers = []
            let isDue = watchers.map { $0.condition(state) }
            state.watchers = zip(watchers, isDue).filter { !$0.1 }.map(\.0)
            return (result, zip(watchers, isDue).filter(\.1).map(\.0.continuation))
        }
        for continuation in due { continuation.resume() }
        return result
    }

    // MARK: Requests

    struct Unreachable: Error {}

    func send(_ request: ACMERequest) async throws -> ACMEResponse {
        try Task.checkCancellation()
        return try self.update { state in
            let path = String(request.url.dropFirst(Self.base.count))
            state.log.append("\(request.method.rawValue) \(path)")
            if state.rules.failures > 0 {
                state.rules.failures -= 1
                throw Unreachable()
            }
            var response = try self.answer(request, path, &state)
            state.count += 1
            let nonce = "nonce-\(state.count)"
            state.nonces.insert(nonce)
            response.headers.append(("Replay-Nonce", nonce))
            return response
        }
    }

    private func json(_ status: Int, _ text: String, _ headers: [(String, String)] = []) -> ACMEResponse {
        ACMEResponse(status: status, headers: headers.map { ($0.0, $0.1) }, body: Array(text.utf8))
    }

    private func problem(_ status: Int, _ name: String, _ headers: [(String, String)] = []) -> ACMEResponse {
        self.json(status, #"{"type":"urn:ietf:params:acme:error:\#(name)","detail":"because of \#(name)"}"#, headers)
    }

    private func answer(_ request: ACMERequest, _ path: String, _ state: inout State) throws -> ACMEResponse {
        if request.method == .get, path == "/directory" {
            let base = Self.base
            var fields = [
                #""newNonce":"\#(base)/nonce""#, #""newAccount":"\#(base)/account""#, #""newOrder":"\#(base)/order""#,
            ]
            if state.rules.window != nil { fields.append(#""renewalInfo":"\#(base)/renewal""#) }
            let terms = state.rules.terms.map { #""termsOfService":"\#($0)","# } ?? ""
            fields.append(#""meta":{\#(terms)"externalAccountRequired":\#(state.rules.needsBinding)}"#)
            return self.json(200, "{\(fields.joined(separator: ","))}")
        }
        if request.method == .get, path.hasPrefix("/renewal/"), let window = state.rules.window {
            state.questions += 1
            let style = Date.ISO8601FormatStyle()
            return self.json(
                200,
                #"{"suggestedWindow":{"start":"\#(window.start.formatted(style))","end":"\#(window.end.formatted(style))"}}"#,
                [("Retry-After", "21600")])
        }
        if request.method == .head { return ACMEResponse(status: 200) }
        return try self.signed(request, path, &state)
    }

    private struct Protected: Decodable {
        var alg: String
        var jwk: AccountKey.JWK?
        var kid: String?
        var nonce: String
        var url: String
    }

    private func signed(_ request: ACMERequest, _ path: String, _ state: inout State) throws -> ACMEResponse {
        let body = try JSONDecoder().decode(SignedRequest.self, from: Data(request.body))
        let header = try JSONDecoder().decode(
            Protected.self, from: Data(Base64URL.decode(body.protected) ?? []))
        let payload = Base64URL.decode(body.payload) ?? []
        guard header.url == request.url, header.alg == "ES256" else { return self.problem(400, "malformed") }
        guard state.nonces.remove(header.nonce) != nil, state.rules.badNonces == 0 else {
            state.rules.badNonces = max(0, state.rules.badNonces - 1)
            return self.problem(400, "badNonce")
        }
        guard let jwk = header.jwk ?? header.kid.flatMap({ state.accounts[$0] }) else {
            return self.problem(400, "accountDoesNotExist")
        }
        let point = Data((Base64URL.decode(jwk.x) ?? []) + (Base64URL.decode(jwk.y) ?? []))
        let signature = try P256.Signing.ECDSASignature(rawRepresentation: Data(Base64URL.decode(body.signature) ?? []))
        guard
            try P256.Signing.PublicKey(rawRepresentation: point)
                .isValidSignature(signature, for: Data("\(body.protected).\(body.payload)".utf8))
        else { return self.problem(403, "unauthorized") }
        if path == "/account" { return try self.account(jwk, payload, &state) }
        guard let kid = header.kid else { return self.problem(400, "malformed") }
        if state.accounts.keys.contains(Self.base + path) {
            state.contacts[kid] = try self.contact(payload)
            return self.json(200, "{}")
        }
        return try self.resource(path, payload, AccountKeyThumbprint.of(jwk), &state)
    }

    private func contact(_ payload: [UInt8]) throws -> [String] {
        struct Contact: Decodable { var contact: [String]? }
        return try JSONDecoder().decode(Contact.self, from: Data(payload)).contact ?? []
    }

    private func account(_ jwk: AccountKey.JWK, _ payload: [UInt8], _ state: inout State) throws -> ACMEResponse {
        if let known = state.accounts.first(where: { $0.value == jwk })?.key {
            return self.json(200, "{}", [("Location", known)])
        }
        let text = String(decoding: payload, as: UTF8.self)
        guard text.contains(#""termsOfServiceAgreed":true"#) else { return self.problem(403, "userActionRequired") }
        if state.rules.needsBinding, !text.contains("externalAccountBinding") {
            return self.problem(403, "externalAccountRequired")
        }
        let url = "\(Self.base)/account/\(state.accounts.count + 1)"
        state.accounts[url] = jwk
        state.contacts[url] = try self.contact(payload)
        return self.json(201, "{}", [("Location", url)])
    }

    // MARK: Orders

    private func resource(
        _ path: String, _ payload: [UInt8], _ thumbprint: String, _ state: inout State
    ) throws -> ACMEResponse {
        if path == "/order" { return try self.newOrder(payload, &state) }
        let parts = path.split(separator: "/").map(String.init)
        guard parts.count >= 2, var order = state.orders[parts[1]] else { return self.problem(404, "malformed") }
        let id = parts[1]
        defer { state.orders[id] = order }
        switch parts[0] {
        case "authz":
            if order.tries > 0 {
                order.tries -= 1
            } else if state.tried[order.host]?.isEmpty == false {
                self.settle(&order)
            }
            return self.json(200, self.authorization(id, order, state.rules))
        case "chall":
            let kind = parts[2]
            state.tried[order.host, default: []].append(kind)
            order.tries = state.rules.slowness
            let isUnprovable = state.rules.unprovable[order.host]?.contains(kind) == true
            order.hasFailed = isUnprovable || !self.isAnswered(kind, "token-\(id)", thumbprint) ? kind : nil
            return self.json(200, #"{"type":"\#(kind)","url":"\#(Self.base)\#(path)","status":"processing"}"#)
        case "finalize":
            guard order.isProven else { return self.problem(403, "orderNotReady") }
            struct Finalize: Decodable { var csr: String }
            let csr = try JSONDecoder().decode(Finalize.self, from: Data(payload)).csr
            order.chain = try self.issue(Base64URL.decode(csr) ?? [], order.host, state.rules)
            order.tries = state.rules.slowness
            state.issued.append(order.host)
            state.inFlight -= 1
            return self.json(200, self.order(id, order))
        case "order":
            if order.tries > 0 { order.tries -= 1 }
            return self.json(200, self.order(id, order))
        case "cert": return ACMEResponse(status: 200, body: Array((order.chain ?? "").utf8))
        default: return self.problem(404, "malformed")
        }
    }

    private func newOrder(_ payload: [UInt8], _ state: inout State) throws -> ACMEResponse {
        struct Wanted: Decodable {
            var identifiers: [Identifier]
            var replaces: String?
        }
        let wanted = try JSONDecoder().decode(Wanted.self, from: Data(payload))
        let host = wanted.identifiers[0].value
        if let refusal = state.rules.refusals[host] {
            return self.problem(
                refusal.status, refusal.name, refusal.retryAfter.map { [("Retry-After", $0)] } ?? [])
        }
        if let replaces = wanted.replaces {
            guard !state.replaced.contains(replaces) else { return self.problem(409, "alreadyReplaced") }
            state.replaced.append(replaces)
        }
        let id = "\(state.orders.count + 1)"
        state.tried[host] = []
        state.inFlight += 1
        state.mostInFlight = max(state.mostInFlight, state.inFlight)
        let order = OrderState(host: host)
        state.orders[id] = order
        return self.json(201, self.order(id, order), [("Location", "\(Self.base)/order/\(id)")])
    }

    private func settle(_ order: inout OrderState) {
        if order.hasFailed == nil { order.isProven = true }
    }

    private func order(_ id: String, _ order: OrderState) -> String {
        let base = Self.base
        var status = order.isProven ? "ready" : "pending"
        if order.chain != nil { status = order.tries > 0 ? "processing" : "valid" }
        return
            #"{"status":"\#(status)","authorizations":["\#(base)/authz/\#(id)"],"finalize":"\#(base)/finalize/\#(id)","#
            + #""certificate":"\#(base)/cert/\#(id)"}"#
    }

    private func authorization(_ id: String, _ order: OrderState, _ rules: Rules) -> String {
        let isFailed = order.hasFailed != nil && order.tries == 0
        let challenges = rules.offers.map { kind in
            let error =
                isFailed && order.hasFailed == kind
                ? #","error":{"type":"urn:ietf:params:acme:error:unauthorized","detail":"wrong answer"}"# : ""
            return #"{"type":"\#(kind)","url":"\#(Self.base)/chall/\#(id)/\#(kind)","token":"token-\#(id)"\#(error)}"#
        }
        let status = order.isProven ? "valid" : isFailed ? "invalid" : "pending"
        return #"{"status":"\#(status)","identifier":{"type":"dns","value":"\#(order.host)"},"#
            + #""challenges":[\#(challenges.joined(separator: ","))]}"#
    }

    private func isAnswered(_ kind: String, _ token: String, _ thumbprint: String) -> Bool {
        guard kind == "http-01" else { return true }
        let path = Array("/.well-known/acme-challenge/\(token)".utf8)
        return path.withUnsafeBytes { self.challenges.answer(path: $0) } == "\(token).\(thumbprint)"
    }

    private func issue(_ csr: [UInt8], _ host: String, _ rules: Rules) throws -> String {
        let request = try CertificateSigningRequest(derEncoded: csr)
        let issuer = try DistinguishedName { CommonName("Fake Authority") }
        let now = self.now()
        let certificate = try Certificate(
            version: .v3, serialNumber: .init(), publicKey: request.publicKey, notValidBefore: now,
            notValidAfter: now.addingTimeInterval(rules.lifetime), issuer: issuer, subject: DistinguishedName(),
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                SubjectAlternativeNames([.dnsName(host)])
                AuthorityKeyIdentifier(keyIdentifier: [1, 2, 3, 4])
            },
            issuerPrivateKey: .init(self.key))
        return try certificate.serializeAsPEM().pemString + "\n"
    }
}

enum AccountKeyThumbprint {
    static func of(_ jwk: AccountKey.JWK) -> String {
        let text = #"{"crv":"P-256","kty":"EC","x":"\#(jwk.x)","y":"\#(jwk.y)"}"#
        return Base64URL.encode(SHA256.hash(data: Data(text.utf8)))
    }
}
