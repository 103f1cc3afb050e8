import Testing

@testable import RouterCore

@Suite struct `A redirect` {
    private func location(_ rule: RedirectRule, _ request: TestRequest) -> String? {
        var policy = RoutePolicy()
        policy.redirects = [rule]
        return self.location(policy, request).map { $0.split(separator: " ", maxSplits: 1).last.map(String.init) }
            ?? nil
    }

    private func location(_ policy: RoutePolicy, _ request: TestRequest) -> String? {
        let prepared = PreparedPolicy(policy, application: "app", key: SecretKey(1, 2), loops: 1)
        var state = PolicyState()
        guard case .redirect(let status, let location) = prepared.evaluate(request, now: 0, &state) else { return nil }
        return "\(status) \(String(decoding: location, as: UTF8.self))"
    }

    @Test(
        arguments: [
            (RedirectRule.Source.exact("/old"), "/new", "/old?q", "http://example.com:8080/new"),
            (.exact("/old"), "/new{query}", "/old?q=1&r", "http://example.com:8080/new?q=1&r"),
            (.exact("/old"), "/new{query}", "/old", "http://example.com:8080/new"),
            (.exact("/old"), "https://{host}{path}{query}", "/old?q", "https://example.com/old?q"),
            (.exact("/old"), "/new", "/old/", nil), (.exact("/old"), "/new", "/oldx", nil),
            (.prefix("/old"), "/new{path}{query}", "/old/a/b?q", "http://example.com:8080/new/a/b?q"),
            (.prefix("/old/"), "/new{path}", "/old", "http://example.com:8080/new"),
            (.prefix("/old"), "{path}", "/old/x", "http://example.com:8080/x"),
            (.prefix("/old"), "/new{path}", "/older", nil),
            (.prefix("/"), "https://b.example{path}", "/x", "https://b.example/x"),
            (.prefix("/"), "https://www.{host}:8443{path}", "/x", "https://www.example.com:8443/x"),
            (.prefix("/a"), "https://b.example{path}{query}", "/a?q", "https://b.example?q"),
            (.prefix("/a"), "https://b.example/?from={host}{path}", "/a", "https://b.example/?from=example.com"),
            (.prefix("/"), "/x", "*", nil),
        ] as [(RedirectRule.Source, String, String, String?)])
    func `leads where its target says`(
        source: RedirectRule.Source, target: String, request: String, expected: String?
    ) throws {
        let rule = try RedirectRule(source, to: target, status: .found)
        #expect(self.location(rule, TestRequest(request, port: ":8080")) == expected)
    }

    /// Clients that want others to be sent elsewhere, or to write a field of their own.
    @Test(arguments: [
        "/old//evil.example", "/old/\\evil.example", "/old/\\\\evil.example", "/old/%0d%0aSet-Cookie:%20a=b",
        "/old/\r\nSet-Cookie: a=b", "/old?\r\nx: y", "/old/@evil.example", "/old/.evil.example", "/old/\u{7F}\u{80}",
        "/old/\t//evil.example", "/old/http://evil.example", "/old;//evil.example", "/old/\"><script>",
    ])
    func `leads to nobody else's host, and ends no line`(request: String) throws {
        for target in ["{path}{query}", "/new{path}{query}", "https://b.example{path}{query}", "https://{host}{path}"] {
            let rule = try RedirectRule(.prefix("/old"), to: target, status: .found)
            guard let location = self.location(rule, TestRequest(request)) else { continue }
            #expect(location.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x5C && $0 != 0x22 })
            let rest = location.dropFirst(location.hasPrefix("https://") ? 8 : 7)
            let host = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
            #expect(host == "example.com" || host == "b.example", "\(location)")
        }
    }

    @Test(arguments: [
        "", "new", "//evil.example", "https:/x", "https://", "https:///x", "https://a b/", "https://a/\r\n", "ftp://a/",
        "javascript:alert(1)", "https://{path}", "https://{query}/", "https://a.example{path}.evil.example/",
        "https://a{host}/", "https://{host}.evil.example/", "https://{host}evil/", "{path}.evil.example", "{path}x",
        "https://user@a.example/", "https://a.example:x/", "https://a.example:123456/", "/{other}", "/{path", "/path}",
        "/a\\b", "https://a.example\\evil/", "https://*.example.com/", "/ü", "{host}", "{query}",
    ])
    func `is refused with a target in which a client could choose the host`(target: String) {
        #expect(throws: RouterError.self) { try RedirectRule(.prefix("/"), to: target, status: .found) }
    }

    @Test(arguments: ["", "old", "/a b", "/a?b", "/a#b", "/ü", "/a\r\n"])
    func `is refused for what is not a path`(path: String) {
        #expect(throws: RouterError.self) { try RedirectRule(.exact(path), to: "/", status: .found) }
    }

    @Test(
        arguments: [
            ("/a?b", true, 443, "308 https://example.com/a?b"), ("", true, 443, "308 https://example.com/"),
            ("?b", false, 443, "301 https://example.com/?b"), ("/", true, 8443, "308 https://example.com:8443/"),
            ("//evil.example", true, 443, "308 https://example.com//evil.example"), ("*", true, 443, nil),
        ] as [(String, Bool, UInt16, String?)])
    func `takes clients to https`(target: String, keepsMethod: Bool, port: UInt16, expected: String?) {
        var policy = RoutePolicy()
        var https = HTTPSEnforcement()
        https.keepsMethod = keepsMethod
        https.port = port
        policy.https = https
        #expect(self.location(policy, TestRequest(target, port: ":8080")) == expected)
        #expect(self.location(policy, TestRequest(target, isSecure: true)) == nil)
    }

    @Test func `takes clients to the canonical host, and no further`() throws {
        var policy = RoutePolicy()
        policy.canonicalHost = try CanonicalHost("WWW.Example.com")
        #expect(self.location(policy, TestRequest("/a", port: ":81")) == "308 http://www.example.com:81/a")
        #expect(self.location(policy, TestRequest("/a", isSecure: true)) == "308 https://www.example.com/a")
        #expect(self.location(policy, TestRequest("/a", host: "www.EXAMPLE.com")) == nil)
        for name in ["", "*.example.com", "a b", "a:80", "a/b"] {
            #expect(throws: RouterError.self) { try CanonicalHost(name) }
        }
    }
}

@Suite struct `Rules for response fields` {
    private func text(_ lines: [UInt8]?) -> String { String(decoding: lines ?? [], as: UTF8.self) }

    private func removes(_ rules: ResponseRules?, _ name: String) -> Bool {
        Array(name.utf8).withUnsafeBytes { rules?.removes($0) ?? false }
    }

    @Test func `set, add and remove in their order`() throws {
        let rules = ResponseRules(
            [
                try .add("X-A", "1"), try .set("X-A", "2"), try .add("x-a", "3"), try .remove("Server"),
                try .set("X-B", "b"), try .remove("x-b"),
            ], transportSecurity: nil)
        #expect(self.text(rules?.lines(isSecure: false)) == "X-A: 2\r\nx-a: 3\r\n")
        for name in ["x-A", "SERVER", "X-B"] { #expect(self.removes(rules, name)) }
        for name in ["x-c", "", "serverx"] { #expect(!self.removes(rules, name)) }
        #expect(ResponseRules([], transportSecurity: nil) == nil)
    }

    @Test func `speak of transport security over TLS only`() throws {
        var security = StrictTransportSecurity()
        security.includesSubdomains = true
        let rules = ResponseRules([try .set("X-A", "1")], transportSecurity: security)
        #expect(self.text(rules?.lines(isSecure: false)) == "X-A: 1\r\n")
        #expect(
            self.text(rules?.lines(isSecure: true))
                == "X-A: 1\r\nStrict-Transport-Security: max-age=31536000; includeSubDomains\r\n")
        #expect(self.removes(rules, "strict-transport-security"))
    }

    @Test(arguments: [
        ("", "x"), ("a b", "x"), ("a:", "x"), ("a", ""), ("a", " x"), ("a", "x "), ("a", "x\r\nb: c"), ("a", "x\n"),
        ("a", "\0"), ("Content-Length", "3"), ("content_length", "3"), ("Transfer-Encoding", "chunked"),
        ("Connection", "close"), ("Trailer", "x"), ("X-Slipway-Error", "x"), ("Upgrade", "x"), ("x\r\n", "y"),
    ])
    func `are refused when they could end a line or a message`(name: String, value: String) {
        #expect(throws: RouterError.self) { try ResponseFieldRule.set(name, value) }
        #expect(throws: RouterError.self) { try ResponseFieldRule.add(name, value) }
    }

    @Test func `find the page that fits best`() throws {
        let rules = [
            try ErrorPageRule(.statusClass(5), html: "class"), try ErrorPageRule(.status(503), html: "status"),
            try ErrorPageRule(.code(.queueFull), html: "code"), try ErrorPageRule(.code(.queueFull), html: "second"),
        ]
        #expect(ErrorPageRule.page(for: .queueFull, in: rules) == "code")
        #expect(ErrorPageRule.page(for: .connectFailed, in: rules) == "status")
        #expect(ErrorPageRule.page(for: .upstreamBroke, in: rules) == "class")
        #expect(ErrorPageRule.page(for: .badRequest, in: rules) == nil)
        let large = String(repeating: "x", count: 65_537)
        #expect(throws: RouterError.self) { try ErrorPageRule(.status(503), html: large) }
        #expect(throws: RouterError.self) { try ErrorPageRule(.status(200), html: "") }
        #expect(throws: RouterError.self) { try ErrorPageRule(.statusClass(3), html: "") }
    }
}
