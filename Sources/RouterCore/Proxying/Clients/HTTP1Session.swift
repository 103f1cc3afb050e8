import NIOCore

/// A client's connection that speaks HTTP/1: one exchange after the other over one stream.
final class HTTP1Session: ClientSession, ByteStreamHandler, ClientSide {
    private let stream: any ByteStream
    private let worker: Worker
    private let exchange: Exchange
    /// How much was sent, and how much of it was taken at the last look.
    private var sent = 0
    private var taken = 0
    var position: Int?

    init(_ stream: any ByteStream, _ worker: Worker, facts: ConnectionFacts) {
        self.stream = stream
        self.worker = worker
        self.exchange = Exchange(worker, facts: facts)
        self.exchange.client = self
    }

    // MARK: What the stream says

    var wantsBytes: Bool { self.exchange.wantsClientBytes() }

    func received(_ bytes: ByteBuffer) { self.exchange.clientBytes(bytes) }
    func ended() { self.exchange.clientEnded() }
    func becameWritable() { self.exchange.clientBecameWritable() }

    func closed(broke: Bool) {
        self.exchange.clientClosed()
        self.worker.remove(self)
    }

    // MARK: What the exchange asks for

    var canTakeMore: Bool { self.stream.isWritable }
    var progress: ClientProgress {
        let progress = ClientProgress(sent: self.sent, known: self.taken, self.stream)
        self.taken = progress.taken
        return progress
    }
    var arrivingBytes: Int { 0 }

    func send(_ bytes: ByteBuffer) {
        self.sent &+= bytes.readableBytes
        self.stream.write(bytes)
    }

    /// The connection counts already.
    func becomeStream() -> RouterErrorCode? { nil }
    func sendHead(_ head: ByteBuffer, ends: Bool) { self.send(head) }
    func sendEnd(trailers: ByteBuffer) {}
    func flush() { self.stream.flush() }
    func endOutput() { self.stream.closeOutput() }
    func closeAfterWriting() { self.stream.closeAfterWriting() }
    func close() { self.stream.close() }
    func resumeReading() { self.stream.resumeReading() }
    func isQuiet() -> Bool { self.stream.isQuiet() }

    // MARK: What the worker asks for

    var exchanges: [Exchange] { [self.exchange] }
    var heldBytes: Int { self.stream.bufferedBytes + self.exchange.allHeldBytes }

    var idleSince: UInt64? { self.exchange.idleSince }

    func giveUp(atOnce: Bool) {
        self.exchange.giveUp()
        if atOnce { self.stream.close() }
    }

    func check(now: UInt64) { self.exchange.check(now: now) }
    func shutDown(idleGrace: UInt64) { self.exchange.shutDown(idleGrace: idleGrace) }

    func abort(_ backends: Set<BackendID>?, _ refusal: OwnAnswer) {
        if let backends {
            guard let id = self.exchange.instanceID, backends.contains(id) else { return }
        }
        self.exchange.abort(refusal, closes: backends == nil)
    }
}
