import Testing

@testable import RouterCore

/// However the bytes are cut, the exchange is the same.
@Suite struct `Any split of the bytes` {
    struct Script: Sendable, CustomTestStringConvertible {
        var name: String
        var requests: String
        var responses: [String]
        var upstreamEnds = false
        var expected: [String]
        var body: String
        var testDescription: String { self.name }
    }

    static let scripts: [Script] = [
        Script(
            name: "length", requests: "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            responses: ["HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello"],
            expected: ["route a", "acquire first", "ended 200 - reuse"],
            body: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
        Script(
            name: "chunks with trailers", requests: "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            responses: ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nX-T: 1\r\n\r\n"],
            expected: ["route a", "acquire first", "ended 200 - reuse"],
            body: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n"),
        Script(
            name: "chunks for HTTP/1.0", requests: "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
            responses: [
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nX: y\r\n\r\n"
            ],
            expected: ["route a", "acquire first", "ended 200 - reuse", "close client"],
            body: "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabcde"),
        Script(
            name: "length for HTTP/1.0", requests: "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
            responses: ["HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx"],
            expected: ["route a", "acquire first", "ended 200 -"],
            body: "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\nx"),
        Script(
            name: "until close for HTTP/1.0", requests: "GET / HTTP/1.0\r\nHost: a\r\n\r\n",
            responses: ["HTTP/1.0 200 OK\r\n\r\nabc"], upstreamEnds: true,
            expected: ["route a", "acquire first", "ended 200 -", "close client"],
            body: "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc"),
        Script(
            name: "HEAD, 204, 304 and interim responses, pipelined",
            requests: "HEAD /1 HTTP/1.1\r\nHost: a\r\n\r\nDELETE /2 HTTP/1.1\r\nHost: a\r\n\r\n"
                + "GET /3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            responses: [
                "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n",
                "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 304\r\nETag: x\r\n\r\n",
            ],
            expected: [
                "route a", "acquire first", "ended 200 - reuse", "route a", "acquire first", "ended 204 - reuse",
                "route a", "acquire first", "ended 304 - reuse", "close client",
            ],
            body: "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n"
                + "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 304 \r\nETag: x\r\nConnection: close\r\n\r\n"),
        Script(
            name: "a body, 100-continue",
            requests: "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
            responses: ["HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"],
            expected: ["route a", "acquire first", "ended 201 - reuse"],
            body: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"),
        Script(
            name: "the instance closes", requests: "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            responses: ["HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"],
            expected: ["route a", "acquire first", "ended 200 -"],
            body: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
        Script(
            name: "more than the body", requests: "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            responses: ["HTTP/1.1 200 OK\r\nX-Slipway-Error: fake\r\nContent-Length: 2\r\n\r\nok"],
            expected: ["route a", "acquire first", "ended 200 - reuse"],
            body: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    ]

    @Test(arguments: Self.scripts, [1, 2, 3, 5, 11, 64, Int.max])
    func `gives the same exchange`(script: Script, pieceSize: Int) {
        let harness = ExchangeHarness(pieceSize: pieceSize)
        harness.client(script.requests)
        for response in script.responses { harness.upstream(response) }
        if script.upstreamEnds { harness.upstreamEnds() }
        #expect(harness.events == script.expected)
        #expect(harness.received == script.body)
    }

    @Test(arguments: [1, 2, 3, 5, Int.max])
    func `gives the same data when the instance ends it by closing`(pieceSize: Int) throws {
        let harness = ExchangeHarness(pieceSize: pieceSize)
        harness.client("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        harness.upstream("HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nhello, world")
        harness.upstreamEnds()
        let parts = harness.received.split(separator: "\r\n\r\n", maxSplits: 1)
        #expect(parts.first == "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked")
        // Sizes and data alternate; the size 0 is last.
        let lines = (parts.last ?? "").split(separator: "\r\n", omittingEmptySubsequences: true)
        let data = stride(from: 1, to: lines.count, by: 2).map { String(lines[$0]) }.joined()
        #expect(data == "hello, world")
        #expect(lines.last == "0")
        #expect(harness.events.last == "ended 200 -")
    }
}
