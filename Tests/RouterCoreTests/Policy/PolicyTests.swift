import Testing

@testable import RouterCore

@Suite struct `A policy` {
    private func prepared(_ change: (inout RoutePolicy) throws -> Void) throws -> PreparedPolicy {
        var policy = RoutePolicy()
        try change(&policy)
        try policy.check(application: "app")
        return PreparedPolicy(policy, application: "app", key: SecretKey(1, 2), loops: 1)
    }

    private func verdict(
        _ policy: PreparedPolicy, _ request: TestRequest, now: UInt64 = 0, _ state: inout PolicyState
    ) -> String {
        self.describe(policy.evaluate(request, now: now, &state))
    }

    private func describe(_ verdict: PolicyVerdict) -> String {
        switch verdict {
        case .pass: "pass"
        case .refuse(let refusal): "\(refusal.reason)" + (refusal.retryAfter.map { " \($0)" } ?? "")
        case .redirect(let status, _): "\(status)"
        case .verify: "verify"
        }
    }

    @Test func `lets everything pass unless it says otherwise`() throws {
        var state = PolicyState()
        #expect(self.verdict(try self.prepared { _ in }, TestRequest(), &state) == "pass")
    }

    @Test(arguments: [
        ("10.1.0.1", "pass"), ("10.2.0.1", "forbidden"), ("192.0.2.1", "forbidden"), ("::1", "forbidden"),
        ("nonsense", "forbidden"),
    ])
    func `turns addresses away`(client: String, expected: String) throws {
        let policy = try self.prepared {
            $0.addresses = AddressRules(
                allowed: [try AddressRange("10.0.0.0/8")], denied: [try AddressRange("10.2.0.0/16")])
        }
        var state = PolicyState()
        #expect(self.verdict(policy, TestRequest(client: client), &state) == expected)
    }

    @Test func `counts requests for each client, and says when to come again`() throws {
        let policy = try self.prepared {
            $0.rateLimits = RateLimits(perClient: try RequestRate(1, per: .seconds(10), burst: 2))
        }
        var state = PolicyState()
        let one = TestRequest(client: "2001:db8::1")
        let neighbour = TestRequest(client: "2001:db8::ffff:1")
        #expect(self.verdict(policy, one, &state) == "pass")
        #expect(self.verdict(policy, neighbour, &state) == "pass")
        #expect(self.verdict(policy, one, &state) == "rateLimited 10")
        #expect(self.verdict(policy, TestRequest(client: "2001:db8:0:1::1"), &state) == "pass")
        #expect(self.verdict(policy, one, now: 8_999_999_999, &state) == "rateLimited 2")
        #expect(self.verdict(policy, one, now: 10_000_000_000, &state) == "pass")
    }

    @Test func `takes nothing from the application's rate for a client that is over its own`() throws {
        let policy = try self.prepared {
            $0.rateLimits = RateLimits(
                perClient: try RequestRate(1, per: .seconds(1)), perApplication: try RequestRate(2, per: .seconds(60)))
        }
        var state = PolicyState()
        let greedy = TestRequest(client: "192.0.2.1")
        #expect(self.verdict(policy, greedy, &state) == "pass")
        for _ in 0..<5 { #expect(self.verdict(policy, greedy, &state) == "rateLimited 1") }
        #expect(self.verdict(policy, TestRequest(client: "192.0.2.2"), &state) == "pass")
        // And nothing from a client's for what the application refuses.
        let third = TestRequest(client: "192.0.2.3")
        #expect(self.verdict(policy, third, &state) == "rateLimited 30")
        #expect(self.verdict(policy, third, now: 30_000_000_000, &state) == "pass")
    }

    @Test func `answers in the documented order`() throws {
        let policy = try self.prepared {
            $0.addresses = AddressRules(denied: [try AddressRange("192.0.2.9")])
            $0.rateLimits = RateLimits(perClient: try RequestRate(2, per: .seconds(10)))
            $0.https = HTTPSEnforcement()
            $0.authentication = try BasicAuthentication(realm: "r", users: [])
        }
        var state = PolicyState()
        #expect(self.verdict(policy, TestRequest(client: "192.0.2.9"), &state) == "forbidden")
        #expect(self.verdict(policy, TestRequest(), &state) == "308")
        #expect(self.verdict(policy, TestRequest(isSecure: true), &state) == "unauthorized")
        #expect(self.verdict(policy, TestRequest(), &state) == "rateLimited 5")
    }

    // MARK: Authentication

    /// A verifier whose hashes are the passwords themselves, which are not for use.
    private let verifier: PasswordVerifier = { String(decoding: $0, as: UTF8.self) == $1 }

    private func guarded(_ users: [(String, String)] = [("ann", "secret"), ("bob", "p:w")]) throws -> PreparedPolicy {
        try self.prepared { policy in
            policy.authentication = try BasicAuthentication(
                realm: "the shop", users: users.map { try .init($0, passwordHash: $1) })
        }
    }

    private func request(_ value: String?) -> TestRequest {
        TestRequest(fields: value.map { [("Authorization", $0)] } ?? [])
    }

    @Test(arguments: [
        ("Basic YW5uOnNlY3JldA==", true), ("basic YW5uOnNlY3JldA", true), ("BASIC   Ym9iOnA6dw==", true),
        ("Basic YW5uOndyb25n", false), ("Basic Y2FybDpzZWNyZXQ=", false),
    ])
    func `has credentials verified once, and remembers`(value: String, isRight: Bool) throws {
        let policy = try self.guarded()
        var state = PolicyState()
        guard case .verify(let check) = policy.evaluate(self.request(value), now: 0, &state) else {
            Issue.record("not verified")
            return
        }
        #expect(state.verifying == 1)
        #expect(check.run(self.verifier) == isRight)
        let expected = isRight ? "pass" : "unauthorized"
        #expect(self.describe(policy.conclude(check, isRight: isRight, &state)) == expected)
        #expect(state.verifying == 0)
        #expect(self.verdict(policy, self.request(value), &state) == expected)
        // With another password, what is remembered is of no use.
        let changed = try self.guarded([("ann", "new"), ("bob", "new")])
        #expect(self.verdict(changed, self.request(value), &state) == "verify")
    }

    @Test(arguments: [
        nil, "", "Basic", "Basic ", "Bearer YW5uOnNlY3JldA==", "Basic YW5u", "Basic YW5uOnNlY3JldA=x", "Basic Y",
        "Basic YW5uOnNlY3JldA===", "Basic " + String(repeating: "A", count: 2000),
    ])
    func `refuses what are no credentials unheard`(value: String?) throws {
        let policy = try self.guarded()
        var state = PolicyState()
        guard case .refuse(let refusal) = policy.evaluate(self.request(value), now: 0, &state) else {
            Issue.record("not refused")
            return
        }
        #expect(refusal.reason == .unauthorized)
        let challenge = String(decoding: refusal.extraFields, as: UTF8.self)
        #expect(challenge == "WWW-Authenticate: Basic realm=\"the shop\", charset=\"UTF-8\"\r\n")
    }

    @Test func `verifies few at a time`() throws {
        let policy = try self.guarded()
        var state = PolicyState()
        var checks: [CredentialCheck] = []
        func ask(_ client: String) {
            let request = TestRequest(client: client, fields: [("Authorization", "Basic YTph")])
            if case .verify(let check) = policy.evaluate(request, now: 0, &state) { checks.append(check) }
        }
        // Whoever makes up passwords leaves room for others, also with many addresses of its own.
        for number in 1...9 { ask("2001:db8:7:\(number)::1") }
        #expect(checks.count == 4)
        for _ in 1...3 { ask("192.0.2.2") }
        for _ in 1...3 { ask("192.0.2.3") }
        #expect(checks.count == 8)
        #expect(self.verdict(policy, self.request("Basic YTpl"), &state) == "rateLimited 1")
        _ = policy.conclude(checks[0], isRight: false, &state)
        #expect(self.verdict(policy, self.request("Basic YTpl"), &state) == "verify")
        for check in checks.dropFirst() { _ = policy.conclude(check, isRight: false, &state) }
        #expect(state.verifying == 1)
    }

    @Test func `remembers what was right whatever is made up`() {
        var random = LoopRandom(seed: 2)
        var cache = CredentialCache(limit: 16)
        let right = (0..<8).map { _ in random.next() | 1 }
        for hash in right { cache.remember(hash, isRight: true) }
        let known = right.filter { cache.answer($0) == true }
        #expect(known.count > 3)
        for _ in 0..<1000 { cache.remember(random.next() | 1, isRight: false) }
        for hash in known { #expect(cache.answer(hash) == true) }
    }

    @Test func `remembers both answers, and forgets rather than mixes up`() {
        var random = LoopRandom(seed: 1)
        var cache = CredentialCache(limit: 16)
        var model: [UInt64: Bool] = [:]
        for _ in 0..<500 {
            let hash = random.next() | 1
            model[hash] = random.below(2) == 0
            cache.remember(hash, isRight: model[hash] == true)
            // Where all that is remembered was right, what was wrong is not.
            #expect(cache.answer(hash) == model[hash] || cache.answer(hash) == nil && model[hash] == false)
        }
        for (hash, isRight) in model {
            if let answer = cache.answer(hash) { #expect(answer == isRight) }
        }
    }

    @Test(arguments: ["", "a\"b", "a\\b", "a\r\nb", "ä"])
    func `is refused with a realm that could break its line`(realm: String) {
        #expect(throws: RouterError.self) { try BasicAuthentication(realm: realm, users: []) }
    }

    @Test func `is refused with users that browsers cannot be`() throws {
        for name in ["", "a:b", "a\n"] {
            #expect(throws: RouterError.self) { try BasicAuthentication.User(name, passwordHash: "x") }
        }
        #expect(throws: RouterError.self) { try BasicAuthentication.User("a", passwordHash: "") }
        let ann = try BasicAuthentication.User("ann", passwordHash: "x")
        #expect(throws: RouterError.self) { try BasicAuthentication(realm: "r", users: [ann, ann]) }
    }

    // MARK: Routes

    @Test func `goes with its route`() throws {
        var route = ApplicationRoute(application: "app", hosts: ["a"], backends: [])
        let plain = ApplicationPool(route: route, members: [], application: ApplicationState(name: "app"))
        #expect(plain.policy == nil)
        route.policy = RoutePolicy()
        route.policy?.https = HTTPSEnforcement()
        let table = try RouteTable([route])
        #expect(table.route(host: "a")?.policy?.https == HTTPSEnforcement())
        let pool = ApplicationPool(route: route, members: [], application: ApplicationState(name: "app"))
        #expect(pool.policy != nil)
        route.policy?.responseFields = try (0..<65).map { try .add("x-\($0)", "y") }
        #expect(throws: RouterError.self) { try RouteTable([route]) }
    }

    @Test(
        arguments: [
            { $0.selection = .sticky(cookie: "") }, { $0.selection = .sticky(cookie: "a;b") },
            { $0.selection = .sticky(cookie: "a", maxAge: .zero) }, { $0.slowStart = .seconds(-1) },
            { $0.releases = [ReleaseShare("a", weight: 0)] }, { $0.releases = [ReleaseShare("a", weight: -1)] },
            { $0.releases = [ReleaseShare("a", weight: 1), ReleaseShare("a", weight: 1)] },
            { $0.releaseKey = .header("a b") }, { $0.hold = HoldPolicy(maxRequests: 0) },
        ] as [@Sendable (inout ApplicationRoute) -> Void])
    func `of choosing is refused when it makes no sense`(change: @Sendable (inout ApplicationRoute) -> Void) {
        var route = ApplicationRoute(application: "app", hosts: ["a"], backends: [])
        change(&route)
        #expect(throws: RouterError.self) { try RouteTable([route]) }
    }
}

extension HoldPolicy {
    fileprivate init(maxRequests: Int) {
        self.init()
        self.maxRequests = maxRequests
    }
}
