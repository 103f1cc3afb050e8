import Foundation
import Synchronization
import Testing

@testable import RouterCore

@Suite(.timeLimit(.minutes(1))) struct `A route's policy` {
    @Test(arguments: Driver.allCases) func `is asked before an instance is`(driver: Driver) async throws {
        let origin = try await TestOrigin { _ in .bytes("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nServer: x\r\n\r\nok") }
        var policy = RoutePolicy()
        policy.redirects = [try RedirectRule(.exact("/old"), to: "/new", status: .found)]
        policy.authentication = try BasicAuthentication(
            realm: "Team", users: [.init("alice", passwordHash: "secret")])
        policy.responseFields = [try .remove("server"), try .set("X-Frame-Options", "DENY")]
        policy.errorPages = [try ErrorPageRule(.status(401), html: "<p>who are you")]
        try await withRouter(
            driver,
            configure: { $0.passwordVerifier = { password, hash in Array(hash.utf8) == password } }
        ) { router, port in
            try router.setOrigins([origin]) { $0.policy = policy }
            let client = try await RawClient(port: port)
            func get(_ path: String, _ fields: String = "") async -> (status: Int, head: String, body: String)? {
                client.send("GET \(path) HTTP/1.1\r\nHost: a\r\n\(fields)\r\n")
                return await client.response()
            }
            let moved = await get("/old?x=1")
            #expect(moved?.status == 302)
            #expect(moved?.head.contains("Location: http://a/new") == true)
            let stranger = await get("/")
            #expect(stranger?.status == 401)
            #expect(stranger?.head.contains("WWW-Authenticate: Basic realm=\"Team\"") == true)
            #expect(stranger?.head.contains("X-Frame-Options: DENY") == true)
            #expect(stranger?.body == "<p>who are you")
            for (credentials, status) in [("alice:secret", 200), ("alice:wrong", 401), ("alice:secret", 200)] {
                let encoded = Data(credentials.utf8).base64EncodedString()
                let answer = await get("/", "Authorization: Basic \(encoded)\r\n")
                #expect(answer?.status == status)
                if status == 200 {
                    #expect(answer?.head.contains("Server:") == false)
                    #expect(answer?.head.contains("X-Frame-Options: DENY") == true)
                }
            }
            #expect(origin.requests.count == 2)
            #expect(router.inFlight(application: "app") == 0)
            await client.close()
        }
        await origin.stop()
    }

    @Test func `cannot ask for passwords that nobody verifies`() async throws {
        try await withRouter { router, _ in
            var route = ApplicationRoute(application: "app", hosts: ["a"], backends: [])
            route.policy = RoutePolicy()
            route.policy?.authentication = try BasicAuthentication(
                realm: "Team", users: [.init("alice", passwordHash: "x")])
            #expect(throws: RouterError.self) { try router.setRoute(route) }
        }
    }

    @Test(arguments: Driver.allCases) func `limits how often a client comes`(driver: Driver) async throws {
        let origin = try await TestOrigin { _ in .echo }
        var policy = RoutePolicy()
        policy.rateLimits = RateLimits(perClient: try RequestRate(1, per: .seconds(3600), burst: 2))
        try await withRouter(driver, configure: { $0.threads = 1 }) { router, port in
            try router.setOrigins([origin]) { $0.policy = policy }
            let client = try await RawClient(port: port)
            var statuses: [Int?] = []
            for _ in 0..<3 {
                client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                let answer = await client.response()
                statuses.append(answer?.status)
                if answer?.status == 429 {
                    #expect(answer?.head.contains("Retry-After: ") == true)
                    #expect(answer?.head.contains("X-Slipway-Error: rate-limited") == true)
                }
            }
            #expect(statuses == [200, 200, 429])
            await client.close()
        }
        await origin.stop()
    }
}

@Suite(.timeLimit(.minutes(1))) struct `A route's matches` {
    @Test(arguments: Driver.allCases) func `share a host by path, which the instance need not see`(driver: Driver)
        async throws
    {
        let site = try await TestOrigin { _ in .echo }
        let api = try await TestOrigin { _ in .echo }
        try await withRouter(driver) { router, port in
            try router.setOrigins([site])
            let backend = Backend(id: BackendID("api"), address: .ip(host: api.address.host, port: api.address.port))
            try router.setRoute(
                ApplicationRoute(
                    application: "api",
                    matches: [RouteMatch(hosts: ["a"], pathPrefix: "/api", stripsPrefix: true)], backends: [backend]))
            let client = try await RawClient(port: port)
            for path in ["/api/v1?x=1", "/api", "/apix", "/"] {
                client.send("GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n")
                #expect(await client.response()?.status == 200)
            }
            #expect(api.requests.map(\.path) == ["/v1?x=1", "/"])
            #expect(site.requests.map(\.path) == ["/apix", "/"])
            client.send("GET /x/..%2fapi HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(await client.response()?.status == 400)
            await client.close()
        }
        await site.stop()
        await api.stop()
    }

    @Test(arguments: Driver.allCases) func `keep a client at its instance by a cookie`(driver: Driver) async throws {
        let origins = [try await TestOrigin { _ in .echo }, try await TestOrigin { _ in .echo }]
        try await withRouter(driver) { router, port in
            try router.setOrigins(origins) { $0.selection = .sticky(cookie: "slipway", maxAge: nil) }
            let client = try await RawClient(port: port)
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            let first = try #require(await client.response())
            let line = try #require(first.head.split(separator: "\r\n").first { $0.hasPrefix("Set-Cookie: slipway=") })
            let cookie = line.dropFirst(12).prefix { $0 != ";" }
            for _ in 0..<6 {
                client.send("GET / HTTP/1.1\r\nHost: a\r\nCookie: a=b; \(cookie)\r\n\r\n")
                #expect(await client.response()?.head.contains("Set-Cookie") == false)
            }
            #expect(Set(origins.map { $0.requests.count }) == [0, 7])
            await client.close()
        }
        for origin in origins { await origin.stop() }
    }
}

@Suite(.timeLimit(.minutes(1))) struct `An application without instances` {
    @Test(arguments: Driver.allCases) func `is woken by a request, which waits for it`(driver: Driver) async throws {
        let origin = try await TestOrigin { _ in .echo }
        let (woken, continuation) = AsyncStream<String>.makeStream()
        try await withRouter(driver, wake: { continuation.yield($0) }) { router, port in
            try router.setOrigins([]) { $0.hold = HoldPolicy() }
            var clients: [RawClient] = []
            for number in 0..<5 {
                let client = try await RawClient(port: port)
                client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n\(number)")
                clients.append(client)
            }
            var wakes = woken.makeAsyncIterator()
            #expect(await wakes.next() == "app")
            try router.setOrigins([origin])
            for (number, client) in clients.enumerated() {
                #expect(await client.response()?.body == "\(number)")
                await client.close()
            }
            #expect(router.inFlight(application: "app") == 0)
        }
        await origin.stop()
    }

    @Test(arguments: Driver.allCases) func `that takes requests is waited for, when its only one has just gone`(
        driver: Driver
    ) async throws {
        let port = try await closedPort()
        let origin = try await TestOrigin { _ in .echo }
        let (woken, continuation) = AsyncStream<String>.makeStream()
        try await withRouter(driver, wake: { continuation.yield($0) }) { router, listening in
            var route = ApplicationRoute(
                application: "app", hosts: ["a"],
                backends: [Backend(id: BackendID("gone"), address: .ip(host: "127.0.0.1", port: port))])
            route.hold = HoldPolicy()
            route.hold?.maxRequests = 1
            try router.setRoute(route)
            let client = try await RawClient(port: listening)
            client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nwait")
            var wakes = woken.makeAsyncIterator()
            #expect(await wakes.next() == "app")
            // There is room for no other.
            let other = try await RawClient(port: listening)
            other.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            let refused = await other.response()
            #expect(refused?.status == 503)
            #expect(refused?.head.contains("X-Slipway-Error: queue-full") == true)
            // First without it, as when its end is noticed, then with the next one.
            route.backends = []
            try router.setRoute(route)
            try router.setOrigins([origin]) { $0.hold = HoldPolicy() }
            #expect(await client.response()?.body == "wait")
            await client.close()
            await other.close()
            // The client may have its answer a moment before the exchange is over.
            #expect(await eventually { router.inFlight(application: "app") == 0 })
        }
        await origin.stop()
    }

    @Test(arguments: Driver.allCases) func `that can serve has its requests when one is well again`(
        driver: Driver
    ) async throws {
        let origin = try await TestOrigin { _ in .echo }
        let (woken, continuation) = AsyncStream<String>.makeStream()
        let changes: (inout Router.Configuration) -> Void = { $0.timerResolution = .milliseconds(10) }
        try await withRouter(driver, configure: changes, wake: { continuation.yield($0) }) { router, port in
            try router.setOrigins([origin]) { route in
                route.hold = HoldPolicy()
                route.hold?.wakeInterval = .milliseconds(20)
                // What bounds the wait is the policy, not how long requests wait for a place.
                route.timeouts.queue = .zero
            }
            let backend = try #require(router.route(for: "app")?.backends.first)
            router.setHealth(of: backend, application: "app", isHealthy: false)
            let client = try await RawClient(port: port)
            client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nwait")
            // It is asked for again as long as somebody waits.
            var wakes = woken.makeAsyncIterator()
            for _ in 0..<3 { #expect(await wakes.next() == "app") }
            router.setHealth(of: backend, application: "app", isHealthy: true)
            #expect(await client.response()?.body == "wait")
            await client.close()
        }
        await origin.stop()
    }

    @Test func `answers what does not fit, and what waits for nothing`() async throws {
        try await withRouter(configure: { $0.timerResolution = .milliseconds(10) }) { router, port in
            try router.setOrigins([]) { route in
                route.hold = HoldPolicy()
                route.hold?.maxRequests = 1
                route.hold?.timeout = .milliseconds(200)
            }
            let first = try await RawClient(port: port)
            first.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n")
            let answer = await first.response()
            #expect(answer?.status == 503)
            #expect(answer?.head.contains("X-Slipway-Error: queue-timeout") == true)
            #expect(router.inFlight(application: "app") == 0)
            await first.close()
        }
    }
}
