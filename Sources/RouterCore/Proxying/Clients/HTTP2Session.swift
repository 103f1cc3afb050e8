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
    private var hasEnded = false
    /// What came after the connection's end.
    private var discarded = 0
    private var isGone = false
    /// When a stream began or ended last, or the client took something of what was left at the end.
    private var lastProgress: UInt64
    /// So much is read and thrown away at the end of a connection; who sends more does not look for an answer.
    private static let discardLimit = 1 << 20
    private var watch: HTTP2Watch
    /// How fast it takes what is sent, and how fast it opens its windows for more.
    private var taking = ClientPace()
    private var opening = ClientPace()
    /// How much was sent, and how much of it was taken at the last look.
    private var sent = 0
    private var taken = 0
    /// What of the machine's bytes the loop's ledger knows.
    private var counted = 0

    init(_ stream: any ByteStream, _ worker: Worker, facts: ConnectionFacts) {
        self.stream = stream
        self.worker = worker
        self.facts = facts.speaking("2.0")
        self.lastProgress = worker.loop.now()
        self.watch = HTTP2Watch(now: worker.loop.now())
        self.machine = Owned(HTTP2Connection(role: .server, limits: worker.configuration.http2Limits))
    }

    deinit { self.worker.ledger.change(by: -self.counted) }

    private func count() {
        let held = self.connection.heldBytes
        self.worker.ledger.change(by: held - self.counted)
        self.counted = held
    }

    var connection: HTTP2Connection {
        @inline(__always) unsafeAddress { UnsafePointer(self.machine.pointer) }
        @inline(__always) unsafeMutableAddress { self.machine.pointer }
    }

    // MARK: What the stream says

    /// What clients send is bounded by the windows that they are given. A client that does not read gets no answers to
    /// its frames either.
    var wantsBytes: Bool { self.stream.isWritable || self.isClosing }

    func received(_ bytes: ByteBuffer) {
        guard !self.isClosing else { return self.discard(bytes) }
        self.connection.receive(bytes, now: self.worker.loop.now())
        self.drive()
        self.connection.releaseInput()
    }

    func becameWritable() {
        self.drive()
        self.stream.resumeReading()
    }

    func ended() {
        self.hasEnded = true
        if self.isClosing { self.stream.closeAfterWriting() } else { self.leave() }
    }

    /// To close with unread input would be a reset, which can destroy what the client has not read.
    private func discard(_ bytes: ByteBuffer) {
        self.discarded += bytes.readableBytes
        if self.discarded > Self.discardLimit { self.stream.close() }
    }

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
        self.count()
        if self.connection.wantsClose { self.leave() }
    }

    /// Writes as much as the socket takes; true when there may be more events.
    private func write() -> Bool {
        var wrote = false
        while self.stream.isWritable, let output = self.connection.takeOutput() {
            self.sent &+= output.readableBytes
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
        self.lastProgress = self.worker.loop.now()
        return request
    }

    /// The request has nothing more to do. Its exchange is in the middle of something: they are let go of later.
    func finished(_ id: UInt32) {
        self.lastProgress = self.worker.loop.now()
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

    /// Nothing more is expected of the client but its own end.
    private func leave() {
        guard !self.isClosing else { return }
        self.isClosing = true
        self.lastProgress = self.worker.loop.now()
        _ = self.write()
        if self.hasEnded { self.stream.closeAfterWriting() } else { self.stream.closeOutput() }
    }

    // MARK: What the worker asks for

    var exchanges: [Exchange] { self.requests.values.map(\.exchange) }
    var heldBytes: Int {
        self.requests.values.reduce(self.stream.bufferedBytes + self.counted) { $0 + $1.exchange.allHeldBytes }
    }

    func isQuiet() -> Bool { self.stream.isQuiet() }
    var idleSince: UInt64? { self.isClosing || !self.isWithoutRequests ? nil : self.lastProgress }

    /// Whether every request has been answered and every answer sent. A client may leave a stream open all the same, by
    /// not ending a body that nobody wants.
    private var isWithoutRequests: Bool { self.requests.isEmpty && self.connection.pendingBytes == 0 }

    func giveUp(atOnce: Bool) {
        self.connection.goAway(gracefully: false)
        self.drive()
        self.leave()
        if atOnce { self.stream.close() }
    }

    func check(now: UInt64) {
        for request in Array(self.requests.values) { request.exchange.check(now: now) }
        if self.takesTooLong(now) { return self.stream.close() }
        if self.leavesTooMuch(now) { self.connection.giveUp(.enhanceYourCalm) }
        if self.isClosing {
            if now &- min(now, self.lastProgress) > self.worker.limits.linger { self.stream.close() }
            return
        }
        let (limits, isRead) = (self.worker.limits, self.stream.isWritable)
        switch self.watch.look(
            self.connection, now: now, isRead: isRead, head: limits.head, farewell: limits.linger)
        {
        case .good: break
        case .opensTooSlowly: self.connection.giveUp(.settingsTimeout)
        case .isStuck: self.connection.giveUp(.enhanceYourCalm)
        case .ignoresFarewell: self.connection.goAway(gracefully: false)
        }
        var patience = limits.keepAlive
        if case .said = self.connection.farewell { patience = limits.linger }
        let isIdle = self.isWithoutRequests && now &- min(now, self.lastProgress) > patience
        if isIdle { self.connection.goAway(gracefully: false) }
        self.drive()
        // Not even the streams end that it has left open.
        if isIdle { self.leave() }
    }

    /// The client takes too little of what all its streams send.
    private func takesTooLong(_ now: UInt64) -> Bool {
        let progress = ClientProgress(sent: self.sent, known: self.taken, self.stream)
        self.taken = progress.taken
        guard progress.isAwaited else {
            self.taking.rest()
            return false
        }
        if self.isClosing { self.lastProgress = now }
        return self.taking.isTooSlow(
            now: now, moved: progress.taken, isPaced: !self.stream.isWritable || self.isClosing,
            self.worker.limits.taking)
    }

    /// The client does not open its windows for what waits. Where that is much on all its streams together, though each of
    /// them alone may have little, it must be as fast as it has to take bytes.
    private func leavesTooMuch(_ now: UInt64) -> Bool {
        guard !self.isClosing, self.stream.isWritable, self.connection.pendingBytes > 0 else {
            self.opening.rest()
            return false
        }
        return self.opening.isTooSlow(
            now: now, moved: self.connection.dataSent,
            isPaced: self.connection.pendingBytes > self.worker.writeBufferBytes, self.worker.limits.taking)
    }

    /// A request that crosses with the announcement is answered; then the client goes.
    func shutDown(idleGrace: UInt64) {
        self.connection.goAway(gracefully: true)
        self.drive()
    }

    func abort(_ backends: Set<BackendID>?, _ refusal: OwnAnswer) {
        for request in Array(self.requests.values) {
            if let backends {
                guard let id = request.exchange.instanceID, backends.contains(id) else { continue }
            }
            request.exchange.abort(refusal, closes: backends == nil)
        }
        guard backends == nil else { return }
        self.drive()
        self.stream.close()
    }
}
