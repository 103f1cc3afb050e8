import NIOCore

/// A client's connection that speaks HTTP/2: an exchange per stream.
final class HTTP2Session: ClientSession, ByteStreamHandler {
    let stream: any ByteStream
    let worker: Worker
    let facts: ConnectionFacts
    var position: Int?

    private let machine: Owned<HTTP2Connection>
    private var requests: [UInt32: HTTP2Request] = [:]
    private var over: [UInt32] = []
    private var isDriving = false
    private var isClosing = false
    private var isGone = false
    private var lastProgress: UInt64

    init(_ stream: any ByteStream, _ worker: Worker, facts: ConnectionFacts) {
        self.stream = stream
        self.worker = worker
        self.facts = facts.speaking("2.0")
        self.lastProgress = worker.loop.now()
        self.machine = Owned(HTTP2Connection(role: .server, limits: worker.configuration.http2Limits))
    }

    var connection: HTTP2Connection {
        @inline(__always) unsafeAddress { UnsafePointer(self.machine.pointer) }
        @inline(__always) unsafeMutableAddress { self.machine.pointer }
    }

    // MARK: What the stream says

    /// What clients send is bounded by the windows that they are given. A client that does not read gets no answers to
    /// its frames either.
    var wantsBytes: Bool { self.stream.isWritable }

    func received(_ bytes: ByteBuffer) {
        self.lastProgress = self.worker.loop.now()
        self.connection.receive(bytes, now: self.lastProgress)
        self.drive()
        self.connection.releaseInput()
    }

    func becameWritable() {
        self.lastProgress = self.worker.loop.now()
        self.drive()
        self.stream.resumeReading()
    }

    func ended() { self.leave() }

    func closed(broke: Bool) {
        self.isGone = true
        self.loseAll()
        self.worker.remove(self)
    }

    // MARK: The loop of events

    /// Takes events and writes what there is to write, until there is neither.
    func drive() {
        guard !self.isDriving else { return }
        self.isDriving = true
        repeat {
            while let event = self.connection.nextEvent() { self.handle(event) }
        } while self.write()
        self.isDriving = false
        if self.connection.wantsClose { self.leave() }
    }

    /// Writes as much as the socket takes; true when there may be more events.
    private func write() -> Bool {
        var wrote = false
        while self.stream.isWritable, let output = self.connection.takeOutput() {
            self.stream.write(output)
            self.stream.flushSoon()
            wrote = true
        }
        return wrote
    }

    private func handle(_ event: HTTP2Event) {
        switch event {
        case .head(let id, let head): self.begin(id, head)
        case .refusedHead(let id, let refusal): self.open(id).refuse(refusal)
        case .data(let id, let bytes, let ends): self.requests[id]?.received(bytes, ends: ends)
        case .trailers(let id, let lines): self.requests[id]?.receivedTrailers(lines)
        case .endOfStream(let id): self.requests[id]?.received(ByteBuffer(), ends: true)
        case .reset(let id, _, _): self.requests[id]?.lost()
        case .drained(let id): self.requests[id]?.drained()
        case .closed:
            self.loseAll()
        case .settings, .settingsAcknowledged, .pingAnswered, .goAway:
            break
        }
    }

    private func begin(_ id: UInt32, _ head: HTTP2Head) {
        var text = head.text
        if head.isExtendedConnect {
            // The empty line moves behind the field that HTTP/1 needs.
            text.moveWriterIndex(to: text.writerIndex - 2)
            text.writeString("Sec-WebSocket-Key: \(self.worker.webSocketKey())\r\n\r\n")
        }
        self.open(id).begin(
            ExchangeMachine.FramedHead(
                text: text, ends: head.endsStream && !head.isExtendedConnect, hasLength: head.contentLength != nil))
    }

    private func open(_ id: UInt32) -> HTTP2Request {
        let request = HTTP2Request(id, self)
        self.requests[id] = request
        return request
    }

    /// The request has nothing more to do. Its exchange is in the middle of something: they are let go of later.
    func finished(_ id: UInt32) {
        self.over.append(id)
        guard self.over.count == 1 else { return }
        self.worker.loop.callSoon {
            for id in self.over { self.requests[id] = nil }
            self.over.removeAll(keepingCapacity: true)
        }
    }

    private func loseAll() {
        for request in Array(self.requests.values) { request.lost() }
    }

    /// Nothing more is expected of the client.
    private func leave() {
        guard !self.isClosing else { return }
        self.isClosing = true
        self.lastProgress = self.worker.loop.now()
        _ = self.write()
        self.stream.closeAfterWriting()
    }

    // MARK: What the worker asks for

    func check(now: UInt64) {
        for request in Array(self.requests.values) { request.exchange.check(now: now) }
        let idle = now &- min(now, self.lastProgress)
        // Also when every stream has been given up: what is left of them waits for a client that takes nothing.
        if self.isClosing || !self.stream.isWritable {
            if idle > self.worker.limits.clientStall { self.stream.close() }
        } else if self.connection.openStreams == 0, idle > self.worker.limits.keepAlive {
            self.connection.goAway(gracefully: false)
            self.drive()
        }
    }

    func shutDown() {
        self.connection.goAway(gracefully: true)
        self.drive()
    }

    func abort(_ backends: Set<BackendID>?, _ refusal: OwnAnswer) {
        for request in Array(self.requests.values) {
            if let backends {
                guard let id = request.exchange.instanceID, backends.contains(id) else { continue }
            }
            request.exchange.abort(refusal)
        }
        guard backends == nil else { return }
        self.drive()
        self.stream.close()
    }
}
