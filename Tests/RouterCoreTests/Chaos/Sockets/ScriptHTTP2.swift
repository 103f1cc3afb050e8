import NIOCore

@testable import RouterCore

/// One end of an HTTP/2 connection for a script: the module's own machine in the other role, and frames of any kind
/// besides. One thread uses it.
final class ScriptHTTP2 {
    let socket: ScriptSocket
    var connection: HTTP2Connection
    /// Read by ``event()``: the text of the heads, the data of the bodies.
    private(set) var heads: [UInt32: String] = [:]
    private(set) var bodies: [UInt32: String] = [:]
    private(set) var ended: Set<UInt32> = []
    private(set) var resets: [UInt32: HTTP2ErrorCode] = [:]
    private(set) var farewell: HTTP2ErrorCode?
    private(set) var wasPinged = false

    init(
        _ socket: ScriptSocket, _ role: HTTP2Connection.Role, streams: Int = 100, window: Int = 262_144,
        consumes: Bool = true
    ) {
        self.socket = socket
        self.consumes = consumes
        var limits = HTTP2Limits()
        limits.concurrentStreams = streams
        limits.streamWindow = window
        limits.connectionWindow = max(limits.connectionWindow, window)
        limits.resets = HTTP2Rate(burst: 1_000_000, perSecond: 1)
        limits.idleFrames = HTTP2Rate(burst: 1_000_000, perSecond: 1)
        self.connection = HTTP2Connection(role: role, limits: limits)
    }

    /// Whether what arrives is given back to the sender's window.
    var consumes: Bool

    // MARK: Writing

    func flush() throws {
        while let output = self.connection.takeOutput() { try self.socket.write(Array(output.readableBytesView)) }
    }

    /// Writes frames that the machine knows nothing of.
    func write(_ frames: [UInt8]...) throws {
        try self.flush()
        try self.socket.write(frames.flatMap { $0 })
    }

    /// Opens a stream with a request to the host `a`.
    @discardableResult
    func ask(_ line: String, fields: String = "", body: String? = nil, ends: Bool = true) throws -> UInt32 {
        let head = ByteBuffer(string: "\(line) HTTP/1.1\r\nHost: a\r\n\(fields)\r\n")
        let hasBody = body != nil || !ends
        // A connection's first stream may be opened before the router's settings have come.
        guard let id = self.connection.openStream(head: head, endsStream: !hasBody) else {
            throw ScriptSocket.Failure(description: "no stream can be opened")
        }
        if let body { self.connection.sendData(stream: id, ByteBuffer(string: body), endsStream: ends) }
        try self.flush()
        return id
    }

    func answer(_ stream: UInt32, _ head: String = "HTTP/1.1 200 OK", body: String = "ok", ends: Bool = true) throws {
        self.connection.sendHead(stream: stream, head: ByteBuffer(string: head + "\r\n\r\n"), endsStream: false)
        self.connection.sendData(stream: stream, ByteBuffer(string: body), endsStream: ends)
        try self.flush()
    }

    // MARK: Reading

    /// The next event, whenever it comes; throws at the end of the connection.
    @discardableResult
    func event() throws -> HTTP2Event {
        while true {
            if let event = self.connection.nextEvent() {
                self.note(event)
                try self.flush()
                return event
            }
            try self.flush()
            let bytes = try self.socket.readSome()
            guard !bytes.isEmpty else { throw ScriptSocket.Failure(description: "the connection ended") }
            self.connection.receive(ByteBuffer(bytes: bytes), now: 0)
        }
    }

    private func note(_ event: HTTP2Event) {
        switch event {
        case .head(let id, let head):
            self.heads[id] = String(buffer: head.text)
            if head.endsStream { self.ended.insert(id) }
        case .data(let id, let bytes, let ends):
            self.bodies[id, default: ""] += String(buffer: bytes)
            if self.consumes { self.connection.consumed(stream: id, count: bytes.readableBytes) }
            if ends { self.ended.insert(id) }
        case .trailers(let id, _), .endOfStream(let id): self.ended.insert(id)
        case .reset(let id, let code, _): self.resets[id] = code
        case .goAway(_, let code): self.farewell = code
        case .closed(let code, _): self.farewell = code
        case .pingAnswered: self.wasPinged = true
        default: break
        }
    }

    /// Waits until something is so.
    func wait(until condition: (ScriptHTTP2) -> Bool) throws {
        while !condition(self) { try self.event() }
    }

    /// The next request, without waiting for its body. Those for `/ok` are answered meanwhile.
    func nextHead() throws -> UInt32 {
        while true {
            guard case .head(let id, _) = try self.event() else { continue }
            guard self.heads[id]?.contains(" /ok ") == true else { return id }
            try self.answer(id)
        }
    }

    /// The next request, whole. Those for `/ok` are answered meanwhile.
    func nextRequest() throws -> UInt32 {
        while true {
            let id: UInt32
            switch try self.event() {
            case .head(let stream, let head) where head.endsStream: id = stream
            case .data(let stream, _, true), .trailers(let stream, _), .endOfStream(let stream): id = stream
            default: continue
            }
            guard self.heads[id]?.contains(" /ok ") == true else { return id }
            try self.answer(id)
        }
    }

    /// Waits for the whole answer to a request, or for its reset: the status or nil, and the body.
    func response(_ id: UInt32) throws -> (status: Int?, head: String, body: String) {
        try self.wait { $0.ended.contains(id) || $0.resets[id] != nil }
        guard self.ended.contains(id) else { return (nil, self.heads[id] ?? "", self.bodies[id] ?? "") }
        return (self.heads[id]?.status ?? 0, self.heads[id] ?? "", self.bodies[id] ?? "")
    }

    /// Answers every request until the connection ends.
    func serve() throws {
        while true { try self.answer(self.nextRequest()) }
    }
}
