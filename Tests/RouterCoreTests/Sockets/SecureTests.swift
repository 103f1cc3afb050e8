import Foundation
import NIOCore
import SystemPackage
import TestSupport
import Testing

@testable import RouterCore

@Suite(.timeLimit(.minutes(2))) struct `A router with TLS and HTTP/2` {
    /// Runs a router with a listener in clear text and one with TLS, and `curl` against it.
    private func withCurl(
        _ driver: Driver, _ origin: TestOrigin, challenges: ACMEChallenges? = nil,
        configure: (inout Router.Configuration) -> Void = { _ in },
        change: (inout ApplicationRoute) -> Void = { _ in },
        input: String = "",
        _ body: (_ clear: Int, _ secure: Int, _ curl: @escaping ([String]) async throws -> String) async throws -> Void
    ) async throws {
        let authority = try TestAuthority()
        let store = CertificateStore()
        try store.set(try authority.issue(["a.example"]).certificate)
        try await withTemporaryDirectory { directory in
            let roots = directory.appending("roots.pem").string
            try authority.pem.write(toFile: roots, atomically: true, encoding: .utf8)
            try await withRouter(
                driver,
                configure: {
                    $0.listeners.append(.init(host: "127.0.0.1", port: 0, security: .tls))
                    configure(&$0)
                }, certificates: store, challenges: challenges
            ) { router, clear in
                let addresses = try await router.listening()
                let secure = Int(addresses[1].split(separator: ":").last ?? "") ?? 0
                try router.setOrigins([origin]) { route in
                    route.hosts = ["a.example"]
                    change(&route)
                }
                let fixed = [
                    "-sS", "--cacert", roots, "--resolve", "a.example:\(clear):127.0.0.1", "--resolve",
                    "a.example:\(secure):127.0.0.1",
                ]
                try await body(clear, secure) { try await Program.run("curl", fixed + $0, input: input).output }
            }
        }
    }

    @Test(arguments: Driver.allCases) func `speaks every version of HTTP with curl`(driver: Driver) async throws {
        let origin = try await TestOrigin { _ in .echo }
        try await self.withCurl(driver, origin) { (clear, secure, curl) async throws in
            let format = ["-w", " %{http_version} %{http_code}"]
            let body = String(repeating: "0123456789", count: 10_000)
            for (flags, url, version) in [
                ("--http1.1", "http://a.example:\(clear)/", "1.1"), ("--http1.0", "http://a.example:\(clear)/", "1.1"),
                ("--http2-prior-knowledge", "http://a.example:\(clear)/", "2"),
                ("--http1.1", "https://a.example:\(secure)/", "1.1"), ("--http2", "https://a.example:\(secure)/", "2"),
            ] {
                #expect(try await curl([flags, "-d", "hello"] + format + [url]) == "hello \(version) 200")
                #expect(try await curl([flags, "-d", body] + [url]) == body)
                #expect(try await curl([flags, "-I", "-o", "/dev/null"] + format + [url]) == " \(version) 200")
            }
            let heads = origin.requests.map(\.head)
            #expect(heads.contains { $0.contains("X-Forwarded-Proto: https\r\n") && $0.contains("Via: 2.0 slipway") })
            #expect(heads.contains { $0.contains("X-Forwarded-Proto: http\r\n") && $0.contains("Via: 2.0 slipway") })
            #expect(heads.contains { $0.contains("Via: 1.0 slipway") })
        }
        await origin.stop()
    }

    @Test(arguments: Driver.allCases)
    func `carries bodies of unknown length, interim responses and the router's own answers over HTTP/2`(
        driver: Driver
    ) async throws {
        let origin = try await TestOrigin { request in
            request.path == "/early"
                ? .bytes("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                : request.path == "/broken" ? .close : .echo
        }
        try await self.withCurl(driver, origin, input: "streamed") { (clear, _, curl) async throws in
            let url = "http://a.example:\(clear)"
            let known = ["--http2-prior-knowledge"]
            let early = try await curl(known + ["-i", url + "/early"])
            #expect(early.contains("HTTP/2 103"))
            #expect(early.hasSuffix("ok"))
            let broken = try await curl(known + ["-i", "-d", "x", url + "/broken"])
            #expect(broken.contains("HTTP/2 502"))
            #expect(broken.contains("x-slipway-error: upstream-broke"))
            let chunked = try await curl(known + ["-T", "-", url + "/"])
            #expect(chunked == "streamed")
            #expect(origin.requests.last?.head.contains("Transfer-Encoding: chunked") == true)
            let nobody = try await curl(known + ["-i", "-H", "Host: nobody", url + "/"])
            #expect(nobody.contains("HTTP/2 404"))
        }
        await origin.stop()
    }

    @Test(arguments: Driver.allCases) func `sends clients to TLS, but not authorities`(driver: Driver) async throws {
        let origin = try await TestOrigin { _ in .echo }
        let challenges = ACMEChallenges()
        challenges.setHTTP(token: "abc", keyAuthorization: "abc.def")
        try await self.withCurl(
            driver, origin, challenges: challenges,
            change: { route in
                route.policy = RoutePolicy()
                route.policy?.https = HTTPSEnforcement()
                route.policy?.strictTransportSecurity = StrictTransportSecurity()
            }
        ) { (clear, secure, curl) async throws in
            let url = "a.example:\(clear)"
            let redirect = try await curl(["-i", "http://\(url)/x?y=1"])
            #expect(redirect.contains("HTTP/1.1 308"))
            #expect(redirect.contains("Location: https://a.example/x?y=1"))
            #expect(!redirect.contains("Strict-Transport-Security"))
            #expect(try await curl(["http://\(url)/.well-known/acme-challenge/abc"]) == "abc.def")
            let answer = try await curl(["-i", "--http1.1", "https://a.example:\(secure)/"])
            #expect(answer.contains("Strict-Transport-Security: max-age="))
        }
        await origin.stop()
    }

    @Test(arguments: Driver.allCases) func `believes a proxy in front about whose a connection is`(driver: Driver)
        async throws
    {
        let origin = try await TestOrigin { _ in .echo }
        let networks = [try AddressRange("127.0.0.0/8")]
        try await self.withCurl(
            driver, origin,
            configure: { for index in $0.listeners.indices { $0.listeners[index].proxyProtocolFrom = networks } }
        ) { (clear, secure, curl) async throws in
            for url in ["http://a.example:\(clear)/", "https://a.example:\(secure)/"] {
                #expect(try await curl(["--haproxy-protocol", "-d", "hello", url]) == "hello")
            }
            #expect(origin.requests.count == 2)
            #expect(origin.requests.allSatisfy { $0.head.contains("X-Forwarded-For: 127.0.0.1") })
            let client = try await RawClient(port: clear)
            client.send("PROXY TCP4 203.0.113.7 192.0.2.1 1234 80\r\nGET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
            #expect(await client.response()?.status == 200)
            #expect(origin.requests.last?.head.contains("X-Forwarded-For: 203.0.113.7\r\n") == true)
            await client.close()
            let other = try await RawClient(port: clear)
            other.send("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
            #expect(await other.receiveAll().isEmpty)
        }
        await origin.stop()
    }
}
