import Testing

@testable import RouterCore

@Suite struct `Sending a request again` {
    private static let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    private static let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
    private static let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    @Test(arguments: [Self.get, Self.post])
    func `happens after a refused connection, whatever the method`(request: String) {
        let harness = ExchangeHarness()
        harness.attempts = [.refused, .refused, .connected]
        harness.client(request)
        harness.upstream(Self.ok)
        #expect(
            harness.events == [
                "route a", "acquire first", "acquire anotherInstance", "acquire anotherInstance", "ended 200 - reuse",
            ])
        #expect(harness.endings.first?.retries == 2)
    }

    @Test func `ends after the budget`() {
        let harness = ExchangeHarness()
        harness.attempts = Array(repeating: .refused, count: 9)
        harness.client(Self.get)
        #expect(harness.events.filter { $0.hasPrefix("acquire") }.count == 4)
        #expect(harness.received.statuses == [503])
        #expect(harness.received.contains("connect-failed"))
        #expect(harness.received.contains("Retry-After: "))
    }

    @Test(arguments: [
        (Self.get, ExchangeHarness.Attempt.reused, "acquire freshConnection"),
        (Self.get, .connected, "acquire anotherInstance"),
        ("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", .reused, "acquire freshConnection"),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nIdempotency-Key: 1\r\nContent-Length: 3\r\n\r\nabc", .reused,
            "acquire freshConnection"
        ),
    ])
    func `happens when the connection closes before a byte`(
        request: String, first: ExchangeHarness.Attempt, expected: String
    ) {
        let harness = ExchangeHarness()
        harness.attempts = [first]
        harness.client(request)
        harness.upstreamEnds()
        harness.upstream(Self.ok)
        #expect(harness.events == ["route a", "acquire first", expected, "ended 200 - reuse"])
        #expect(harness.toUpstream.count == 2)
        #expect(harness.toUpstream.first == harness.toUpstream.last, "the same bytes, the same identifier")
    }

    @Test func `does not happen to a POST that an instance may have begun`() {
        let harness = ExchangeHarness()
        harness.attempts = [.reused]
        harness.client(Self.post)
        harness.upstreamEnds(broke: true)
        #expect(harness.received.statuses == [502])
        #expect(harness.toUpstream.count == 1)
    }

    @Test func `does not happen once the response has begun`() {
        let harness = ExchangeHarness()
        harness.client(Self.get)
        harness.upstream("HTTP/1.1 200")
        harness.upstreamEnds()
        #expect(harness.received.statuses == [502])
        #expect(harness.received.contains("upstream-broke"))
    }

    @Test func `does not happen to a body that was too large to keep`() {
        let harness = ExchangeHarness(configure: { $0.replayBytes = 10 })
        harness.client("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\n\r\n0123456789")
        harness.client("01234567890123456789")
        harness.upstreamEnds()
        #expect(harness.received.statuses == [502])
    }

    @Test func `repeats a body that came in pieces`() {
        let harness = ExchangeHarness(pieceSize: 3)
        harness.attempts = [.none]
        harness.client("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n01234")
        harness.machine.connectFailed()
        harness.settle()
        harness.client("56789")
        harness.upstreamEnds()
        harness.upstream(Self.ok)
        #expect(harness.sent.hasSuffix("\r\n\r\n0123456789"))
        #expect(harness.received.statuses == [200])
    }

    @Test func `holds back a body that is too large to keep until there is a connection`() {
        let harness = ExchangeHarness(configure: {
            $0.replayBytes = 8
            $0.backlogBytes = 8
        })
        harness.attempts = [.none]
        harness.client("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\n\r\n0123456789")
        #expect(harness.wantsClientBytes)
        harness.client("0123456789")
        #expect(!harness.wantsClientBytes)
        harness.toUpstream.append([])
        harness.machine.upstreamReady(reused: false)
        harness.settle()
        #expect(harness.wantsClientBytes)
        #expect(harness.sent.hasSuffix("\r\n\r\n01234567890123456789"))
    }
}
