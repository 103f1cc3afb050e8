import NIOCore

/// One stream of an HTTP/2 client's connection: the client's side of one exchange.
final class HTTP2Request: ClientSide {
    private let id: UInt32
    /// Owns this request, and forgets it when it is over.
    private unowned let session: HTTP2Session
    let exchange: Exchange

    private var sent = 0
    private var sentEnd = false
    private var isOver = false
    /// Received, and not given back to the client's window yet.
    private var unreturned = 0
    /// What it is counted for, once it lasts.
    private var seat: StreamSeat?

    init(_ id: UInt32, _ session: HTTP2Session) {
        self.id = id
        self.session = session
        self.exchange = Exchange(session.worker, facts: session.facts, dialect: .frames)
        self.exchange.client = self
    }

    // MARK: What the session says

    func begin(_ head: ExchangeMachine.FramedHead) { self.exchange.clientHead(head) }

    func refuse(_ refusal: HTTP2HeadRefusal) {
        switch refusal {
        case .headersTooLarge: self.exchange.refuseHead(OwnAnswer(.headersTooLarge))
        case .connect: self.exchange.refuseHead(OwnAnswer(.methodNotAllowed))
        case .unknownProtocol: self.exchange.refuseHead(OwnAnswer(.notImplemented))
        }
    }

    func received(_ bytes: ByteBuffer, ends: Bool) {
        self.unreturned += bytes.readableBytes
        if bytes.readableBytes > 0 { self.exchange.clientBytes(bytes) }
        if ends { self.exchange.clientEnded() }
        if self.exchange.wantsClientBytes() { self.returnWindow() }
    }

    func receivedTrailers(_ lines: ByteBuffer) { self.exchange.clientTrailers(lines) }

    func drained() { self.exchange.clientBecameWritable() }

    /// The client takes nothing more of it.
    func lost() {
        guard !self.isOver else { return }
        self.sentEnd = true
        self.exchange.clientClosed()
        self.finish()
    }

    private func returnWindow() {
        guard self.unreturned > 0 else { return }
        self.session.connection.consumed(stream: self.id, count: self.unreturned)
        self.unreturned = 0
    }

    // MARK: What the exchange asks for

    private var bufferedBytes: Int { self.session.connection.bufferedBytes(stream: self.id) }
    /// What the client's windows hold back. When it is the connection that is slow, its session takes care.
    var progress: ClientProgress {
        let buffered = self.bufferedBytes
        return ClientProgress(
            taken: self.sent - buffered, isAwaited: buffered > 0 && self.session.stream.isWritable)
    }
    var arrivingBytes: Int { self.session.connection.arrivingBytes(stream: self.id) }
    var canTakeMore: Bool {
        let (buffered, worker) = (self.bufferedBytes, self.session.worker)
        return buffered == 0 || buffered < worker.writeBufferBytes && !worker.ledger.isTight
    }

    /// It takes what a connection takes, one to the instance among it, and so it counts as one: else a client had a hundred
    /// times as many as it may.
    func becomeStream() -> RouterErrorCode? {
        guard self.seat == nil else { return nil }
        let worker = self.session.worker
        switch worker.takeSeat(for: self.session.facts.client) {
        case .success(let network):
            self.seat = StreamSeat(worker.census, network)
            return nil
        case .failure(let refusal): return refusal.code
        }
    }

    func send(_ bytes: ByteBuffer) {
        guard !self.sentEnd else { return }
        self.sent &+= bytes.readableBytes
        self.session.connection.sendData(stream: self.id, bytes, endsStream: false)
    }

    func sendHead(_ head: ByteBuffer, ends: Bool) {
        guard !self.sentEnd else { return }
        let isSent: Bool
        if Self.isInterim(head) {
            isSent = self.session.connection.sendInterim(stream: self.id, head: head)
        } else {
            self.sentEnd = ends
            isSent = self.session.connection.sendHead(stream: self.id, head: head, endsStream: ends)
        }
        if !isSent { self.reset(.internalError) }
    }

    /// 101 is a final response here: what it opens is the stream.
    private static func isInterim(_ head: ByteBuffer) -> Bool {
        head.withUnsafeReadableBytes { $0.count > 11 && $0[9] == 0x31 && !($0[10] == 0x30 && $0[11] == 0x31) }
    }

    func sendEnd(trailers: ByteBuffer) {
        guard !self.sentEnd else { return }
        self.sentEnd = true
        if trailers.readableBytes > 0 {
            self.session.connection.sendTrailers(stream: self.id, lines: trailers)
        } else {
            self.session.connection.sendData(stream: self.id, ByteBuffer(), endsStream: true)
        }
    }

    func endOutput() {
        self.sendEnd(trailers: ByteBuffer())
        // Nothing else may happen on the connection: the client waits for this end.
        self.session.drive()
    }

    func flush() { self.session.drive() }
    func isQuiet() -> Bool { true }
    func resumeReading() {
        self.returnWindow()
        // This may be all that happens on the connection: the client waits for its window.
        self.session.drive()
    }

    func closeAfterWriting() {
        guard !self.isOver else { return }
        if self.sentEnd {
            // What the client still sends is of no use.
            self.session.connection.stopReceiving(stream: self.id)
        } else {
            self.reset(.internalError)
        }
        self.finish()
        self.session.drive()
    }

    func close() {
        guard !self.isOver else { return }
        self.reset(.cancel)
        self.finish()
        self.session.drive()
    }

    private func reset(_ code: HTTP2ErrorCode) {
        self.sentEnd = true
        self.session.connection.reset(stream: self.id, code: code)
    }

    private func finish() {
        guard !self.isOver else { return }
        self.isOver = true
        self.returnWindow()
        self.session.finished(self.id)
    }
}
