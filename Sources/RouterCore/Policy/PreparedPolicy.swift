/// A route's policy, made ready once so that requests only compare: immutable, and shared by all event loops.
final class PreparedPolicy: Sendable {
    /// What is changed about the fields of responses; nil for nothing.
    let responseRules: ResponseRules?
    let authentication: PreparedAuthentication?

    private let policy: RoutePolicy
    private let allowed: AddressSet?
    private let denied: AddressSet?
    private let clientRate: Limit?
    private let applicationRate: Limit?

    private struct Limit: Sendable {
        var rate: TokenRate
        /// Has taken in the application and the rate, so that a changed limit starts with full buckets.
        var hash: SipHash
    }

    /// - Parameters:
    ///   - key: the router's secret.
    ///   - loops: how many event loops share the application's requests.
    init(_ policy: RoutePolicy, application: String, key: SecretKey, loops: Int) {
        self.policy = policy
        self.responseRules = ResponseRules(policy.responseFields, transportSecurity: policy.strictTransportSecurity)
        self.authentication = policy.authentication.map {
            PreparedAuthentication($0, application: application, key: key)
        }
        self.allowed = policy.addresses.flatMap { $0.allowed.isEmpty ? nil : AddressSet($0.allowed) }
        self.denied = policy.addresses.flatMap { $0.denied.isEmpty ? nil : AddressSet($0.denied) }
        func limit(_ rate: TokenRate, _ scope: String) -> Limit {
            var hash = SipHash(key, "rate")
            hash.add(field: scope)
            hash.add(field: application)
            for word in [rate.cost, rate.refill, rate.capacity] { hash.add(word) }
            return Limit(rate: rate, hash: hash)
        }
        self.clientRate = policy.rateLimits?.perClient.map { limit(TokenRate($0), "client") }
        self.applicationRate = policy.rateLimits?.perApplication.map {
            limit(TokenRate($0, dividedAmong: loops), "application")
        }
    }

    /// What is to be done about a request, and counts it. To be asked once for each.
    ///
    /// - Parameter now: nanoseconds of uptime.
    func evaluate(_ request: some RequestView, now: UInt64, _ state: inout PolicyState) -> PolicyVerdict {
        let client = request.client
        if self.denied?.contains(client) == true || self.allowed?.contains(client) == false {
            return .refuse(PolicyRefusal(reason: .forbidden))
        }
        if let wait = self.count(client, now: now, &state.buckets) {
            return .refuse(PolicyRefusal(reason: .rateLimited, retryAfter: Self.seconds(wait)))
        }
        if let redirect = self.redirect(request) { return redirect }
        guard let authentication = self.authentication else { return .pass }
        switch authentication.verdict(request.firstValue("authorization"), state.credentials) {
        case .accepted: return .pass
        case .refused: return self.unauthorized(authentication)
        case .mustVerify(var check):
            check.client = client.site
            guard state.beginVerifying(for: check.client) else {
                return .refuse(PolicyRefusal(reason: .rateLimited, retryAfter: 1))
            }
            return .verify(check)
        }
    }

    /// What is to be done after a check. To be called for every check that was handed out, also when the client has
    /// gone meanwhile, on the same event loop.
    func conclude(_ check: CredentialCheck, isRight: Bool, _ state: inout PolicyState) -> PolicyVerdict {
        state.endVerifying(for: check.client)
        state.credentials.remember(check.hash, isRight: isRight)
        guard !isRight, let authentication = self.authentication else { return .pass }
        return self.unauthorized(authentication)
    }

    /// The page for one of the router's own answers; nil for the usual one.
    func errorPage(for code: RouterErrorCode) -> String? {
        self.policy.errorPages.isEmpty ? nil : ErrorPageRule.page(for: code, in: self.policy.errorPages)
    }

    private func unauthorized(_ authentication: PreparedAuthentication) -> PolicyVerdict {
        .refuse(PolicyRefusal(reason: .unauthorized, extraFields: authentication.challenge))
    }

    // MARK: Rates

    /// Counts a request; or, changing nothing, says for how long it comes too early.
    private func count(_ client: ClientAddress, now: UInt64, _ buckets: inout BucketTable) -> UInt64? {
        var taken: (client: (UInt64, TokenBucket)?, application: (UInt64, TokenBucket)?) = (nil, nil)
        if let limit = self.clientRate {
            var hash = limit.hash
            hash.add(client.network)
            let key = max(1, hash.finish())
            var bucket = buckets.bucket(key, limit.rate, now: now)
            guard bucket.hasRoom(limit.rate) else { return bucket.wait(limit.rate) }
            bucket.take(limit.rate)
            taken.client = (key, bucket)
        }
        if let limit = self.applicationRate {
            let key = max(1, limit.hash.finish())
            var bucket = buckets.bucket(key, limit.rate, now: now)
            guard bucket.hasRoom(limit.rate) else { return bucket.wait(limit.rate) }
            bucket.take(limit.rate)
            taken.application = (key, bucket)
        }
        if let (key, bucket) = taken.client, let limit = self.clientRate { buckets.store(key, bucket, limit.rate) }
        if let (key, bucket) = taken.application, let limit = self.applicationRate {
            buckets.store(key, bucket, limit.rate)
        }
        return nil
    }

    /// Whole seconds, rounded up so that whoever comes then is not too early again.
    private static func seconds(_ nanoseconds: UInt64) -> Int {
        max(1, Int(clamping: (nanoseconds &+ 999_999_999) / 1_000_000_000))
    }

    // MARK: Redirects

    private func redirect(_ request: some RequestView) -> PolicyVerdict? {
        // `OPTIONS *` asks about no path, and has no address to be sent to.
        guard request.target.first != 0x2A else { return nil }
        if let https = self.policy.https, !request.isSecure {
            var location = Array("https://".utf8)
            RedirectTarget.escape(request.host, into: &location)
            if https.port != 443 { location += ":\(https.port)".utf8 }
            return self.redirect(request, to: location, keepsMethod: https.keepsMethod)
        }
        if let canonical = self.policy.canonicalHost, !Self.isSame(request.host, canonical.name) {
            var location = Array((request.isSecure ? "https://" : "http://").utf8)
            location += canonical.name.utf8
            location += Self.port(of: request)
            return self.redirect(request, to: location, keepsMethod: canonical.keepsMethod)
        }
        return self.redirectByRule(request)
    }

    private func redirect(
        _ request: some RequestView, to origin: [UInt8], keepsMethod: Bool
    ) -> PolicyVerdict {
        var location = origin
        let target = request.target
        if target.first != 0x2F { location.append(0x2F) }
        RedirectTarget.escape(target, into: &location)
        return .redirect(status: keepsMethod ? 308 : 301, location: location)
    }

    private func redirectByRule(_ request: some RequestView) -> PolicyVerdict? {
        guard !self.policy.redirects.isEmpty else { return nil }
        let path = request.path
        for rule in self.policy.redirects {
            guard let remainder = rule.remainder(of: path) else { continue }
            var origin: [UInt8] = []
            if !rule.parts.isAbsolute {
                origin = Array((request.isSecure ? "https://" : "http://").utf8)
                RedirectTarget.escape(request.host, into: &origin)
                origin += Self.port(of: request)
            }
            var location: [UInt8] = []
            rule.parts.write(request, origin: origin, path: remainder, into: &location)
            return .redirect(status: rule.status.rawValue, location: location)
        }
        return nil
    }

    private static func isSame(_ host: UnsafeRawBufferPointer, _ name: String) -> Bool {
        host.count == name.utf8.count && zip(host, name.utf8).allSatisfy { ByteClass.lowercased($0) == $1 }
    }

    /// The colon and port that the client asked, if it named one.
    private static func port(of request: some RequestView) -> [UInt8] {
        let authority = request.authority
        var start = authority.count
        while start > 0, ByteClass.isDigit(authority[start - 1]) { start -= 1 }
        guard start > 0, start < authority.count, authority[start - 1] == ByteClass.colon,
            authority.count - start <= 5, start - 1 >= request.host.count
        else { return [] }
        return Array(authority[(start - 1)...])
    }
}
