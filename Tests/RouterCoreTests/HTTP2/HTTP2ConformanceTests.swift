import Testing

@testable import RouterCore

/// What the RFC's sections on frames and streams demand, one row each.
struct ConformanceCase: Sendable, CustomTestStringConvertible {
    enum Expected: Sendable, Equatable {
        /// Nothing is wrong; these are the events.
        case fine([String])
        case connection(HTTP2ErrorCode)
        case stream(UInt32, HTTP2ErrorCode)
    }

    var name: String
    var bytes: [UInt8]
    /// What follows after stream 1 was answered.
    var afterAnswer: [UInt8]?
    var expected: Expected
    var testDescription: String { self.name }

    init(_ name: String, _ pieces: [[UInt8]], then after: [[UInt8]]? = nil, _ expected: Expected) {
        self.name = name
        self.bytes = pieces.flatMap { $0 }
        self.afterAnswer = after?.flatMap { $0 }
        self.expected = expected
    }
}

@Suite struct `HTTP/2 as its RFC demands it` {
    typealias Case = ConformanceCase
    private static let get = Wire.headers(1, Wire.request())
    private static let open = Wire.headers(1, Wire.request([], Wire.post), ends: false)
    private static let head = "head 1 GET / HTTP/1.1 end"
    private static let openHead = "head 1 POST / HTTP/1.1"

    // MARK: Frames (RFC 9113, 4 and 5.5)

    static let frames = [
        Case("unknown type", [Wire.frame(0x16, 0, 0, [1, 2, 3]), Self.get], .fine([Self.head])),
        Case(
            "unknown flags", [Wire.frame(6, 0xFE, 0, [1, 2, 3, 4, 5, 6, 7, 8]), Self.get], .fine([Self.head])),
        Case(
            "reserved bit", [Wire.frame(6, 0, 0x8000_0000, [1, 2, 3, 4, 5, 6, 7, 8]), Self.get],
            .fine([Self.head])),
        Case(
            "DATA of 16,384 bytes",
            [Self.open, Wire.data(1, [UInt8](repeating: 0, count: 16_384), ends: true)],
            .fine([Self.openHead, "data 1 16384 end"])),
        Case(
            "DATA too large", [Self.open, Wire.data(1, [UInt8](repeating: 0, count: 16_385))],
            .connection(.frameSizeError)),
        Case(
            "HEADERS too large", [Wire.headers(1, [UInt8](repeating: 0, count: 16_385))],
            .connection(.frameSizeError)),
        Case(
            "another unknown type inside a header block",
            [Wire.headers(1, Wire.request(), complete: false), Wire.frame(0x16)], .connection(.protocolError)),
        Case("header block that cannot be decoded", [Wire.headers(1, [0x40])], .connection(.compressionError)),
        Case(
            "header block with an index out of range", [Wire.headers(1, [0xFF, 0x00])],
            .connection(.compressionError)),
        Case(
            "trailers that cannot be decoded", [Self.open, Wire.headers(1, [0xFF, 0x00])],
            .connection(.compressionError)),
        Case(
            "table size update behind a field", [Wire.headers(1, Wire.request() + [0x20])],
            .connection(.compressionError)),
        Case(
            "table size update over the limit", [Wire.headers(1, [0x3F, 0xE2, 0x1F] + Wire.request())],
            .connection(.compressionError)),
        Case(
            "two table size updates", [Wire.headers(1, [0x20, 0x3F, 0xE1, 0x1F] + Wire.request())],
            .fine([Self.head])),
        Case(
            "PRIORITY inside a header block",
            [Wire.headers(1, Wire.request(), complete: false), Wire.priority(1, on: 0)],
            .connection(.protocolError)),
        Case(
            "another stream's HEADERS inside a header block",
            [Wire.headers(1, Wire.request(), complete: false), Wire.headers(3, Wire.request())],
            .connection(.protocolError)),
    ]

    // MARK: Stream states (5.1)

    static let states = [
        Case("idle: DATA", [Wire.data(1, [0])], .connection(.protocolError)),
        Case("idle: RST_STREAM", [Wire.reset(1)], .connection(.protocolError)),
        Case("idle: WINDOW_UPDATE", [Wire.windowUpdate(1, 1)], .connection(.protocolError)),
        Case("idle: CONTINUATION", [Wire.continuation(1, Wire.request())], .connection(.protocolError)),
        Case("idle: PRIORITY", [Wire.priority(3, on: 0), Self.get], .fine([Self.head])),
        Case(
            "half closed: DATA", [Self.get, Wire.data(1, [0], ends: true)], .stream(1, .streamClosed)),
        Case("half closed: HEADERS", [Self.get, Self.get], .stream(1, .streamClosed)),
        Case(
            "half closed: CONTINUATION", [Self.get, Wire.continuation(1, Wire.request())],
            .connection(.protocolError)),
        Case("half closed: WINDOW_UPDATE", [Self.get, Wire.windowUpdate(1, 1)], .fine([Self.head])),
        Case("half closed: PRIORITY", [Self.get, Wire.priority(1, on: 0)], .fine([Self.head])),
        Case("half closed: RST_STREAM", [Self.get, Wire.reset(1)], .fine([Self.head, "reset 1 CANCEL by peer"])),
        Case("reset: DATA", [Self.open, Wire.reset(1), Wire.data(1, [0])], .stream(1, .streamClosed)),
        Case("reset: HEADERS", [Self.open, Wire.reset(1), Self.get], .stream(1, .streamClosed)),
        Case(
            "reset: CONTINUATION", [Self.open, Wire.reset(1), Wire.continuation(1, Wire.request())],
            .connection(.protocolError)),
        Case(
            "reset: RST_STREAM, PRIORITY, WINDOW_UPDATE",
            [Self.open, Wire.reset(1), Wire.reset(1), Wire.priority(1, on: 0), Wire.windowUpdate(1, 1)],
            .fine([Self.openHead, "reset 1 CANCEL by peer"])),
        Case("closed: DATA", [Self.get], then: [Wire.data(1, [0])], .connection(.streamClosed)),
        Case("closed: HEADERS", [Self.get], then: [Self.get], .connection(.streamClosed)),
        Case(
            "closed: CONTINUATION", [Self.get], then: [Wire.continuation(1, Wire.request())],
            .connection(.protocolError)),
        Case(
            "closed: PRIORITY, WINDOW_UPDATE, RST_STREAM", [Self.get],
            then: [Wire.priority(1, on: 0), Wire.windowUpdate(1, 1), Wire.reset(1)], .fine([Self.head])),
        Case("even stream", [Wire.headers(2, Wire.request())], .connection(.protocolError)),
        Case(
            "smaller stream", [Wire.headers(5, Wire.request()), Wire.headers(3, Wire.request())],
            .connection(.protocolError)),
        Case(
            "101 streams",
            (0...100).map { Wire.headers(UInt32($0 * 2 + 1), Wire.request()) }, .stream(201, .refusedStream)),
        Case(
            "HEADERS depending on itself", [Wire.frame(1, 0x25, 1, Wire.word(1) + [15] + Wire.request())],
            .stream(1, .protocolError)),
        Case("PRIORITY depending on itself, idle", [Wire.priority(3, on: 3)], .connection(.protocolError)),
        Case("PRIORITY depending on itself", [Self.open, Wire.priority(1, on: 1)], .stream(1, .protocolError)),
    ]

    // MARK: Each type of frame (6)

    static let types = [
        Case("DATA on stream 0", [Wire.data(0, [0])], .connection(.protocolError)),
        Case(
            "DATA with padding", [Self.open, Wire.frame(0, 9, 1, [3, 1, 2, 0, 0, 0])],
            .fine([Self.openHead, "data 1 2 end"])),
        Case(
            "DATA of padding alone", [Self.open, Wire.frame(0, 9, 1, [3, 0, 0, 0])],
            .fine([Self.openHead, "end 1"])),
        Case(
            "DATA with more padding than payload", [Self.open, Wire.frame(0, 8, 1, [6, 1, 2, 3, 4, 5])],
            .connection(.protocolError)),
        Case("DATA padded without a length", [Self.open, Wire.frame(0, 8, 1)], .connection(.frameSizeError)),
        Case("HEADERS on stream 0", [Wire.headers(0, Wire.request())], .connection(.protocolError)),
        Case(
            "HEADERS with padding", [Wire.frame(1, 0xD, 1, [2] + Wire.request() + [0, 0])], .fine([Self.head])),
        Case(
            "HEADERS with priority", [Wire.frame(1, 0x25, 1, Wire.word(0x8000_0003) + [15] + Wire.request())],
            .fine([Self.head])),
        Case(
            "HEADERS with padding and priority",
            [Wire.frame(1, 0x2D, 1, [2] + Wire.word(0) + [15] + Wire.request() + [0, 0])], .fine([Self.head])),
        Case(
            "HEADERS with more padding than payload", [Wire.frame(1, 0xD, 1, [200] + Wire.request())],
            .connection(.protocolError)),
        Case("HEADERS without room for its priority", [Wire.frame(1, 0x25, 1, [0, 0])], .connection(.frameSizeError)),
        Case("PRIORITY on stream 0", [Wire.priority(0, on: 1)], .connection(.protocolError)),
        Case(
            "PRIORITY of four bytes", [Self.open, Wire.frame(2, 0, 1, [0, 0, 0, 0])], .stream(1, .frameSizeError)),
        Case("PRIORITY of four bytes, idle", [Wire.frame(2, 0, 1, [0, 0, 0, 0])], .connection(.frameSizeError)),
        Case("RST_STREAM on stream 0", [Wire.reset(0)], .connection(.protocolError)),
        Case(
            "RST_STREAM of three bytes", [Self.open, Wire.frame(3, 0, 1, [0, 0, 0])],
            .connection(.frameSizeError)),
        Case(
            "RST_STREAM with an unknown code", [Self.open, Wire.reset(1, 0xFF)],
            .fine([Self.openHead, "reset 1 255 by peer"])),
        Case("SETTINGS on a stream", [Wire.frame(4, 0, 1)], .connection(.protocolError)),
        Case("SETTINGS acknowledged with a payload", [Wire.frame(4, 1, 0, [0])], .connection(.frameSizeError)),
        Case("SETTINGS of three bytes", [Wire.frame(4, 0, 0, [0, 3, 0])], .connection(.frameSizeError)),
        Case("ENABLE_PUSH of 2", [Wire.settings([(2, 2)])], .connection(.protocolError)),
        Case(
            "INITIAL_WINDOW_SIZE of 2^31", [Wire.settings([(4, 0x8000_0000)])], .connection(.flowControlError)),
        Case("MAX_FRAME_SIZE of 16,383", [Wire.settings([(5, 16_383)])], .connection(.protocolError)),
        Case("MAX_FRAME_SIZE of 2^24", [Wire.settings([(5, 16_777_216)])], .connection(.protocolError)),
        Case("ENABLE_CONNECT_PROTOCOL of 2", [Wire.settings([(8, 2)])], .connection(.protocolError)),
        Case("an unknown setting", [Wire.settings([(0xFF, 1)]), Self.get], .fine(["settings", Self.head])),
        Case(
            "every setting at its edges",
            [Wire.settings([(1, 0), (2, 1), (3, 0), (4, 0x7FFF_FFFF), (5, 16_777_215), (6, 0)]), Self.get],
            .fine(["settings", Self.head])),
        Case("PUSH_PROMISE", [Wire.frame(5, 4, 1, Wire.word(2) + Wire.request())], .connection(.protocolError)),
        Case("PING on a stream", [Wire.frame(6, 0, 1, [0, 0, 0, 0, 0, 0, 0, 0])], .connection(.protocolError)),
        Case("PING of six bytes", [Wire.frame(6, 0, 0, [0, 0, 0, 0, 0, 0])], .connection(.frameSizeError)),
        Case("an answer to no PING", [Wire.frame(6, 1, 0, [0, 0, 0, 0, 0, 0, 0, 1])], .fine(["pong 1"])),
        Case("GOAWAY on a stream", [Wire.frame(7, 0, 1, Wire.word(0) + Wire.word(0))], .connection(.protocolError)),
        Case("GOAWAY of four bytes", [Wire.frame(7, 0, 0, Wire.word(0))], .connection(.frameSizeError)),
        Case(
            "GOAWAY with words", [Wire.frame(7, 0, 0, Wire.word(0) + Wire.word(0xFF) + [104, 105]), Self.get],
            .fine(["goaway 0 255", Self.head])),
        Case("WINDOW_UPDATE of 0", [Wire.windowUpdate(0, 0)], .connection(.protocolError)),
        Case("WINDOW_UPDATE of 0 on a stream", [Self.open, Wire.windowUpdate(1, 0)], .stream(1, .protocolError)),
        Case("WINDOW_UPDATE of three bytes", [Wire.frame(8, 0, 0, [0, 0, 1])], .connection(.frameSizeError)),
        Case(
            "WINDOW_UPDATE over 2^31 - 1", [Wire.windowUpdate(0, 0x7FFF_FFFF), Wire.windowUpdate(0, 0x7FFF_FFFF)],
            .connection(.flowControlError)),
        Case(
            "WINDOW_UPDATE over 2^31 - 1 on a stream",
            [Self.open, Wire.windowUpdate(1, 0x7FFF_FFFF), Wire.windowUpdate(1, 0x7FFF_FFFF)],
            .stream(1, .flowControlError)),
        Case(
            "INITIAL_WINDOW_SIZE that lifts a stream's window over 2^31 - 1",
            [Self.open, Wire.windowUpdate(1, 0x7FFF_0000 - 65_535), Wire.settings([(4, 0x7FFF_FFFF)])],
            .connection(.flowControlError)),
        Case(
            "CONTINUATION, several",
            [
                Wire.headers(1, [], complete: false), Wire.continuation(1, Wire.request(), complete: false),
                Wire.continuation(1, [], complete: false), Wire.continuation(1, Wire.block([("a", "b")])),
            ], .fine([Self.head])),
        Case(
            "CONTINUATION on stream 0",
            [Wire.headers(1, Wire.request(), complete: false), Wire.continuation(0, [])],
            .connection(.protocolError)),
        Case(
            "CONTINUATION on another stream",
            [Wire.headers(1, Wire.request(), complete: false), Wire.continuation(3, [])],
            .connection(.protocolError)),
        Case(
            "CONTINUATION after the end of the block", [Self.open, Wire.continuation(1, Wire.request())],
            .connection(.protocolError)),
        Case(
            "CONTINUATION after a continuation that ended the block",
            [
                Wire.headers(1, Wire.request(), complete: false), Wire.continuation(1, []),
                Wire.continuation(1, []),
            ], .connection(.protocolError)),
        Case(
            "DATA inside a header block",
            [Wire.headers(1, Wire.request(), ends: false, complete: false), Wire.data(1, [0])],
            .connection(.protocolError)),
        Case(
            "more DATA than the window",
            [Self.open] + (0..<17).map { _ in Wire.data(1, [UInt8](repeating: 0, count: 16_384)) },
            .stream(1, .flowControlError)),
    ]

    private func check(_ test: Case, _ harness: HTTP2Harness) {
        switch test.expected {
        case .fine(let events):
            #expect(harness.events == events)
            #expect(harness.connectionError == nil)
            #expect(harness.streamErrors.isEmpty)
        case .connection(let code):
            #expect(harness.connectionError == code)
            #expect(harness.events.last == "closed \(code)")
            #expect(harness.wantsClose)
        case .stream(let stream, let code):
            #expect(harness.connectionError == nil)
            #expect(harness.streamErrors == [stream: code])
        }
    }

    private func run(_ test: Case, pieceSize: Int) -> HTTP2Harness {
        let harness = HTTP2Harness()
        harness.consumes = false
        func feed(_ bytes: [UInt8]) {
            for start in stride(from: 0, to: bytes.count, by: pieceSize) {
                harness.receive(Array(bytes[start..<min(bytes.count, start + pieceSize)]))
            }
        }
        feed(test.bytes)
        if let after = test.afterAnswer {
            harness.respond(1)
            feed(after)
        }
        return harness
    }

    @Test(arguments: Self.frames + Self.states + Self.types)
    func `every rule is kept, however the bytes are cut`(test: Case) {
        let whole = self.run(test, pieceSize: 1 << 20)
        self.check(test, whole)
        let pieces = self.run(test, pieceSize: test.bytes.count > 20_000 ? 997 : 1)
        self.check(test, pieces)
        #expect(pieces.events == whole.events)
        #expect(pieces.frames == whole.frames)
        #expect(pieces.heads == whole.heads)
    }

    // MARK: The connection's start (3.4)

    @Test func `the first bytes are the preface and SETTINGS`() {
        let harness = HTTP2Harness(handshake: false)
        harness.settle()
        #expect(harness.frames == ["SETTINGS 0 30", "WINDOW_UPDATE 0 983041"])
        harness.receive(Wire.preface + Wire.settings())
        #expect(harness.frames.last == "SETTINGS 0 0 end")
        harness.receive(Wire.frame(4, 1))
        #expect(harness.events == ["settings", "settings acknowledged"])
    }

    @Test(arguments: [
        Array("GET / HTTP/1.1\r\n".utf8), Array("PRI * HTTP/2.1".utf8), Wire.preface + Wire.get.map { _ in 0 },
        Wire.preface + Wire.frame(4, 1), Wire.preface + Wire.headers(1, Wire.request()),
        Wire.preface + Wire.frame(6, 0, 0, [0, 0, 0, 0, 0, 0, 0, 0]),
    ])
    func `another start ends the connection`(bytes: [UInt8]) {
        let harness = HTTP2Harness(handshake: false)
        for byte in bytes + [UInt8](repeating: 0, count: 9) { harness.receive([byte]) }
        #expect(harness.connectionError == .protocolError)
        #expect(harness.events == ["closed PROTOCOL_ERROR"])
    }

    @Test func `the preface is told from HTTP/1 as early as possible`() {
        func match(_ text: String) -> HTTP2Preface.Match { Array(text.utf8).withUnsafeBytes { HTTP2Preface.match($0) } }
        #expect(match("") == .partial)
        #expect(match("P") == .partial)
        #expect(match("PO") == .no)
        #expect(match("PRI * HTTP/2.0\r\n\r\nSM\r\n\r") == .partial)
        #expect(match("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") == .yes)
        #expect(match("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nmore") == .yes)
    }

    // MARK: The client's side

    @Test(arguments: [
        ("DATA before the head", [Wire.data(1, [0])], ConformanceCase.Expected.stream(1, .protocolError)),
        ("a push", [Wire.frame(5, 4, 1, Wire.word(2) + Wire.request())], .connection(.protocolError)),
        ("a stream nobody opened", [Wire.headers(3, Wire.block([(":status", "200")]))], .connection(.protocolError)),
        ("an even stream", [Wire.headers(2, Wire.block([(":status", "200")]))], .connection(.protocolError)),
        ("no status", [Wire.headers(1, Wire.block([("a", "b")]))], .stream(1, .protocolError)),
        ("a request's field", [Wire.headers(1, Wire.block([(":path", "/")]))], .stream(1, .protocolError)),
        (
            "two statuses", [Wire.headers(1, Wire.block([(":status", "200"), (":status", "200")]))],
            .stream(1, .protocolError)
        ),
        ("a status of two digits", [Wire.headers(1, Wire.block([(":status", "20")]))], .stream(1, .protocolError)),
        ("a status of words", [Wire.headers(1, Wire.block([(":status", "2 0")]))], .stream(1, .protocolError)),
        ("101", [Wire.headers(1, Wire.block([(":status", "101")]), ends: false)], .stream(1, .protocolError)),
        ("an interim end", [Wire.headers(1, Wire.block([(":status", "103")]))], .stream(1, .protocolError)),
        (
            "Connection", [Wire.headers(1, Wire.block([(":status", "200"), ("connection", "close")]))],
            .stream(1, .protocolError)
        ),
        ("ENABLE_PUSH", [Wire.settings([(2, 1)])], .connection(.protocolError)),
        (
            "too short", [Wire.headers(1, Wire.block([(":status", "200"), ("content-length", "1")]))],
            .stream(1, .protocolError)
        ),
        (
            "an interim head and a final one",
            [
                Wire.headers(1, Wire.block([(":status", "103"), ("link", "x")]), ends: false),
                Wire.headers(1, Wire.block([(":status", "200")]), ends: false), Wire.data(1, [1, 2], ends: true),
            ], .fine(["head 1 HTTP/1.1 103 Early Hints", "head 1 HTTP/1.1 200 OK", "data 1 2 end"])
        ),
    ])
    func `a client keeps the rules too`(name: String, pieces: [[UInt8]], expected: ConformanceCase.Expected) {
        let harness = HTTP2Harness(.client(isSecure: false))
        #expect(harness.open() == 1)
        harness.receive(pieces.flatMap { $0 })
        self.check(Case(name, pieces, expected), harness)
    }
}
