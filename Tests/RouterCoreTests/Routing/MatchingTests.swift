import Testing

@testable import RouterCore

@Suite struct `A match` {
    private func index(_ routes: [(String, [RouteMatch])]) throws -> RouteIndex<String> {
        var index = RouteIndex<String>()
        for (application, matches) in routes {
            try index.set(application: application, matches: matches, value: application)
        }
        return index
    }

    private func find(_ index: RouteIndex<String>, _ request: TestRequest) -> String {
        switch index.find(request) {
        case .found(let application, let stripped): stripped == 0 ? application : "\(application)-\(stripped)"
        case .none: "none"
        case .ambiguous: "refused"
        }
    }

    @Test(arguments: [
        ("/", "site"), ("/api", "api"), ("/api/", "api"), ("/api/x", "api"), ("/api?x", "api"), ("/apix", "site"),
        ("/api/v2", "v2"), ("/api/v2/", "v2"), ("/api/v20", "api"), ("/API", "site"), ("", "site"), ("*", "site"),
        ("/api/x?y=/../..", "api"), ("/.well-known/api", "site"), ("/api/.x", "api"), ("/api/...", "api"),
        // Read alike by everybody.
        ("/api/a%2Fb", "api"), ("/api//x", "api"), ("/x/http://api", "site"), ("/api/%61", "api"), ("/x%00", "refused"),
        ("/api/a;b/c", "api"), ("/caf%C3%A9", "site"), ("/100%", "site"), ("/api/%zz", "api"), ("/a%252Fb", "site"),
        // Inside for one server and outside for another.
        ("//api", "refused"), ("/%61pi", "refused"), ("/api%2Fv2", "refused"), ("/api\\v2", "refused"),
        ("/api;x", "refused"), ("/api;x/v2", "refused"), ("/;/api", "refused"), ("/api/%76%32", "refused"),
        ("/%2561pi", "refused"), ("/%6%61pi", "refused"), ("\\api", "refused"), ("/api//v2", "refused"),
        ("/api%5Cv2", "refused"),
        // Dot segments.
        ("/x/../api", "refused"), ("/api/../x", "refused"), ("/api/./x", "refused"), ("/api/..", "refused"),
        ("/api/%2e%2E/x", "refused"), ("/api/.%2e", "refused"), ("/api/..;/x", "refused"), ("/api/..%2Fx", "refused"),
        ("/api/..%5Cx", "refused"), ("/api/%252e%252e/x", "refused"), ("/a/..\\x", "refused"), ("/.;x", "refused"),
    ])
    func `is for whole segments, and never for what can be read in two ways`(target: String, expected: String) throws {
        let index = try self.index([
            ("site", [RouteMatch(hosts: ["example.com"])]),
            ("api", [RouteMatch(hosts: ["example.com"], pathPrefix: "/api/")]),
            ("v2", [RouteMatch(hosts: ["example.com"], pathPrefix: "/api/v2")]),
        ])
        #expect(self.find(index, TestRequest(target)) == expected)
    }

    @Test(arguments: ["/a/../b", "//a", "/%2e%2e", "\\"])
    func `looks at no path where none has a prefix`(target: String) throws {
        let index = try self.index([
            ("site", [RouteMatch(hosts: ["example.com"])]),
            ("beta", [RouteMatch(hosts: ["example.com"], headers: [HeaderCondition("X-Beta")])]),
        ])
        #expect(self.find(index, TestRequest(target)) == "site")
        #expect(self.find(index, TestRequest(target, fields: [("x-beta", "")])) == "beta")
    }

    @Test(arguments: [
        ("/api", "api-4"), ("/api/", "api-4"), ("/api/x", "api-4"), ("/api?x", "api-4"), ("/api//x", "api-5"),
        ("/api///x", "api-6"), ("/api//", "api-5"),
    ])
    func `strips its prefix, so that one slash is left`(target: String, expected: String) throws {
        let index = try self.index([
            ("api", [RouteMatch(hosts: ["*"], pathPrefix: "/api", stripsPrefix: true)])
        ])
        #expect(self.find(index, TestRequest(target)) == expected)
    }

    @Test func `comes before others by host, prefix, and number of conditions`() throws {
        let tenant = HeaderCondition("X-Tenant", value: "a")
        let beta = HeaderCondition("X-Beta")
        let index = try self.index([
            ("wide", [RouteMatch(hosts: ["*.example.com"], pathPrefix: "/deep/er")]),
            ("any", [RouteMatch(hosts: ["*"])]),
            ("host", [RouteMatch(hosts: ["www.example.com"], pathPrefix: "/deep")]),
            ("tenant", [RouteMatch(hosts: ["www.example.com"], pathPrefix: "/deep", headers: [tenant])]),
            ("both", [RouteMatch(hosts: ["www.example.com"], pathPrefix: "/deep", headers: [beta, tenant])]),
            ("beta", [RouteMatch(hosts: ["www.example.com"], headers: [beta])]),
        ])
        func find(_ target: String, _ fields: [(String, String)] = [], host: String = "www.example.com") -> String {
            self.find(index, TestRequest(target, host: host, fields: fields))
        }
        #expect(find("/deep/er") == "host")
        #expect(find("/deep/er", host: "x.example.com") == "wide")
        #expect(find("/deep", [("x-tenant", "b"), ("x-tenant", "a")]) == "tenant")
        #expect(find("/deep", [("x-tenant", "A")]) == "host")
        #expect(find("/deep", [("x-tenant", "a"), ("x-beta", "1")]) == "both")
        #expect(find("/x", [("x-beta", "1")]) == "beta")
        // Nothing of the host's own fits.
        #expect(find("/x") == "any")
        #expect(find("/x", host: "other") == "any")
    }

    @Test func `belongs to one application, and the refusal names both`() throws {
        let api = RouteMatch(hosts: ["example.com"], pathPrefix: "/api", headers: [HeaderCondition("A", value: "b")])
        var same = api
        same.hosts = ["Example.COM."]
        same.pathPrefix = "/api/"
        same.headers[0].name = "a"
        same.stripsPrefix = true
        var index = try self.index([("one", [api]), ("site", [RouteMatch(hosts: ["example.com"])])])
        let error = #expect(throws: RouterError.self) {
            try index.set(application: "two", matches: [same], value: "two")
        }
        #expect(error?.code == .hostTaken)
        #expect(error?.message.contains("'one'") == true && error?.message.contains("'two'") == true)
        same.headers[0].value = nil
        try index.set(application: "two", matches: [same], value: "two")
        index.remove(application: "one")
        index.remove(application: "site")
        #expect(self.find(index, TestRequest("/api", fields: [("a", "b")])) == "two-4")
        #expect(self.find(index, TestRequest("/")) == "none")
        index.remove(application: "two")
        #expect(self.find(index, TestRequest("/api", fields: [("a", "b")])) == "none")
    }

    @Test(arguments: ["api", "", "/a//b", "/a/../b", "/a/./", "/a%62", "/a;b", "/a b", "/ü", "/a?b", "//", "/a\\b"])
    func `is refused with a prefix that could be read in two ways`(prefix: String) {
        #expect(throws: RouterError.self) { try self.index([("a", [RouteMatch(hosts: ["a"], pathPrefix: prefix)])]) }
    }

    @Test func `is refused with conditions that make no sense`() {
        for headers in [
            [HeaderCondition("")], [HeaderCondition("a b")], [HeaderCondition("a", value: "\r\n")],
            [HeaderCondition("a"), HeaderCondition("A", value: "b")],
            (0..<17).map { HeaderCondition("h\($0)") },
        ] {
            #expect(throws: RouterError.self) { try self.index([("a", [RouteMatch(hosts: ["a"], headers: headers)])]) }
        }
        #expect(throws: RouterError.self) { try self.index([("a", [RouteMatch(hosts: ["a"], stripsPrefix: true)])]) }
        let many = (0...256).map { RouteMatch(hosts: ["a"], pathPrefix: "/\($0)") }
        #expect(throws: RouterError.self) { try self.index([("a", many)]) }
    }

    /// Against a matcher that compares lists of segments.
    @Test(arguments: 0..<8) func `finds what a simple matcher finds`(seed: Int) throws {
        var random = LoopRandom(seed: UInt64(seed))
        let words = ["a", "b", "ab", "api"]
        func path(_ random: inout LoopRandom, _ most: Int) -> [String] {
            (0..<random.below(most + 1)).map { _ in random.pick(words) }
        }
        let prefixes = Set((0..<6).map { _ in path(&random, 3) })
        let index = try self.index(
            prefixes.map { "/" + $0.joined(separator: "/") }.map { prefix in
                (prefix, [RouteMatch(hosts: ["example.com"], pathPrefix: prefix)])
            })
        for _ in 0..<200 {
            let segments = path(&random, 5)
            let target = "/" + segments.joined(separator: "/") + random.pick(["", "?q", "/"])
            let best = prefixes.filter { segments.starts(with: $0) }.max { $0.count < $1.count }
            let expected = best.map { "/" + $0.joined(separator: "/") } ?? "none"
            #expect(target.hasPrefix("//") || self.find(index, TestRequest(target)) == expected, "\(target)")
        }
    }

    /// What is passed on is found by readers of every kind, applied in any order, under the same prefix.
    @Test(arguments: 0..<8) func `is the same for every reader of what is passed on`(seed: Int) throws {
        var random = LoopRandom(seed: UInt64(seed) &+ 100)
        let pieces = [
            "/", "/", "a", "b", "//", "%2F", "%61", "\\", ";", ";x", "..", ".", "%2e", "%5C", "%25", "2F", "%", "c",
        ]
        let prefixes = [["a"], ["a", "b"], ["b"]]
        let index = try self.index(
            prefixes.map { "/" + $0.joined(separator: "/") }.map { prefix in
                (prefix, [RouteMatch(hosts: ["*"], pathPrefix: prefix)])
            } + [("rest", [RouteMatch(hosts: ["*"])])])
        for _ in 0..<1500 {
            let target = "/" + (0..<random.below(8)).map { _ in random.pick(pieces) }.joined()
            let found = self.find(index, TestRequest(target))
            if found == "refused" { continue }
            for habits in 0..<64 {
                let read = Reader(habits: habits).read(target)
                let best = prefixes.filter { read.starts(with: $0) }.max { $0.count < $1.count }
                let expected = best.map { "/" + $0.joined(separator: "/") } ?? "rest"
                if found != expected { Issue.record("\(target): \(found), but \(expected) with \(habits)") }
            }
        }
    }

    @Test func `is found in a table of routes`() throws {
        var site = ApplicationRoute(application: "site", hosts: ["example.com"], backends: [])
        site.matches.append(
            RouteMatch(hosts: ["example.org"], pathPrefix: "/site", headers: [HeaderCondition("X-A", value: "b")]))
        #expect(site.hosts == ["example.com"])
        site.hosts = ["www.example.com"]
        let api = ApplicationRoute(
            application: "api", matches: [RouteMatch(hosts: ["www.example.com"], pathPrefix: "/api")], backends: [])
        let table = try RouteTable([site, api])
        func find(_ host: String, _ path: String, _ fields: [(name: String, value: String)] = []) -> String? {
            table.route(host: host, path: path, fields: fields)?.application
        }
        #expect(find("www.example.com", "/") == "site")
        #expect(find("WWW.example.com", "/api/x") == "api")
        #expect(find("www.example.com", "//api") == nil)
        #expect(find("example.org", "/site", [("x-A", "b")]) == "site")
        #expect(find("example.org", "/site") == nil)
        #expect(find("example.com", "/") == nil)
        #expect(api.hosts.isEmpty)
    }

    @Test func `sees a parsed head`() throws {
        let text =
            "GET http://Example.com:8080/api/x?y HTTP/1.1\r\nHost: example.com:8080\r\nX-A: 1\r\nx-a:  2 \r\n\r\n"
        var fields = ContiguousArray<HeadField>()
        try Array(text.utf8).withUnsafeBytes { bytes in
            let head = try RequestHead.parse(bytes, fields: &fields)
            try fields.withUnsafeBufferPointer { fields in
                let view = HeadView(head, bytes, fields: fields, isSecure: true, client: .unknown)
                #expect(String(decoding: view.path, as: UTF8.self) == "/api/x")
                #expect(String(decoding: view.host, as: UTF8.self) == "Example.com")
                #expect(String(decoding: view.authority, as: UTF8.self) == "Example.com:8080")
                #expect(String(decoding: view.method, as: UTF8.self) == "GET")
                #expect(view.firstValue("x-a") { $0.elementsEqual("2".utf8) } != nil)
                #expect(view.firstValue("x-b") == nil)
                let condition = HeaderCondition("X-A", value: "2")
                let index = try self.index([("a", [RouteMatch(hosts: ["*"], pathPrefix: "/api", headers: [condition])])]
                )
                if case .found("a", stripped: 0) = index.find(view) {} else { Issue.record("not found") }
            }
        }
    }
}

/// A server with some habits of reading paths.
private struct Reader {
    let habits: Int

    private func has(_ habit: Int) -> Bool { self.habits & (1 << habit) != 0 }

    func read(_ target: String) -> [String] {
        var text = target
        if self.has(0) { text = self.cut(text) }
        if self.has(1) { text = self.decode(text, slashes: self.has(2)) }
        if self.has(1), self.has(3) { text = self.decode(text, slashes: self.has(2)) }
        if self.has(4) { text = String(text.map { $0 == "\\" ? "/" : $0 }) }
        if self.has(0) { text = self.cut(text) }
        var segments = text.split(separator: "/", omittingEmptySubsequences: false).dropFirst().map(String.init)
        if self.has(5) { segments.removeAll(where: \.isEmpty) }
        return segments
    }

    private func cut(_ text: String) -> String {
        text.split(separator: "/", omittingEmptySubsequences: false).map { $0.prefix { $0 != ";" } }
            .joined(separator: "/")
    }

    private func decode(_ text: String, slashes: Bool) -> String {
        var out: [UInt8] = []
        let bytes = Array(text.utf8)
        var index = 0
        while index < bytes.count {
            if bytes[index] == 0x25, index + 2 < bytes.count, let high = ByteClass.hexValue(bytes[index + 1]),
                let low = ByteClass.hexValue(bytes[index + 2]), slashes || (high << 4 | low) != 0x2F
            {
                out.append(high << 4 | low)
                index += 3
            } else {
                out.append(bytes[index])
                index += 1
            }
        }
        return String(decoding: out, as: UTF8.self)
    }
}
