import Testing

@testable import RouterCore

/// Exchanges of which one side, or both, speak in frames as HTTP/2 does.
@Suite struct `Frames` {
    private let head = "POST /up HTTP/1.1\r\nHost: a\r\nX: 1\r\n\r\n"

    @Test func `of a body without a length become chunks, with trailers`() {
        let harness = ExchangeHarness(clientDialect: .frames)
        harness.clientHead(self.head)
        harness.client("hello ")
        harness.client("world")
        harness.clientTrailers("X-Sum: 5\r\nHost: evil\r\n\r\n")
        #expect(harness.sent.contains("Transfer-Encoding: chunked\r\n"))
        #expect(harness.sent.hasSuffix("\r\n\r\n6\r\nhello \r\n5\r\nworld\r\n0\r\nX-Sum: 5\r\n\r\n"))
        harness.upstream("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n")
        #expect(harness.received == "HTTP/1.1 200 OK\r\n\r\nabcX-T: 1\r\n\r\n")
        #expect(harness.events.filter { $0 == "client end" }.count == 1)
        #expect(harness.endings.first?.status == 200)
        #expect(harness.endings.first?.reusesUpstream == true)
    }

    @Test func `of a body with a length stay as they are`() {
        let harness = ExchangeHarness(clientDialect: .frames)
        harness.clientHead("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
        harness.client("hello")
        harness.clientEnds()
        #expect(!harness.sent.contains("chunked"))
        #expect(harness.sent.hasSuffix("\r\n\r\nhello"))
        harness.upstream("HTTP/1.1 204 No Content\r\n\r\n")
        #expect(harness.received == "HTTP/1.1 204 No Content\r\n\r\n")
        #expect(harness.events.contains("client end"))
    }

    @Test(
        arguments: [
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n",
            "HTTP/1.0 200 OK\r\n\r\nabc",
        ], [1, 4, Int.max])
    func `carry the data of any response`(response: String, pieceSize: Int) {
        let harness = ExchangeHarness(pieceSize: pieceSize, clientDialect: .frames)
        harness.clientHead("GET / HTTP/1.1\r\nHost: a\r\n\r\n", ends: true)
        harness.upstream(response)
        harness.upstreamEnds()
        #expect(harness.received.hasSuffix("\r\n\r\nabc"))
        #expect(!harness.received.contains("Transfer-Encoding"))
        #expect(!harness.received.contains("Connection"))
        #expect(harness.events.filter { $0 == "client end" }.count == 1)
        #expect(harness.endings.first?.code == nil)
    }

    @Test func `carry the router's own answers`() {
        let harness = ExchangeHarness(clientDialect: .frames)
        harness.route = { _ in .noSuchHost }
        harness.clientHead("GET / HTTP/1.1\r\nHost: a\r\n\r\n", ends: true)
        #expect(harness.received.statuses == [404])
        #expect(harness.received.contains("X-Slipway-Error: no-such-host"))
        #expect(harness.received.contains("<h1>404"))
        #expect(!harness.received.contains("Connection"))
        #expect(harness.events == ["route a", "client end", "ended 404 no-such-host", "close client"])
    }

    @Test func `break off where the instance does`() {
        let harness = ExchangeHarness(clientDialect: .frames)
        harness.clientHead("GET / HTTP/1.1\r\nHost: a\r\n\r\n", ends: true)
        harness.upstream("HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\nabc")
        harness.upstreamEnds()
        #expect(harness.endings.first?.code == .upstreamBroke)
        #expect(!harness.events.contains("client end"))
        #expect(harness.events.last == "close client")
    }

    @Test func `carry interim responses`() {
        let harness = ExchangeHarness(clientDialect: .frames)
        harness.clientHead("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        #expect(harness.sent.contains("Expect: 100-continue"))
        harness.upstream("HTTP/1.1 100 Continue\r\n\r\n")
        harness.client("ok")
        harness.clientEnds()
        harness.upstream("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        #expect(harness.received.statuses == [100, 200])
        #expect(harness.endings.first?.code == nil)
    }

    @Test func `carry WebSockets`() {
        let harness = ExchangeHarness(clientDialect: .frames)
        harness.clientHead(
            "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n")
        #expect(harness.sent.contains("Upgrade: websocket\r\n"))
        harness.upstream("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhi")
        #expect(harness.received.statuses == [101])
        #expect(harness.received.hasSuffix("\r\n\r\nhi"))
        harness.client("frame")
        #expect(harness.sent.hasSuffix("frame"))
        harness.upstreamEnds()
        harness.clientEnds()
        #expect(harness.endings.first?.upgraded == true)
    }

    @Test func `to the instance carry what an HTTP/1 client sends in chunks`() {
        let harness = ExchangeHarness(upstreamDialect: .frames)
        harness.client(
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n")
        #expect(harness.sent.hasSuffix("\r\n\r\nhelloX-T: 1\r\n\r\n"))
        #expect(harness.events.filter { $0 == "upstream end" }.count == 1)
        harness.upstreamHead("HTTP/1.1 200 OK\r\nX: y\r\n\r\n")
        harness.upstream("abc")
        harness.upstreamTrailers("Grpc-Status: 0\r\n\r\n")
        #expect(harness.received.contains("Transfer-Encoding: chunked"))
        #expect(harness.received.hasSuffix("3\r\nabc\r\n0\r\nGrpc-Status: 0\r\n\r\n"))
        #expect(harness.events.last == "ended 200 -")
    }

    @Test func `on both sides are passed through`() {
        let harness = ExchangeHarness(clientDialect: .frames, upstreamDialect: .frames)
        harness.clientHead(self.head)
        harness.client("ping")
        #expect(harness.sent.hasSuffix("\r\n\r\nping"))
        #expect(!harness.sent.contains("chunked"))
        harness.upstreamHead("HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\n\r\n")
        harness.upstream("pong")
        #expect(harness.received.hasSuffix("\r\n\r\npong"))
        harness.clientEnds()
        #expect(harness.events.contains("upstream end"))
        harness.upstreamTrailers("grpc-status: 0\r\n\r\n")
        #expect(harness.received.hasSuffix("ponggrpc-status: 0\r\n\r\n"))
        #expect(harness.endings.first?.code == nil)
    }

    @Test func `are sent again when the instance had closed a kept connection`() {
        let harness = ExchangeHarness(clientDialect: .frames, upstreamDialect: .frames)
        harness.attempts = [.reused, .connected]
        harness.clientHead("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n")
        harness.client("abc")
        harness.clientEnds()
        harness.upstreamEnds(broke: true)
        #expect(harness.toUpstream.count == 2)
        #expect(harness.toUpstream[0] == harness.toUpstream[1])
        harness.upstreamHead("HTTP/1.1 204 No Content\r\n\r\n", ends: true)
        #expect(harness.received.statuses == [204])
        #expect(harness.endings.first?.retries == 1)
    }

    @Test(arguments: [10, 11]) func `are counted against the limit of the body`(limit: Int) {
        let harness = ExchangeHarness(bodyLimit: limit, clientDialect: .frames)
        harness.clientHead(self.head)
        harness.client("hello world")
        #expect(harness.received.statuses == (limit == 10 ? [413] : []))
    }
}
