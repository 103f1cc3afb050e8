import Testing

@testable import RouterCore

@Suite struct `Refused requests` {
    static let malformed: [(String, Int)] = [
        // Framing that two readers could understand differently.
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5 5\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\u{0B}chunked\r\n\r\n", 400),
        ("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        // Lines.
        ("GET / HTTP/1.1\nHost: a\n\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: a\u{0}b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n folded\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nNoColon\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nB\u{E9}d: x\r\n\r\n", 400),
        // The request line.
        ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400),
        ("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET /#f HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET /\r\nHost: a\r\n\r\n", 400),
        ("G(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET / http/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET / HTTP/1.1x\r\nHost: a\r\n\r\n", 400),
        ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        ("PRI * HTTP/2.0\r\n\r\n", 505),
        ("CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        ("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        // The host.
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a:x\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400),
        ("GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", 400),
        ("GET http://u@a/ HTTP/1.1\r\nHost: u@a\r\n\r\n", 400),
        ("GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        // Others.
        ("GET / HTTP/1.1\r\nHost: a\r\nExpect: magic\r\n\r\n", 417),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: a b\r\n\r\n", 400),
    ]

    @Test(arguments: Self.malformed, [1, 5, Int.max])
    func `are answered and never passed on`(request: (String, Int), pieceSize: Int) {
        let harness = ExchangeHarness(pieceSize: pieceSize)
        harness.client(request.0)
        #expect(harness.received.statuses == [request.1], "\(request.0.debugDescription)")
        #expect(harness.toUpstream.isEmpty)
        #expect(harness.received.contains("X-Slipway-Error: "))
        #expect(harness.received.contains("X-Request-ID: "))
        #expect(harness.events.contains("end client"), "an answer must not be lost to a reset")
    }

    static let badChunks: [String] = [
        "x\r\n", "\r\n", "5 \r\nhello\r\n0\r\n\r\n", "5\nhello\r\n", "5\r\nhelloX\r\n", "5\r\nhello\n0\r\n\r\n",
        "FFFFFFFFFFFFFFFF\r\n", "0000000000000005\r\nhello\r\n", "-5\r\n", "5;a\u{0}b\r\nhello\r\n",
        "5;a\nb\r\nhello\r\n",
        "5;" + String(repeating: "x", count: 300) + "\r\nhello\r\n0\r\n\r\n", "0\r\nbad trailer\r\n\r\n",
        "0\r\nX: a\n\r\n", "0\r\n: a\r\n\r\n",
    ]

    @Test(arguments: Self.badChunks, [1, Int.max])
    func `include bodies with malformed chunks`(body: String, pieceSize: Int) {
        let harness = ExchangeHarness(pieceSize: pieceSize)
        harness.client("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
        #expect(harness.received.statuses == [400])
        #expect(harness.endings.first?.reusesUpstream == false)
    }

    @Test(arguments: [1, 1000, Int.max])
    func `include what is too large`(pieceSize: Int) {
        func status(_ request: String, bodyLimit: Int = 100) -> [Int] {
            let harness = ExchangeHarness(pieceSize: pieceSize, bodyLimit: bodyLimit)
            harness.client(request)
            return harness.received.statuses
        }
        let long = String(repeating: "x", count: 9000)
        let fields = (0..<201).map { "X-\($0): 1\r\n" }.joined()
        let exact = String(repeating: "x", count: 8192 - "GET / HTTP/1.1".utf8.count)
        #expect(status("GET /\(long) HTTP/1.1\r\nHost: a\r\n\r\n") == [414])
        #expect(status("GET /\(exact)x HTTP/1.1\r\nHost: a\r\n\r\n") == [414])
        #expect(status("GET /\(exact) HTTP/1.1\r\nHost: a\r\n\r\n") == [])
        #expect(status("GET / HTTP/1.1\r\nHost: a\r\nX: \(long)\(long)\(long)\(long)\r\n\r\n") == [431])
        #expect(status("GET / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n") == [431])
        #expect(status("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\n\r\n") == [413])
        #expect(
            status("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n" + long.prefix(101) + "\r\n")
                == [413])
    }

    @Test func `keep the connection when nothing is in doubt`() {
        let harness = ExchangeHarness()
        harness.route = { $0 == "a" ? nil : .noSuchHost }
        harness.client("GET / HTTP/1.1\r\nHost: b\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(harness.received.statuses == [404])
        #expect(harness.events == ["route b", "ended 404 no-such-host", "route a", "acquire first"])
    }

    @Test(arguments: [
        (ExchangeMachine.Waiting.requestHead, "GET / HT", [408]),
        (.requestBody, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc", [408]),
        (.firstByte, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", [504]),
        (.nextRequest, "", []),
    ])
    func `include what does not come in time`(waiting: ExchangeMachine.Waiting, request: String, statuses: [Int]) {
        let harness = ExchangeHarness()
        harness.client(request)
        #expect(harness.waiting == waiting)
        harness.timesOut()
        #expect(harness.received.statuses == statuses)
    }
}
