import NIOCore

/// A connection in clear text whose first bytes have not shown yet what it speaks: HTTP/1, or HTTP/2 by prior knowledge
/// (RFC 9113, 3.3).
final class ArrivingConnection: ClientSession, ByteStreamHandler {
    private let stream: any ByteStream
    private let worker: Worker
    private let facts: ConnectionFacts
    private var input = ByteBuffer()
    private let since: UInt64
    var position: Int?

    init(_ stream: any ByteStream, _ worker: Worker, facts: ConnectionFacts) {
        self.stream = stream
        self.worker = worker
        self.facts = facts
        self.since = worker.loop.now()
    }

    var wantsBytes: Bool { true }

    func received(_ bytes: ByteBuffer) {
        var bytes = bytes
        if self.input.readableBytes > 0 {
            self.input.writeBuffer(&bytes)
            bytes = self.input
        }
        switch HTTP2Preface.match(bytes) {
        case .partial: self.input = bytes.compacted()
        case .yes: self.hand(bytes, to: HTTP2Session(self.stream, self.worker, facts: self.facts))
        case .no: self.hand(bytes, to: HTTP1Session(self.stream, self.worker, facts: self.facts))
        }
    }

    private func hand(_ bytes: ByteBuffer, to session: some ClientSession & ByteStreamHandler) {
        self.input = ByteBuffer()
        self.worker.replace(self, with: session)
        self.stream.handler = session
        session.received(bytes)
    }

    func ended() { self.stream.close() }
    func becameWritable() {}
    func closed(broke: Bool) { self.worker.remove(self) }

    // MARK: What the worker asks for

    func check(now: UInt64) {
        let waited = now &- min(now, self.since)
        let limit = self.input.readableBytes == 0 ? self.worker.limits.keepAlive : self.worker.limits.head
        if waited > limit { self.stream.close() }
    }

    func shutDown() { self.stream.close() }

    func abort(_ backends: Set<BackendID>?, _ refusal: Refusal) {
        if backends == nil { self.stream.close() }
    }
}
