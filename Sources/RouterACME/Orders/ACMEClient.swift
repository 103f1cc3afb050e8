import Synchronization

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Speaks the protocol with one authority for one account: signs, has nonces at hand, repeats what may be repeated.
final class ACMEClient: Sendable {
    private struct State {
        var directory: (value: Directory, read: Date)?
        var account: String?
        var nonces: [String] = []
    }

    let directoryURL: String
    let key: AccountKey
    private let transport: any ACMETransport
    private let now: @Sendable () -> Date
    private let state = Mutex(State())

    init(
        directoryURL: String, key: AccountKey, account: String?, transport: any ACMETransport,
        now: @escaping @Sendable () -> Date
    ) {
        self.directoryURL = directoryURL
        self.key = key
        self.transport = transport
        self.now = now
        self.state.withLock { $0.account = account }
    }

    // MARK: Resources

    /// Where the authority has what. Read again once an hour.
    func directory() async throws -> Directory {
        let now = self.now()
        let known = self.state.withLock { state -> Directory? in
            guard let (value, read) = state.directory, abs(now.timeIntervalSince(read)) < 3600 else { return nil }
            return value
        }
        if let known { return known }
        let reply = try await self.get(self.directoryURL)
        try reply.check("its directory at \(self.directoryURL)")
        let directory = try reply.decode(Directory.self)
        for url in [directory.newNonce, directory.newAccount, directory.newOrder] { try Self.check(url) }
        self.state.withLock { $0.directory = (directory, now) }
        return directory
    }

    var account: String? { self.state.withLock { $0.account } }

    /// Makes the account, or finds it when this key has one already; returns its URL.
    func register(
        contact: [String], termsAgreed: Bool, binding: ACMEExternalAccount?
    ) async throws -> (url: String, isNew: Bool) {
        let directory = try await self.directory()
        if let terms = directory.meta?.termsOfService, !termsAgreed {
            throw ACMEError(
                .invalidConfiguration,
                "The authority at \(self.directoryURL) has terms of service that somebody has to agree to: \(terms)")
        }
        if directory.meta?.externalAccountRequired == true, binding == nil {
            throw ACMEError(
                .invalidConfiguration,
                "The authority at \(self.directoryURL) takes customers only. Give the external account that it gave you."
            )
        }
        let request = NewAccount(
            termsOfServiceAgreed: termsAgreed ? true : nil, contact: contact.isEmpty ? nil : contact,
            externalAccountBinding: try binding.map {
                try SignedRequest.binding($0, key: self.key, url: directory.newAccount)
            })
        self.state.withLock { $0.account = nil }
        let reply = try await self.post(directory.newAccount, try JSON.encode(request))
        try reply.check("an account")
        guard let url = reply.location else {
            throw ACMEError(.unexpectedAnswer, "The authority's answer to a new account lacks its URL.")
        }
        self.state.withLock { $0.account = url }
        return (url, reply.status == 201)
    }

    /// Sets whom the authority may write to.
    func update(contact: [String]) async throws {
        guard let account = self.account else { return }
        let reply = try await self.post(account, try JSON.encode(NewAccount(contact: contact)))
        try reply.check("the new contact")
    }

    /// When the authority wants a certificate renewed, and when to ask again; nil when it does not tell.
    func renewalWindow(id: String) async throws -> (start: Date, end: Date, askAgain: Duration?)? {
        guard let base = try await self.directory().renewalInfo else { return nil }
        let reply = try await self.get(base + (base.hasSuffix("/") ? "" : "/") + id)
        try reply.check("to tell when to renew")
        let window = try reply.decode(RenewalInfo.self).suggestedWindow
        guard let start = WireTime.timestamp(window.start), let end = WireTime.timestamp(window.end), start <= end
        else {
            throw ACMEError(.unexpectedAnswer, "The authority's time for renewing makes no sense.")
        }
        return (start, end, reply.retryAfter)
    }

    // MARK: Requests

    /// Sends a signed request; without a payload it only reads.
    ///
    /// A nonce that the authority no longer takes is replaced, and a request that got no answer is repeated once: the
    /// protocol's requests do no harm when they are sent twice.
    func post(_ url: String, _ payload: [UInt8]?) async throws -> Reply {
        var hasFailed = false
        var refusals = 0
        while true {
            let body = try SignedRequest.body(
                url: url, payload: payload, key: self.key, account: self.account, nonce: try await self.nonce())
            let reply: Reply
            do {
                reply = try await self.send(ACMERequest(.post, url, body: body))
            } catch let error as ACMEError where error.code == .unreachable && !hasFailed {
                hasFailed = true
                continue
            }
            guard reply.problem?.name == "badNonce", refusals < 8 else { return reply }
            refusals += 1
        }
    }

    private func get(_ url: String) async throws -> Reply { try await self.send(ACMERequest(.get, url)) }

    private func nonce() async throws -> String {
        if let nonce = self.state.withLock({ $0.nonces.popLast() }) { return nonce }
        // Concurrent requests take each other's nonces; asking again always ends.
        for _ in 0..<16 {
            _ = try await self.send(ACMERequest(.head, try await self.directory().newNonce))
            if let nonce = self.state.withLock({ $0.nonces.popLast() }) { return nonce }
        }
        throw ACMEError(.unexpectedAnswer, "The authority gives no nonces.")
    }

    private func send(_ request: ACMERequest) async throws -> Reply {
        try Self.check(request.url)
        let response: ACMEResponse
        do {
            response = try await self.transport.send(request)
        } catch {
            // What was cancelled has not failed.
            try Task.checkCancellation()
            if let error = error as? ACMEError { throw error }
            throw ACMEError(.unreachable, "The authority's \(request.url) cannot be reached.", cause: error)
        }
        if let nonce = response.header("replay-nonce"), (1...512).contains(nonce.utf8.count),
            Base64URL.decode(nonce) != nil
        {
            self.state.withLock { state in
                // The oldest go: an authority forgets them in their order.
                state.nonces.append(nonce)
                if state.nonces.count > 32 { state.nonces.removeFirst() }
            }
        }
        return Reply(
            status: response.status, location: response.header("location"),
            retryAfter: response.header("retry-after").flatMap { WireTime.retryAfter($0, now: self.now()) },
            body: response.body)
    }

    /// The authority tells us where to send things; never in the clear.
    private static func check(_ url: String) throws {
        guard url.utf8.count <= 4_096, url.lowercased().hasPrefix("https://"),
            url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else {
            throw ACMEError(.unexpectedAnswer, "'\(url.prefix(200))' is not an https URL.")
        }
    }
}
