import Testing

@testable import RouterCore

/// What becomes of heads on their way between HTTP/2 and the text of HTTP/1.
@Suite struct `HTTP/2 heads` {
    private func head(_ fields: [(String, String)], ends: Bool = true) -> HTTP2Harness {
        let harness = HTTP2Harness()
        harness.receive(Wire.headers(1, Wire.block(fields), ends: ends))
        return harness
    }

    // MARK: Requests

    @Test func `a request is what HTTP/1 would have sent`() {
        let harness = self.head(Wire.get + [("accept", "*/*"), ("user-agent", "x y"), ("te", "trailers")])
        #expect(
            harness.heads == [
                "GET / HTTP/1.1\r\nHost: example.com\r\naccept: */*\r\nuser-agent: x y\r\nte: trailers\r\n\r\n"
            ])
    }

    @Test(arguments: [
        [(":scheme", "https"), (":path", "/a?b=c"), (":method", "GET"), (":authority", "a.b:8080")],
        [(":authority", "a.b:8080"), (":path", "/a?b=c"), (":scheme", "http"), (":method", "GET")],
    ])
    func `pseudo-header fields come in any order`(fields: [(String, String)]) {
        #expect(self.head(fields).heads == ["GET /a?b=c HTTP/1.1\r\nHost: a.b:8080\r\n\r\n"])
    }

    @Test func `cookies become one field`() {
        let harness = self.head(Wire.get + [("cookie", "a=b"), ("x", "y"), ("cookie", "c=d"), ("cookie", "e=f")])
        #expect(
            harness.heads == [
                "GET / HTTP/1.1\r\nHost: example.com\r\nx: y\r\ncookie: a=b; c=d; e=f\r\n\r\n"
            ])
    }

    @Test func `the host can come as a field, and must agree with the authority`() {
        let base = Array(Wire.get.prefix(3))
        #expect(self.head(base + [("host", "a.b")]).heads == ["GET / HTTP/1.1\r\nhost: a.b\r\n\r\n"])
        #expect(
            self.head(Wire.get + [("host", "EXAMPLE.com"), ("a", "b")]).heads == [
                "GET / HTTP/1.1\r\nHost: example.com\r\na: b\r\n\r\n"
            ])
        #expect(self.head(Wire.get + [("host", "other")]).streamErrors == [1: .protocolError])
        #expect(self.head(base + [("host", "a"), ("host", "a")]).streamErrors == [1: .protocolError])
    }

    /// Each of these would change the meaning of the HTTP/1 head, or is not HTTP/2.
    static let malformed: [[(String, String)]] = [
        // Names.
        Wire.get + [("X-Upper", "a")], Wire.get + [("", "a")], Wire.get + [("a b", "c")], Wire.get + [("a:", "c")],
        Wire.get + [("a\r\nevil", "c")], Wire.get + [("a\n", "c")], Wire.get + [("a\u{0}", "c")],
        Wire.get + [("\u{E4}", "c")], Wire.get + [("host\r\nx", "a")], Wire.get + [(" a", "b")],
        // Values.
        Wire.get + [("a", "b\r\nEvil: yes")], Wire.get + [("a", "b\nEvil: yes")], Wire.get + [("a", "b\rEvil")],
        Wire.get + [("a", "b\u{0}c")], Wire.get + [("a", " b")], Wire.get + [("a", "b ")], Wire.get + [("a", "\tb")],
        Wire.get + [("a", "b\t")], Wire.get + [("a", "b\u{7F}")], Wire.get + [("a", "long enough for words\u{1}")],
        Wire.get + [("cookie", "a\r\nb")],
        // Fields of HTTP/1 connections.
        Wire.get + [("connection", "close")], Wire.get + [("keep-alive", "x")], Wire.get + [("upgrade", "h2c")],
        Wire.get + [("proxy-connection", "x")], Wire.get + [("transfer-encoding", "chunked")],
        Wire.get + [("te", "gzip")], Wire.get + [("te", "trailers, deflate")],
        // Pseudo-header fields: unknown, twice, late, of a response, missing, empty.
        Wire.get + [(":unknown", "x")], Wire.get + [(":path", "/")], Wire.get + [(":method", "GET")],
        Wire.get + [(":scheme", "http")], Wire.get + [(":authority", "example.com")],
        Wire.get + [("a", "b"), (":path", "/")], Wire.get + [(":status", "200")], Wire.get + [(":protocol", "x")],
        Array(Wire.get.dropFirst()), [Wire.get[0], Wire.get[2], Wire.get[3]], [Wire.get[0], Wire.get[1], Wire.get[3]],
        Array(Wire.get.dropLast()), [("a", "b")] + Wire.get, [], Wire.get + [(":", "x")],
        // Values of pseudo-header fields.
        Self.with(":path", ""), Self.with(":path", "a"), Self.with(":path", "*"), Self.with(":path", "/ HTTP/1.1"),
        Self.with(":path", "/\r\nHost: evil"), Self.with(":path", "/#a"), Self.with(":path", "/\u{7F}"),
        Self.with(":path", "/\t"), Self.with(":path", "//evil\u{0}"), Self.with(":path", "http://evil/"),
        Self.with(":method", ""), Self.with(":method", "G T"), Self.with(":method", "GET / HTTP/1.1\r\nA: b\r\n"),
        Self.with(":method", "GET\r"), Self.with(":method", "GE/T"),
        Self.with(":scheme", ""), Self.with(":scheme", "ftp"), Self.with(":scheme", "HTTP"),
        Self.with(":scheme", "httpx"),
        Self.with(":authority", ""), Self.with(":authority", "a b"), Self.with(":authority", "a\r\nb: c"),
        Self.with(":authority", "user@host"), Self.with(":authority", "a/b"), Self.with(":authority", "a?b"),
        Self.with(":authority", "a#b"), Self.with(":authority", "a\\b"), Self.with(":authority", "a\u{0}"),
        Self.with(":authority", "\u{E4}"),
        // The length.
        Wire.get + [("content-length", "1")], Wire.get + [("content-length", "")],
        Wire.get + [("content-length", "-1")], Wire.get + [("content-length", "+0")],
        Wire.get + [("content-length", "0x0")], Wire.get + [("content-length", "0, 0")],
        Wire.get + [("content-length", "0"), ("content-length", "0")],
        Wire.get + [("content-length", "99999999999999999999")],
        // CONNECT with what it does not have.
        [(":method", "CONNECT")], [(":method", "CONNECT"), (":authority", "a:1"), (":path", "/")],
        [(":method", "CONNECT"), (":authority", "a:1"), (":scheme", "http")],
        [(":method", "CONNECT"), (":authority", "a"), (":protocol", "websocket"), (":path", "/")],
        [(":method", "CONNECT"), (":protocol", "websocket"), (":path", "/"), (":scheme", "http")],
        [(":method", "CONNECT"), (":authority", "a"), (":protocol", "a b"), (":path", "/"), (":scheme", "http")],
        [(":method", "CONNECT"), (":authority", "a"), (":protocol", "websocket"), (":path", "*"), (":scheme", "http")],
    ]

    private static func with(_ name: String, _ value: String) -> [(String, String)] {
        Wire.get.map { $0.0 == name ? (name, value) : $0 }
    }

    @Test(arguments: Self.malformed.indices)
    func `what is malformed never becomes a head`(index: Int) {
        let fields = Self.malformed[index]
        let harness = self.head(fields)
        #expect(harness.streamErrors == [1: .protocolError], "\(fields)")
        #expect(harness.heads.isEmpty)
        #expect(harness.events.isEmpty)
        #expect(harness.openStreams == 0)
        // The connection goes on, with its tables in step.
        harness.receive(Wire.headers(3, Wire.request()))
        #expect(harness.events == ["head 3 GET / HTTP/1.1 end"])
    }

    @Test(arguments: Self.malformed.indices)
    func `nor does it from the compression tables`(index: Int) {
        // Every field is indexed, those of the second request come from the table.
        let fields = Self.malformed[index]
        let harness = HTTP2Harness()
        let block: [UInt8] = fields.flatMap { [0x40] + Wire.string($0.0) + Wire.string($0.1) }
        harness.receive(Wire.headers(1, block))
        let size = fields.reduce(0) { $0 + $1.0.utf8.count + $1.1.utf8.count + 32 }
        #expect(size < 4096)
        let indices = fields.indices.map { UInt8(0x80 + 61 + fields.count - $0) }
        harness.receive(Wire.headers(3, indices))
        #expect(harness.streamErrors == [1: .protocolError, 3: .protocolError], "\(fields)")
        #expect(harness.heads.isEmpty)
    }

    @Test func `an invalid field's name can be used again with a valid value`() {
        let harness = HTTP2Harness()
        harness.receive(
            Wire.headers(1, Wire.request() + [0x40] + Wire.string("x-name") + Wire.string("a\r\nb")))
        #expect(harness.streamErrors == [1: .protocolError])
        harness.receive(Wire.headers(3, Wire.request() + [0x7E] + Wire.string("good")))
        #expect(harness.heads == ["GET / HTTP/1.1\r\nHost: example.com\r\nx-name: good\r\n\r\n"])
    }

    @Test func `OPTIONS may be about the server itself`() {
        let harness = self.head(
            [(":method", "OPTIONS"), (":scheme", "http"), (":path", "*"), (":authority", "a")])
        #expect(harness.heads == ["OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"])
    }

    // MARK: CONNECT

    @Test func `CONNECT is left to the owner to refuse`() {
        let harness = self.head([(":method", "CONNECT"), (":authority", "a.b:443")], ends: false)
        #expect(harness.events == ["refused 1 connect"])
        harness.receive(Wire.data(1, [1, 2, 3]))
        harness.respond(1, "HTTP/1.1 405 Method Not Allowed\r\n\r\n")
        harness.receive(Wire.data(1, [], ends: true))
        #expect(harness.events == ["refused 1 connect"])
        #expect(harness.frames == ["HEADERS 1 5 end", "WINDOW_UPDATE 1 3"])
        #expect(harness.openStreams == 0)
    }

    private static let webSocket = [
        (":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"), (":path", "/chat"),
        (":authority", "a.b"), ("sec-websocket-version", "13"), ("sec-websocket-key", "x"), ("origin", "o"),
    ]

    @Test func `a WebSocket is an upgrade to HTTP/1, and its 101 a 200 to HTTP/2`() throws {
        let harness = self.head(Self.webSocket, ends: false)
        #expect(
            harness.heads == [
                "GET /chat HTTP/1.1\r\nHost: a.b\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                    + "sec-websocket-version: 13\r\norigin: o\r\n\r\n"
            ])
        harness.respond(
            1,
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                + "Sec-WebSocket-Accept: y\r\nSec-WebSocket-Protocol: p\r\n\r\n", ends: false)
        var decoder = HPACKDecoder(tableSize: 4096)
        let block = try #require(harness.sent.last { $0.type == 1 }).payload
        #expect(try decoder.fields(block) == [":status: 200", "sec-websocket-protocol: p"])
        harness.receive(Wire.data(1, [1, 2]))
        harness.send(1, 5)
        harness.receive(Wire.data(1, [], ends: true))
        harness.send(1, 0, ends: true)
        #expect(harness.events.suffix(2) == ["data 1 2", "end 1"])
        #expect(harness.openStreams == 0)
    }

    @Test func `other protocols, or none when they are not allowed, are refused`() {
        let other = Self.webSocket.map { $0.0 == ":protocol" ? ($0.0, "connect-udp") : $0 }
        #expect(self.head(other, ends: false).events == ["refused 1 unknownProtocol"])
        let harness = HTTP2Harness(limits: { $0.allowsExtendedConnect = false })
        harness.receive(Wire.headers(1, Wire.block(Self.webSocket), ends: false))
        #expect(harness.streamErrors == [1: .protocolError])
    }

    // MARK: Bodies and trailers

    @Test(arguments: [
        ("5", [5], true), ("5", [2, 3], true), ("5", [4], false), ("5", [6], false), ("5", [3, 3], false),
        ("0", [0], true), ("0", [1], false), ("5", [0], false),
    ])
    func `a body has the length that was promised`(length: String, pieces: [Int], isGood: Bool) {
        let harness = HTTP2Harness()
        harness.receive(Wire.headers(1, Wire.request([("content-length", length)], Wire.post), ends: false))
        for (index, size) in pieces.enumerated() {
            harness.receive(
                Wire.data(1, [UInt8](repeating: 0, count: size), ends: index == pieces.count - 1))
        }
        #expect(harness.streamErrors == (isGood ? [:] : [1: .protocolError]))
        #expect(harness.events.contains("reset 1 PROTOCOL_ERROR") == !isGood)
    }

    @Test func `trailers end a body`() {
        let harness = HTTP2Harness()
        harness.receive(Wire.headers(1, Wire.request([], Wire.post), ends: false))
        harness.receive(Wire.data(1, [1]))
        harness.receive(
            Wire.headers(1, Wire.block([("grpc-status", "0"), ("content-length", "7"), ("x-forwarded-for", "me")])))
        #expect(harness.events == ["head 1 POST / HTTP/1.1", "data 1 1", "trailers 1 grpc-status: 0"])
        // What would say something about framing or the client is left out.
        #expect(harness.heads.last == "grpc-status: 0\r\n\r\n")
    }

    @Test(arguments: [
        ([("a", "b")], false), ([(":status", "200")], true), ([(":path", "/")], true), ([("Upper", "b")], true),
        ([("connection", "close")], true), ([("transfer-encoding", "chunked")], true), ([("a", "b\r\nc")], true),
    ])
    func `malformed trailers reset the stream`(fields: [(String, String)], ends: Bool) {
        let harness = HTTP2Harness()
        harness.receive(Wire.headers(1, Wire.request([], Wire.post), ends: false))
        harness.receive(Wire.headers(1, Wire.block(fields), ends: ends))
        #expect(harness.streamErrors == [1: .protocolError])
        #expect(harness.events == ["head 1 POST / HTTP/1.1", "reset 1 PROTOCOL_ERROR"])
    }

    @Test func `a response to HEAD may promise a body and have none`() {
        let harness = HTTP2Harness(.client(isSecure: true))
        for _ in 0..<2 { _ = harness.open("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n") }
        let block = Wire.block([(":status", "200"), ("content-length", "9")])
        harness.receive(Wire.headers(1, block) + Wire.headers(3, block, ends: false) + Wire.data(3, [1]))
        #expect(
            harness.events == ["head 1 HTTP/1.1 200 OK end", "head 3 HTTP/1.1 200 OK", "reset 3 PROTOCOL_ERROR"])
    }

    // MARK: From text

    private func encoded(_ text: String, _ role: HTTP2HeadWriter.Role) throws -> [String]? {
        var writer = HTTP2HeadWriter(encoder: HPACKEncoder(tableLimit: 4096, usesHuffman: true))
        let result = Array(text.utf8).withUnsafeBytes { bytes in
            switch role {
            case .request: writer.request(bytes, isSecure: false)
            case .response, .tunnelResponse: writer.response(bytes, opensTunnel: role == .tunnelResponse)
            case .trailers: writer.trailers(bytes)
            }
        }
        guard result != nil else { return nil }
        var decoder = HPACKDecoder(tableSize: 4096)
        return try decoder.fields(Array(writer.encoder.block.bytes))
    }

    @Test func `a response is encoded without what concerns HTTP/1 alone`() throws {
        let text =
            "HTTP/1.1 201 Created\r\nContent-Type:  text/html \r\nConnection: close\r\nKeep-Alive: x\r\n"
            + "Transfer-Encoding: chunked\r\nUpgrade: h2c\r\nProxy-Connection: y\r\nTE: gzip\r\nX-Empty:\r\n\r\n"
        #expect(try self.encoded(text, .response) == [":status: 201", "content-type: text/html", "x-empty: "])
    }

    @Test func `a request's host comes first as the authority, wherever it stood`() throws {
        let text =
            "PUT /a?b HTTP/1.1\r\nA:\r\nB:c\r\nTE: trailers\r\nHOST: example.com:80\r\nCookie: x=y\r\nHostile: no\r\n\r\n"
        #expect(
            try self.encoded(text, .request) == [
                ":method: PUT", ":scheme: http", ":path: /a?b", ":authority: example.com:80", "a: ", "b: c",
                "te: trailers", "cookie: x=y", "hostile: no",
            ])
    }

    @Test(arguments: [
        "", "\r\n\r\n", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 20 OK\r\nAB: c\r\n\r\n", "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\nA: b\n\n", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "HTTP/1.1 200 OK\r\n: b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA b: c\r\n\r\n", "HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: \u{0}\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\n\r\nbody", "HTTP/1.1 101 Switching Protocols\r\n\r\n", "HTTP/1.1 099 x\r\n\r\n",
        "HTTP/1.1 200 OK\r\n folded: x\r\n\r\n",
    ])
    func `what is no response is not encoded`(text: String) throws {
        #expect(try self.encoded(text, .response) == nil)
    }

    @Test(arguments: [
        "", "GET / HTTP/1.1\r\n\r\n", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n", "GET a HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: a\r\n\r\n", "GET /\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost:\r\n\r\n", "G T / HTTP/1.1\r\nHost: a\r\n\r\n",
    ])
    func `what is no request is not encoded`(text: String) throws {
        #expect(try self.encoded(text, .request) == nil)
    }

    // MARK: Sizes

    @Test func `too many or too large fields are left to the owner to refuse`() {
        let many = (0..<200).map { ("x-\($0)", "y") }
        let large = [("x", String(repeating: "y", count: 12_000)), ("z", String(repeating: "y", count: 4000))]
        for more in [many, large] {
            let harness = HTTP2Harness(limits: { $0.headerBytes = 15_000 })
            // The last field is indexed: it must be known later, although it was too much.
            let block = Wire.request(more) + [0x40] + Wire.string("known") + Wire.string("later")
            harness.receive(Wire.headers(1, Array(block.prefix(9000)), complete: false))
            harness.receive(Wire.continuation(1, Array(block.dropFirst(9000))))
            #expect(harness.events == ["refused 1 headersTooLarge"])
            harness.respond(1, "HTTP/1.1 431 Request Header Fields Too Large\r\n\r\n")
            harness.receive(Wire.headers(3, Wire.request() + [0xBE]))
            #expect(harness.heads == ["GET / HTTP/1.1\r\nHost: example.com\r\nknown: later\r\n\r\n"])
        }
    }

    @Test func `many cookies are one field`() {
        let cookies = (0..<300).map { ("cookie", "c\($0)=v") }
        let harness = self.head(Wire.get + cookies)
        #expect(harness.events == ["head 1 GET / HTTP/1.1 end"])
    }
}
