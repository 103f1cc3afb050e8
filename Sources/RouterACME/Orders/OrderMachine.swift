/// One order, from its making to its certificate: takes the authority's answers, says what to do next, does nothing.
///
/// ```
/// create ─▶ per authorization: read ─▶ present ─▶ respond ─▶ read until valid ─▶ finalize ─▶ read until valid ─▶ download
/// ```
///
/// Whatever the authority answers, it ends: with the chain, or with an error.
struct OrderMachine {
    struct Settings {
        var hosts: [String]
        /// The ways of proving that are left, the best first.
        var challenges: [ACMEChallengeKind]
        /// The request for the certificate, in DER.
        var signingRequest: [UInt8]
        var profile: String?
        var replaces: String?
        /// How long the authority may take, in all.
        var patience: Duration = .seconds(300)
    }

    enum Action: Equatable {
        /// Sends a signed request; without a payload it only reads.
        case post(url: String, payload: [UInt8]?)
        /// Makes the answer to a challenge ready.
        case present(Presentation)
        case wait(Duration)
        /// The certificate and its chain, as PEM.
        case finish(chain: [UInt8])
    }

    /// A challenge that is being answered.
    struct Presentation: Equatable {
        var kind: ACMEChallengeKind
        var host: String
        var token: String
    }

    /// What is expected next.
    private enum State {
        case start
        case creating
        case readingAuthorization
        case presenting(Presentation, url: String)
        case responding(ACMEChallengeKind)
        case waiting(For)
        case finalizing
        case readingOrder
        case downloading
        case ended
    }

    /// What is read again after a wait.
    private enum For { case authorization(ACMEChallengeKind), order }

    private let settings: Settings
    private let newOrderURL: String
    private var replaces: String?
    private var state = State.start
    private var authorizations: [String] = []
    private var orderURL = ""
    private var finalizeURL = ""
    /// The kind that is being waited for, to be blamed if the authorization turns bad.
    private var kind: ACMEChallengeKind?
    private var waited: Duration = .zero
    private var waits = 0
    private var replies = 0

    init(newOrderURL: String, settings: Settings) {
        self.newOrderURL = newOrderURL
        self.settings = settings
        self.replaces = settings.replaces
    }

    // MARK: Events

    /// Begins.
    mutating func start() throws -> Action { try self.create() }

    /// The authority has answered the last request.
    mutating func received(_ reply: Reply) throws -> Action {
        self.replies += 1
        guard self.replies <= Self.maxReplies else {
            throw ACMEError(.unexpectedAnswer, "The authority's answers for '\(self.hosts)' lead nowhere.")
        }
        switch self.state {
        case .creating: return try self.created(reply)
        case .readingAuthorization: return try self.authorization(reply)
        case .responding(let kind):
            try reply.check("to check the proof for '\(self.hosts)'")
            return try self.wait(.authorization(kind), reply)
        case .finalizing:
            // Another answer to the same request may have got there first.
            if reply.problem?.name == "orderNotReady" { return try self.wait(.order, reply) }
            try reply.check("to issue the certificate for '\(self.hosts)'")
            return try self.order(try reply.decode(Order.self), reply)
        case .readingOrder:
            try reply.check("to show the order for '\(self.hosts)'")
            return try self.order(try reply.decode(Order.self), reply)
        case .downloading:
            try reply.check("to hand out the certificate for '\(self.hosts)'")
            self.state = .ended
            return .finish(chain: reply.body)
        case .start, .presenting, .waiting, .ended:
            throw ACMEError(.unexpectedAnswer, "An answer came that nobody waits for.")
        }
    }

    /// The answer to the challenge is ready.
    mutating func presented() throws -> Action {
        guard case .presenting(let presentation, let url) = self.state else { throw Self.outOfTurn }
        self.state = .responding(presentation.kind)
        return .post(url: url, payload: Array("{}".utf8))
    }

    /// The time has passed.
    mutating func waitedEnough() throws -> Action {
        guard case .waiting(let what) = self.state else { throw Self.outOfTurn }
        switch what {
        case .authorization(let kind):
            self.kind = kind
            return self.readAuthorization()
        case .order: return self.readOrder()
        }
    }

    // MARK: Steps

    /// More than the longest order within its patience needs.
    private static let maxReplies = 1_000

    private var hosts: String { self.settings.hosts.joined(separator: ", ") }

    private static var outOfTurn: ACMEError { ACMEError(.unexpectedAnswer, "The order is not at that step.") }

    private mutating func create() throws -> Action {
        self.state = .creating
        let order = NewOrder(
            identifiers: self.settings.hosts.map { Identifier(value: $0) }, profile: self.settings.profile,
            replaces: self.replaces)
        return .post(url: self.newOrderURL, payload: try JSON.encode(order))
    }

    private mutating func created(_ reply: Reply) throws -> Action {
        if reply.status >= 400, self.replaces != nil, reply.problem?.name != "rateLimited" {
            // That it replaces another one is only a hint; the certificate may have been replaced already, or be
            // somebody else's.
            self.replaces = nil
            return try self.create()
        }
        try reply.check("an order for '\(self.hosts)'")
        let order = try reply.decode(Order.self)
        guard let url = reply.location, let finalize = order.finalize else {
            throw ACMEError(.unexpectedAnswer, "The authority's answer to a new order lacks its URLs.")
        }
        (self.orderURL, self.finalizeURL) = (url, finalize)
        self.authorizations = (order.authorizations ?? []).reversed()
        return try self.order(order, reply)
    }

    private mutating func order(_ order: Order, _ reply: Reply) throws -> Action {
        switch order.status {
        case "pending":
            return self.authorizations.isEmpty ? try self.wait(.order, reply) : self.readAuthorization()
        case "ready":
            self.state = .finalizing
            let request = ["csr": Base64URL.encode(self.settings.signingRequest)]
            return .post(url: self.finalizeURL, payload: try JSON.encode(request))
        case "processing": return try self.wait(.order, reply)
        case "valid":
            guard let url = order.certificate else {
                throw ACMEError(.unexpectedAnswer, "The authority's finished order has no certificate.")
            }
            self.state = .downloading
            return .post(url: url, payload: nil)
        default:
            throw ACMEError(
                .refused, "The authority has ended the order for '\(self.hosts)' as '\(order.status.prefix(50))'.",
                problem: order.error)
        }
    }

    private mutating func readOrder() -> Action {
        self.state = .readingOrder
        return .post(url: self.orderURL, payload: nil)
    }

    private mutating func readAuthorization() -> Action {
        guard let url = self.authorizations.last else { return self.readOrder() }
        self.state = .readingAuthorization
        return .post(url: url, payload: nil)
    }

    private mutating func authorization(_ reply: Reply) throws -> Action {
        try reply.check("to show what it wants for '\(self.hosts)'")
        let authorization = try reply.decode(Authorization.self)
        let host = authorization.identifier.value.lowercased()
        guard self.settings.hosts.contains(host) else {
            throw ACMEError(.unexpectedAnswer, "The authority asks for a proof for a host that was not ordered.")
        }
        switch authorization.status {
        case "valid":
            self.authorizations.removeLast()
            self.kind = nil
            self.waits = 0
            return self.readAuthorization()
        case "pending":
            if let kind = self.kind { return try self.wait(.authorization(kind), reply) }
            return try self.choose(authorization, host)
        default: throw self.failure(authorization, host)
        }
    }

    private mutating func choose(_ authorization: Authorization, _ host: String) throws -> Action {
        for kind in self.settings.challenges {
            guard let challenge = authorization.challenges.first(where: { $0.type == kind.description }),
                let token = challenge.token, Self.isToken(token)
            else { continue }
            let presentation = Presentation(kind: kind, host: host, token: token)
            self.state = .presenting(presentation, url: challenge.url)
            return .present(presentation)
        }
        let offered = authorization.challenges.map { String($0.type.prefix(30)) }.joined(separator: ", ")
        throw ACMEError(
            .challengeFailed,
            "The authority offers no way to prove '\(host)' that is left: it offers \(offered), and "
                + "\(self.settings.challenges.map(\.description).joined(separator: ", ")) can be tried.")
    }

    /// A token stands in a path and in a file's content; the protocol allows base64url alone.
    private static func isToken(_ token: String) -> Bool {
        (1...256).contains(token.utf8.count) && Base64URL.decode(token) != nil && !token.contains("=")
    }

    private func failure(_ authorization: Authorization, _ host: String) -> ACMEError {
        let failed = authorization.challenges.first { $0.error != nil }
        let kind = self.kind ?? failed.map { ACMEChallengeKind($0.type) }
        return ACMEError(
            .challengeFailed,
            "The authority did not get the proof that '\(host)' is ours"
                + (kind.map { " by \($0)" } ?? "")
                + ". Does the name point to this machine, and can port \(kind == .tlsALPN01 ? 443 : 80) be reached from "
                + "the Internet?",
            problem: failed?.error, challenge: kind)
    }

    private mutating func wait(_ what: For, _ reply: Reply) throws -> Action {
        // 0.5 s, 1 s, 2 s, 4 s, 8 s, then every 8 s; or as long as the authority says, but for a minute at most.
        let own = Duration.milliseconds(500) * (1 << min(self.waits, 4))
        let time = min(max(reply.retryAfter ?? own, .milliseconds(500)), .seconds(60))
        self.waits += 1
        self.waited += time
        guard self.waited <= self.settings.patience else {
            throw ACMEError(
                .timedOut,
                "The authority did not finish the order for '\(self.hosts)' within \(self.settings.patience).",
                challenge: self.kind)
        }
        self.state = .waiting(what)
        return .wait(time)
    }
}
