import Testing

@testable import RouterCore

@Suite struct `What an instance is sent` {
    @Test func `is the request with what the router knows, without what was for the router`() {
        let harness = ExchangeHarness()
        harness.client(
            "GET /p?q HTTP/1.1\r\nHost: Shop.Example:8080\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\n"
                + "Keep-Alive: 5\r\nTE: trailers\r\nProxy: evil\r\nX-Forwarded-For: 6.6.6.6\r\nX_Forwarded_For: 7.7.7.7\r\n"
                + "X-Forwarded-Proto: https\r\nForwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\nX-Request-ID: short\r\n"
                + "Cookie: a=b\r\n\r\n")
        let id = harness.machine.requestID.description
        #expect(
            harness.sent == "GET /p?q HTTP/1.1\r\nHost: Shop.Example:8080\r\nCookie: a=b\r\n"
                + "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Port: 80\r\n"
                + "X-Forwarded-Host: Shop.Example:8080\r\nX-Request-ID: \(id)\r\nX-Request-Start: 1000\r\n"
                + "Via: 1.1 test\r\n\r\n")
        #expect(harness.events.first == "route Shop.Example")
    }

    @Test func `keeps what a trusted proxy says about the client`() {
        let harness = ExchangeHarness(trusted: true)
        harness.client(
            "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\nX-Real-IP: 1.2.3.4\r\n\r\n"
        )
        #expect(harness.sent.contains("X-Forwarded-For: 1.2.3.4, 203.0.113.9\r\n"))
        #expect(harness.sent.contains("X-Forwarded-Proto: https\r\n"))
        #expect(!harness.sent.contains("X-Forwarded-Proto: http\r\n"))
        #expect(harness.sent.contains("X-Forwarded-Port: 80\r\n"))
        #expect(harness.sent.contains("X-Real-IP: 1.2.3.4\r\n"))
    }

    @Test(arguments: [
        ("0123456789abcdefghij", true), ("0123456789abcdefghi", false), ("0123456789abcdefghi<", false),
    ])
    func `keeps a safe request identifier`(id: String, isKept: Bool) {
        let harness = ExchangeHarness()
        harness.client("GET / HTTP/1.1\r\nHost: a\r\nX-Request-ID: \(id)\r\n\r\n")
        #expect(harness.sent.contains("X-Request-ID: \(id)\r\n") == isKept)
    }

    @Test(arguments: [
        ("GET http://a/x HTTP/1.1\r\nHost: A\r\n\r\n", "GET /x HTTP/1.1\r\nHost: a\r\n"),
        ("GET http://a?x HTTP/1.1\r\nHost: a\r\n\r\n", "GET /?x HTTP/1.1\r\nHost: a\r\n"),
        ("GET HTTP://a HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n"),
        ("OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: a\r\n"),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: a\r\n"),
        ("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n"),
        ("GET / HTTP/1.1\r\nHost:   a  \r\n\r\n", "GET / HTTP/1.1\r\nHost:   a  \r\n"),
        ("GET / HTTP/1.0\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n"),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: host\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n"),
    ])
    func `has the target in the form that servers know`(request: String, start: String) {
        let harness = ExchangeHarness()
        harness.client(request)
        #expect(harness.sent.hasPrefix(start))
        #expect(harness.events.first == "route a")
    }

    @Test func `asks for an upgrade only where one is possible`() {
        func sent(_ extra: String) -> String {
            let harness = ExchangeHarness()
            harness.client("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n\(extra)\r\n")
            return harness.sent
        }
        #expect(sent("Upgrade: websocket\r\n").contains("Upgrade: websocket\r\n"))
        #expect(sent("Upgrade: websocket\r\n").contains("Connection: upgrade\r\n"))
        #expect(!sent("Upgrade: h2c\r\nHTTP2-Settings: AA\r\n").contains("h2c"))
        #expect(!sent("Upgrade: websocket\r\nContent-Length: 1\r\n").contains("websocket"))
    }

    @Test func `has chunks without extensions and trailers without lies`() {
        for pieceSize in [1, 2, 3, 7, Int.max] {
            let harness = ExchangeHarness(pieceSize: pieceSize)
            harness.client(
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                    + "5;a=b\r\nhello\r\n1\r\n!\r\n0;x\r\nX-Sum: 1\r\nContent-Length: 9\r\nX-Forwarded-For: x\r\n\r\n")
            #expect(harness.sent.hasSuffix("\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\nX-Sum: 1\r\n\r\n"), "\(pieceSize)")
        }
    }
}
