public import SlugStore
import Synchronization

#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// One repository of an OCI registry: blobs, manifests and tags, by the distribution specification 1.1.
///
/// It answers a registry's challenge with a token or a password, follows the redirects of blobs without handing credentials
/// on, and sends nothing secret in clear text but to this machine.
public final class RegistryClient: Sendable {
    /// Who asks.
    public struct Credentials: Sendable, Hashable, CustomStringConvertible {
        /// The name of the user.
        public var user: String
        /// The password, or an access token in its place.
        public var password: String

        /// Makes credentials.
        public init(user: String, password: String) {
            self.user = user
            self.password = password
        }

        /// The user alone, so that a log never has the secret.
        public var description: String { self.user }
    }

    /// Which repository, where, and how it is used.
    public struct Configuration: Sendable {
        /// The registry.
        public var endpoint: RemoteEndpoint
        /// The repository in it, for example `platform/slugs`.
        public var repository: String
        /// Who asks; `nil` for a registry that asks nobody.
        public var credentials: Credentials?
        /// Blobs larger than this are sent in chunks of this size, each of which is repeated by itself. Default: 64 MiB.
        public var chunkBytes: Int64 = 64 << 20
        /// The most tags that a list may have. Default: 200,000.
        public var listedTags = 200_000
        /// What the age of tokens is measured by.
        public var now: @Sendable () -> Date = { Date() }

        /// The defaults for a repository.
        public init(endpoint: RemoteEndpoint, repository: String, credentials: Credentials? = nil) {
            self.endpoint = endpoint
            self.repository = repository
            self.credentials = credentials
        }
    }

    private struct Authorisation {
        var header: String?
        var expires: Date?
        var actions: Set<String> = []
        /// What blobs are mounted from.
        var sources: Set<String> = []
        /// What blobs cannot be mounted from.
        var refusedSources: Set<String> = []
    }

    /// How it was configured.
    public let configuration: Configuration
    let transport: RemoteTransport
    private let authorisation = Mutex(Authorisation())

    /// Makes a client. Nothing is asked for before the first call.
    /// - Throws: `SlugStoreError.Code.remoteRefused` if the name is not one of a repository, or the registry is elsewhere
    ///   and spoken to in clear text.
    public init(configuration: Configuration, transport: RemoteTransport) throws(SlugStoreError) {
        guard Self.isName(configuration.repository) else {
            throw SlugStoreError(
                code: .remoteRefused,
                message:
                    "\"\(configuration.repository)\" cannot be the name of a repository: parts of lower-case letters and "
                    + "digits, with . _ __ or hyphens within and / between them, 255 bytes at most.")
        }
        guard configuration.endpoint.isSecure || configuration.endpoint.isLoopback else {
            throw SlugStoreError(
                code: .remoteRefused,
                message:
                    "The registry \(configuration.endpoint) would be spoken to in clear text. Use https, or a registry "
                    + "on this machine.")
        }
        self.configuration = configuration
        self.transport = transport
    }

    /// Whether a name is one that the specification knows.
    static func isName(_ name: String) -> Bool {
        guard !name.isEmpty, name.utf8.count <= 255 else { return false }
        return name.utf8.split(separator: 0x2f, omittingEmptySubsequences: false).allSatisfy { part in
            func isPlain(_ byte: UInt8?) -> Bool {
                byte.map { (0x30...0x39).contains($0) || (0x61...0x7a).contains($0) } ?? false
            }
            guard isPlain(part.first), isPlain(part.last) else { return false }
            let separators = part.split(whereSeparator: { isPlain($0) }).map { String(decoding: $0, as: UTF8.self) }
            return separators.allSatisfy { $0 == "." || $0 == "_" || $0 == "__" || $0.utf8.allSatisfy { $0 == 0x2d } }
        }
    }

    // MARK: Requests

    /// The URL of something of this repository.
    func url(_ path: String) -> String { "\(self.configuration.endpoint)/v2/\(self.configuration.repository)/\(path)" }

    /// Sends a request, with what the registry has asked for so far, and answers its challenge once.
    func send(
        _ what: String, attempts: Int? = nil, _ request: RemoteRequest
    ) async throws(SlugStoreError) -> RemoteAnswer {
        let isOwn = request.url.hasPrefix("\(self.configuration.endpoint)/")
        var fresh: String?
        while true {
            // What was got for this request is used for it, however short its time is.
            let header = isOwn ? fresh ?? self.currentHeader() : nil
            let answer = try await self.transport.send(what, attempts: attempts) { () throws(SlugStoreError) in
                var request = request
                if let header { request.headers.append((name: "Authorization", value: header)) }
                return request
            }
            guard answer.status == 401, isOwn, fresh == nil,
                let challenge = answer.header("WWW-Authenticate").flatMap({ RegistryChallenge($0) })
            else { return answer }
            fresh = try await self.answer(challenge, what)
        }
    }

    /// Asks for a token that allows to read another repository too, the next time that one is needed.
    /// - Returns: Whether that is of use: not if it was refused before.
    func noteSource(_ repository: String) -> Bool {
        self.authorisation.withLock { authorisation in
            if authorisation.refusedSources.contains(repository) { return false }
            // A token that does not allow it is of no use for that; a password allows what it does.
            if authorisation.sources.insert(repository).inserted, authorisation.expires != nil {
                authorisation.header = nil
            }
            return true
        }
    }

    /// Asks for tokens without another repository from now on, since none was given that allows to read it.
    func forgetSource(_ repository: String) {
        self.authorisation.withLock { authorisation in
            authorisation.sources.remove(repository)
            authorisation.refusedSources.insert(repository)
            if authorisation.expires != nil { authorisation.header = nil }
        }
    }

    private func currentHeader() -> String? {
        let now = self.configuration.now()
        return self.authorisation.withLock { authorisation in
            if let expires = authorisation.expires, expires <= now { authorisation.header = nil }
            return authorisation.header
        }
    }

    /// - Returns: What the registry has asked for.
    private func answer(_ challenge: RegistryChallenge, _ what: String) async throws(SlugStoreError) -> String {
        let basic = self.configuration.credentials.map { credentials in
            "Basic " + Data("\(credentials.user):\(credentials.password)".utf8).base64EncodedString()
        }
        switch challenge {
        case .basic:
            guard let basic else {
                throw SlugStoreError(
                    code: .unauthorised, message: "\(what): the registry asks for a password, and none is configured.")
            }
            self.authorisation.withLock { $0 = Authorisation(header: basic) }
            return basic
        case .bearer(let realm, let service, let scope):
            let own = "repository:\(self.configuration.repository):"
            // What was asked for before is asked for again, so that reading and writing do not take each other's token away.
            // A scope of another repository is asked for if this client has begun it, not because the registry says so.
            let (actions, sources) = self.authorisation.withLock { authorisation in
                let wanted =
                    scope?.split(separator: " ").first { $0.hasPrefix(own) }?.dropFirst(own.count) ?? "pull,push"
                authorisation.actions.formUnion(wanted.split(separator: ",").map(String.init))
                return (authorisation.actions, authorisation.sources)
            }
            let scopes =
                ["\(own)\(actions.sorted().joined(separator: ","))"] + sources.sorted().map { "repository:\($0):pull" }
            let token = try await self.token(realm, service, scopes, basic, what)
            let header = "Bearer \(token.text)"
            self.authorisation.withLock { authorisation in
                authorisation.header = header
                authorisation.expires = self.configuration.now().addingTimeInterval(Double(token.seconds))
            }
            return header
        }
    }

    private struct Token: Decodable {
        var token: String?
        var accessToken: String?
        var expiresIn: Int?

        enum CodingKeys: String, CodingKey {
            case token
            case accessToken = "access_token"
            case expiresIn = "expires_in"
        }
    }

    private func token(
        _ realm: String, _ service: String?, _ scopes: [String], _ basic: String?, _ what: String
    ) async throws(SlugStoreError) -> (text: String, seconds: Int) {
        let what = "\(what): getting a token from \(printable(realm.utf8.prefix(200)))"
        guard let target = Self.endpoint(of: realm),
            target.isSecure || (target.isLoopback && self.configuration.endpoint.isInClearText)
        else {
            throw SlugStoreError(
                code: .invalidAnswer,
                message: "\(what): the registry asks to send the password in clear text, or nowhere.")
        }
        var query = scopes.map { (name: "scope", value: $0) }
        if let service { query.append((name: "service", value: service)) }
        let request = RemoteRequest(
            method: "GET", url: "\(realm)\(realm.contains("?") ? "&" : "?")\(SigV4.query(query))",
            headers: basic.map { [(name: "Authorization", value: $0)] } ?? [])
        let answer = try await self.transport.send(what) { () throws(SlugStoreError) in request }
        guard answer.status == 200 else {
            guard (400..<500).contains(answer.status) else { throw self.failure(what, answer) }
            throw SlugStoreError(
                code: .unauthorised,
                message: "\(what): the server answered \(answer.status)\(answer.excerpt). Check the user "
                    + "\(self.configuration.credentials.map(String.init(describing:)) ?? "(none)") and the password.")
        }
        guard let token = try? JSONDecoder().decode(Token.self, from: Data(answer.body)),
            let text = token.token ?? token.accessToken, !text.isEmpty,
            text.utf8.allSatisfy({ (0x21...0x7e).contains($0) })
        else { throw SlugStoreError(code: .invalidAnswer, message: "\(what): the answer has no token.") }
        // A token that is about to end would end on its way.
        return (text, max(0, min(token.expiresIn ?? 60, 86_400) - 10))
    }

    /// The scheme, host and port of a URL.
    static func endpoint(of url: String) -> RemoteEndpoint? {
        let scheme = url.prefix { $0 != ":" }
        guard url.dropFirst(scheme.count).hasPrefix("://") else { return nil }
        let authority = url.dropFirst(scheme.count + 3).prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        return RemoteEndpoint("\(scheme)://\(authority)")
    }

    /// Where a `Location` leads: a URL of the registry's host is one of ours, whatever scheme a proxy made of it. From TLS it never
    /// leads into clear text.
    /// - Parameter url: What was asked; the registry itself if `nil`.
    func resolve(_ location: String, _ what: String, from url: String? = nil) throws(SlugStoreError) -> String {
        let endpoint = self.configuration.endpoint
        let asked = url.flatMap { Self.endpoint(of: $0) } ?? endpoint
        if location.hasPrefix("/"), !location.hasPrefix("//") { return "\(asked)\(location)" }
        guard let target = Self.endpoint(of: location) else {
            throw SlugStoreError(
                code: .invalidAnswer,
                message: "\(what): the registry refers to \"\(printable(location.utf8.prefix(200)))\", which is no URL."
            )
        }
        if target.host == endpoint.host, target.port == endpoint.port || target.authority == endpoint.authority {
            let path = location.drop { $0 != ":" }.dropFirst(3).drop { $0 != "/" }
            return "\(endpoint)\(path)"
        }
        guard target.isSecure || (target.isLoopback && endpoint.isInClearText && !asked.isSecure)
        else {
            throw SlugStoreError(
                code: .invalidAnswer, message: "\(what): the registry refers to \(target), which is in clear text.")
        }
        return location
    }

    /// What an answer that is none of the good ones means.
    func failure(_ what: String, _ answer: RemoteAnswer) -> SlugStoreError {
        func error(_ code: SlugStoreError.Code, _ advice: String) -> SlugStoreError {
            SlugStoreError(
                code: code, message: "\(what): the registry answered \(answer.status)\(answer.excerpt). \(advice)")
        }
        switch answer.status {
        case 401, 403:
            return error(
                .unauthorised,
                "Check the user \(self.configuration.credentials.map(String.init(describing:)) ?? "(none)") and what it may do "
                    + "in \(self.configuration.repository).")
        case 404: return error(.notFound, "It is not there.")
        case 405: return error(.remoteRefused, "The registry does not allow it; deletion often has to be enabled.")
        case 300..<400: return error(.remoteRefused, "It is elsewhere.")
        case 400...: return error(.remoteRefused, "Another attempt would fail, too.")
        default: return error(.invalidAnswer, "That is not what the protocol says.")
        }
    }
}

extension RemoteEndpoint {
    /// Whether it is one that may be spoken to in clear text, and is.
    fileprivate var isInClearText: Bool { self.isLoopback && !self.isSecure }
}
