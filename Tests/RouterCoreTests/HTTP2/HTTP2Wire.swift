import NIOCore

@testable import RouterCore

/// Writes frames byte by byte, and header blocks without any compression: it shares no code with what it tests.
struct Wire {
    var bytes: [UInt8] = []

    static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

    static func frame(_ type: UInt8, _ flags: UInt8 = 0, _ stream: UInt32 = 0, _ payload: [UInt8] = []) -> [UInt8] {
        let length = payload.count
        return [UInt8(length >> 16 & 255), UInt8(length >> 8 & 255), UInt8(length & 255), type, flags]
            + self.word(stream) + payload
    }

    static func word(_ value: UInt32) -> [UInt8] {
        [UInt8(value >> 24), UInt8(value >> 16 & 255), UInt8(value >> 8 & 255), UInt8(value & 255)]
    }

    static func settings(_ values: [(UInt16, UInt32)] = []) -> [UInt8] {
        self.frame(
            4, 0, 0, values.flatMap { [UInt8($0.0 >> 8), UInt8($0.0 & 255)] + self.word($0.1) })
    }

    static func data(_ stream: UInt32, _ payload: [UInt8], ends: Bool = false) -> [UInt8] {
        self.frame(0, ends ? 1 : 0, stream, payload)
    }

    static func headers(_ stream: UInt32, _ block: [UInt8], ends: Bool = true, complete: Bool = true) -> [UInt8] {
        self.frame(1, (ends ? 1 : 0) | (complete ? 4 : 0), stream, block)
    }

    static func continuation(_ stream: UInt32, _ block: [UInt8], complete: Bool = true) -> [UInt8] {
        self.frame(9, complete ? 4 : 0, stream, block)
    }

    static func windowUpdate(_ stream: UInt32, _ increment: UInt32) -> [UInt8] {
        self.frame(8, 0, stream, self.word(increment))
    }

    static func reset(_ stream: UInt32, _ code: UInt32 = 8) -> [UInt8] { self.frame(3, 0, stream, self.word(code)) }

    static func priority(_ stream: UInt32, on dependency: UInt32) -> [UInt8] {
        self.frame(2, 0, stream, self.word(dependency) + [15])
    }

    static func string(_ text: String) -> [UInt8] { self.integer(text.utf8.count, prefix: 7, pattern: 0) + text.utf8 }

    static func integer(_ value: Int, prefix: Int, pattern: UInt8) -> [UInt8] {
        let mask = (1 << prefix) - 1
        if value < mask { return [pattern | UInt8(value)] }
        var rest = value - mask
        var bytes = [pattern | UInt8(mask)]
        while rest > 127 {
            bytes.append(UInt8(rest & 127) | 128)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }

    /// Fields as literals that are not indexed.
    static func block(_ fields: [(String, String)]) -> [UInt8] {
        fields.flatMap { [0] + self.string($0.0) + self.string($0.1) }
    }

    static let get = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "example.com")]
    static let post = [(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "example.com")]

    /// A request's block, with more fields.
    static func request(_ more: [(String, String)] = [], _ base: [(String, String)] = Wire.get) -> [UInt8] {
        self.block(base + more)
    }
}

/// A frame that a machine wrote.
struct SentFrame: Equatable, CustomStringConvertible {
    var type: UInt8
    var flags: UInt8
    var stream: UInt32
    var payload: [UInt8]

    func word(_ offset: Int) -> UInt32 {
        self.payload[offset..<(offset + 4)].reduce(0) { $0 << 8 | UInt32($1) }
    }

    var description: String {
        let names = [
            "DATA", "HEADERS", "PRIORITY", "RST_STREAM", "SETTINGS", "PUSH_PROMISE", "PING", "GOAWAY",
            "WINDOW_UPDATE", "CONTINUATION",
        ]
        let name = Int(self.type) < names.count ? names[Int(self.type)] : "\(self.type)"
        switch self.type {
        case 3: return "\(name) \(self.stream) \(HTTP2ErrorCode(rawValue: self.word(0)))"
        case 7: return "\(name) \(self.word(0)) \(HTTP2ErrorCode(rawValue: self.word(4)))"
        case 8: return "\(name) \(self.stream) \(self.word(0))"
        default:
            return "\(name) \(self.stream) \(self.payload.count)\(self.flags & 1 != 0 ? " end" : "")"
        }
    }

    static func parse(_ bytes: [UInt8]) -> [SentFrame] {
        var frames: [SentFrame] = []
        var rest = bytes[...]
        while rest.count >= 9 {
            let head = Array(rest.prefix(9))
            let length = Int(head[0]) << 16 | Int(head[1]) << 8 | Int(head[2])
            let stream = head[5...].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            frames.append(
                SentFrame(
                    type: head[3], flags: head[4], stream: stream, payload: Array(rest.dropFirst(9).prefix(length))))
            rest = rest.dropFirst(9 + length)
        }
        return frames
    }
}

/// Plays the peer of a machine, and the owner that only writes down what it is told.
final class HTTP2Harness {
    var machine: HTTP2Connection
    var events: [String] = []
    /// What the machine sent, without its first bytes.
    var sent: [SentFrame] = []
    var now: UInt64 = 1
    /// Whether DATA counts as passed on at once.
    var consumes = true
    /// The texts of the heads and trailers.
    var heads: [String] = []

    init(
        _ role: HTTP2Connection.Role = .server, handshake: Bool = true, settings: [(UInt16, UInt32)] = [],
        limits: (inout HTTP2Limits) -> Void = { _ in }
    ) {
        var configured = HTTP2Limits()
        limits(&configured)
        self.machine = HTTP2Connection(role: role, limits: configured)
        guard handshake else { return }
        if case .server = role { self.receive(Wire.preface) }
        self.receive(Wire.settings(settings) + Wire.frame(4, 1))
        self.events = []
        self.sent = []
    }

    func receive(_ bytes: [UInt8]) {
        self.machine.receive(ByteBuffer(bytes: bytes), now: self.now)
        self.settle()
    }

    func settle() {
        while true {
            while let event = self.machine.nextEvent() { self.note(event) }
            guard let output = self.machine.takeOutput() else { return }
            let start = Array(output.readableBytesView)
            self.sent += SentFrame.parse(start.starts(with: Wire.preface) ? Array(start.dropFirst(24)) : start)
        }
    }

    private func text(_ buffer: ByteBuffer) -> String {
        let text = String(decoding: buffer.readableBytesView, as: UTF8.self)
        self.heads.append(text)
        return text.split(separator: "\r\n").first.map(String.init) ?? ""
    }

    private func note(_ event: HTTP2Event) {
        switch event {
        case .head(let stream, let head):
            self.events.append("head \(stream) \(self.text(head.text))\(head.endsStream ? " end" : "")")
        case .refusedHead(let stream, let refusal): self.events.append("refused \(stream) \(refusal)")
        case .data(let stream, let data, let ends):
            self.events.append("data \(stream) \(data.readableBytes)\(ends ? " end" : "")")
            if self.consumes { self.machine.consumed(stream: stream, count: data.readableBytes) }
        case .trailers(let stream, let lines): self.events.append("trailers \(stream) \(self.text(lines))")
        case .endOfStream(let stream): self.events.append("end \(stream)")
        case .reset(let stream, let code, let byPeer):
            self.events.append("reset \(stream) \(code)\(byPeer ? " by peer" : "")")
        case .drained(let stream): self.events.append("drained \(stream)")
        case .settings: self.events.append("settings")
        case .settingsAcknowledged: self.events.append("settings acknowledged")
        case .pingAnswered(let value): self.events.append("pong \(value)")
        case .goAway(let last, let code): self.events.append("goaway \(last) \(code)")
        case .closed(let code, _): self.events.append("closed \(code)")
        }
    }

    var openStreams: Int { self.machine.openStreams }
    var wantsClose: Bool { self.machine.wantsClose }
    var availableStreams: Int { self.machine.availableStreams }

    /// Opens a stream, as a client.
    func open(_ head: String = "GET / HTTP/1.1\r\nHost: a\r\n\r\n", ends: Bool = true) -> UInt32? {
        let stream = self.machine.openStream(head: ByteBuffer(string: head), endsStream: ends)
        self.settle()
        return stream
    }

    /// Answers a request without a body.
    func respond(_ stream: UInt32, _ head: String = "HTTP/1.1 200 OK\r\n\r\n", ends: Bool = true) {
        self.machine.sendHead(stream: stream, head: ByteBuffer(string: head), endsStream: ends)
        self.settle()
    }

    func send(_ stream: UInt32, _ count: Int, ends: Bool = false) {
        self.queue(stream, count, ends: ends)
        self.settle()
    }

    /// Sends a part of a body without taking the output.
    func queue(_ stream: UInt32, _ count: Int, ends: Bool = false) {
        self.machine.sendData(
            stream: stream, ByteBuffer(repeating: UInt8(ascii: "x"), count: count), endsStream: ends)
    }

    func sendTrailers(_ stream: UInt32, _ lines: String) {
        self.machine.sendTrailers(stream: stream, lines: ByteBuffer(string: lines))
        self.settle()
    }

    func sendHead(_ stream: UInt32, _ head: String) -> Bool {
        self.machine.sendHead(stream: stream, head: ByteBuffer(string: head), endsStream: true)
    }

    func sendInterim(_ stream: UInt32, _ head: String) -> Bool {
        self.machine.sendInterim(stream: stream, head: ByteBuffer(string: head))
    }

    func buffered(_ stream: UInt32) -> Int { self.machine.bufferedBytes(stream: stream) }

    /// The next piece of output.
    func takeOutput() -> [UInt8]? { self.machine.takeOutput().map { Array($0.readableBytesView) } }

    /// Gives the machine bytes and drops its events, without taking output.
    func receiveOnly(_ bytes: [UInt8]) {
        self.machine.receive(ByteBuffer(bytes: bytes), now: self.now)
        while self.machine.nextEvent() != nil {}
    }

    var frames: [String] { self.sent.map(\.description) }
    /// The code of the connection error, if there was one.
    var connectionError: HTTP2ErrorCode? {
        self.sent.first { $0.type == 7 }.map { HTTP2ErrorCode(rawValue: $0.word(4)) }
    }
    /// The streams that were reset, with their codes.
    var streamErrors: [UInt32: HTTP2ErrorCode] {
        Dictionary(
            self.sent.filter { $0.type == 3 }.map { ($0.stream, HTTP2ErrorCode(rawValue: $0.word(0))) },
            uniquingKeysWith: { first, _ in first })
    }
}
