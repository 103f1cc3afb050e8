import Testing

@testable import RouterCore

@Suite struct `An instance's response` {
    static let malformed = [
        "hello\r\n\r\n", "HTTP/2 200 OK\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 099 X\r\nA: b\r\n\r\n",
        "HTTP/1.1 200 OK\nA: b\n\n", "HTTP/1.1 200 OK\r\nA : b\r\n\r\n", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
    ]

    @Test(arguments: Self.malformed, [1, Int.max])
    func `that is malformed becomes a 502`(response: String, pieceSize: Int) {
        let harness = ExchangeHarness(pieceSize: pieceSize)
        harness.client("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        harness.upstream(response)
        #expect(harness.received.statuses == [502])
        #expect(harness.received.contains("upstream-invalid"))
        #expect(harness.endings.first?.reusesUpstream == false)
    }

    @Test(arguments: [
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcX",
    ])
    func `that breaks off is broken off towards the client`(response: String) {
        let harness = ExchangeHarness()
        harness.client("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        harness.upstream(response)
        harness.upstreamEnds()
        #expect(harness.received.statuses == [200])
        #expect(harness.received.contains("abc") || response.hasSuffix("X"))
        #expect(!harness.received.contains("0\r\n\r\n"))
        #expect(harness.events.last == "close client")
        #expect(harness.endings.first?.code != nil)
    }

    @Test func `without an end is not taken for a whole one when the connection breaks`() {
        let harness = ExchangeHarness()
        harness.client("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        harness.upstream("HTTP/1.1 200 OK\r\n\r\nabc")
        harness.upstreamEnds(broke: true)
        #expect(!harness.received.contains("0\r\n\r\n"))
        #expect(harness.endings.first?.code == .upstreamBroke)
    }

    @Test func `may come before the request's body has`() {
        let harness = ExchangeHarness()
        harness.client("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
        harness.upstream("HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno")
        #expect(harness.received == "HTTP/1.1 413 No\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
        #expect(harness.events.suffix(2) == ["ended 413 -", "end client"])
        harness.client("defg")
        harness.clientEnds()
        #expect(harness.events.last == "close client")
    }

    @Test func `may overlap with the request's body`() {
        let harness = ExchangeHarness()
        harness.client("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc")
        harness.upstream("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nABC")
        harness.client("def")
        #expect(harness.sent.hasSuffix("abcdef"))
        harness.upstream("DEF")
        #expect(harness.received.hasSuffix("ABCDEF"))
        #expect(harness.events.suffix(2) == ["ended 200 - reuse", "close client"])
    }

    @Test func `with more bytes than it announced ends the instance's connection`() {
        let harness = ExchangeHarness()
        harness.client("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        harness.upstream("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n")
        #expect(harness.received == "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        #expect(harness.events.last == "ended 200 -")
    }

    @Test func `that is an event stream gives its place back`() {
        let harness = ExchangeHarness()
        harness.client("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        harness.upstream("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\r\ndata: 1\n\n")
        #expect(harness.events.last == "streaming")
        #expect(harness.received.contains("data: 1\n\n"))
    }

    @Test func `that switches protocols makes a tunnel, with half-close`() {
        for pieceSize in [1, Int.max] {
            let harness = ExchangeHarness(pieceSize: pieceSize)
            harness.client("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nearly")
            #expect(!harness.sent.contains("early"))
            harness.upstream(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nhi\u{0}\n")
            #expect(harness.sent.hasSuffix("early"))
            #expect(harness.received.hasSuffix("Upgrade: echo\r\nConnection: upgrade\r\n\r\nhi\u{0}\n"))
            harness.client("more")
            harness.clientEnds()
            #expect(harness.sent.hasSuffix("earlymore"))
            #expect(harness.events.last == "end upstream")
            harness.upstream("bye")
            harness.upstreamEnds()
            #expect(harness.received.hasSuffix("bye"))
            #expect(harness.events.suffix(2) == ["ended 101 -", "close client"])
        }
    }

    @Test func `that refuses the upgrade is an ordinary one`() {
        let harness = ExchangeHarness()
        harness.client("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
        harness.upstream("HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n")
        harness.client("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(harness.events.suffix(3) == ["ended 400 - reuse", "route a", "acquire first"])
    }
}

@Suite struct `A client that leaves` {
    @Test func `inside its request ends the exchange`() {
        let harness = ExchangeHarness()
        harness.client("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
        harness.clientEnds()
        #expect(harness.events.suffix(2) == ["ended 499 client-closed", "close client"])
        #expect(harness.toClient.isEmpty)
    }

    @Test func `only half after its requests gets its answers`() {
        let harness = ExchangeHarness()
        harness.client("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
        harness.clientEnds()
        harness.upstream("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        harness.upstream("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        #expect(harness.received.statuses == [200, 200])
        #expect(harness.events.last == "close client")
    }

    @Test func `altogether ends the exchange once`() {
        let harness = ExchangeHarness()
        harness.client("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        harness.machine.clientClosed()
        harness.settle()
        harness.upstream("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        harness.machine.clientClosed()
        harness.settle()
        #expect(harness.events.suffix(2) == ["ended 499 client-closed", "close client"])
        #expect(harness.endings.count == 1)
    }

    @Test func `has no end of interim responses`() {
        let harness = ExchangeHarness()
        harness.client("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        for _ in 0..<16 { harness.upstream("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n") }
        #expect(harness.endings.isEmpty)
        #expect(harness.machine.waiting == .firstByte, "the response is still to come")
        harness.upstream("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        #expect(harness.received.contains("HTTP/1.1 502 "))
        #expect(harness.endings.map(\.code) == [.upstreamInvalid])
    }

    @Test func `may be told to go on with its body, which is waited for all the same`() {
        let harness = ExchangeHarness()
        harness.client("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        harness.upstream("HTTP/1.1 100 Continue\r\n\r\n")
        #expect(harness.received.contains("HTTP/1.1 100 "))
        #expect(harness.machine.waiting == .requestBody)
        harness.client("hello")
        #expect(harness.machine.waiting == .firstByte)
    }

    @Test func `is told when the router stops`() {
        let harness = ExchangeHarness()
        harness.client("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        harness.machine.shutDown()
        harness.settle()
        harness.upstream("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        #expect(harness.received.contains("Connection: close\r\n"))
        #expect(harness.events.last == "close client")
    }
}
