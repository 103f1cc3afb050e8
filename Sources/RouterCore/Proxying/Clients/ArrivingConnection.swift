import NIOCore

/// A connection whose first bytes have not shown yet whose it is and what it speaks: perhaps a PROXY header, then in
/// clear text HTTP/1 or HTTP/2 by prior knowledge (RFC 9113, 3.3), or what the TLS handshake agreed on.
final class ArrivingConnection: ClientSession, ByteStreamHandler {
    private let stream: any ByteStream
    private let worker: Worker
    private let listener: ListenerFacts
    private var client: ClientAddress
    private var expectsProxyHeader: Bool
    private var input = ByteBuffer()
    private let since: UInt64
    /// When it is closed if nothing has come.
    private var leaveBy = UInt64.max
    var position: Int?

    init(_ stream: any ByteStream, _ worker: Worker, client: ClientAddress, _ listener: ListenerFacts) {
        self.stream = stream
        self.worker = worker
        self.client = client
        self.listener = listener
        // Before TLS, its handlers have read the header.
        self.expectsProxyHeader = !listener.isSecure && listener.expectsProxyHeader(from: client)
        self.since = worker.loop.now()
    }

    var wantsBytes: Bool { true }

    func received(_ bytes: ByteBuffer) {
        var bytes = bytes
        if self.input.readableBytes > 0 {
            self.input.writeBuffer(&bytes)
            bytes = self.input
        }
        guard !self.expectsProxyHeader || self.readProxyHeader(&bytes) else { return }
        switch HTTP2Preface.match(bytes) {
        case .partial: self.input = bytes.compacted()
        case .yes: self.hand(bytes, to: HTTP2Session(self.stream, self.worker, facts: self.facts))
        case .no: self.hand(bytes, to: HTTP1Session(self.stream, self.worker, facts: self.facts))
        }
    }

    /// False when there is nothing to go on with.
    private func readProxyHeader(_ bytes: inout ByteBuffer) -> Bool {
        switch bytes.withUnsafeReadableBytes({ ProxyHeader($0) }) {
        case .partial:
            self.input = bytes.compacted()
            return false
        case .malformed:
            self.stream.close()
            return false
        case .complete(let length, let client):
            bytes.moveReaderIndex(forwardBy: length)
            self.expectsProxyHeader = false
            return self.isProxied(for: client)
        }
    }

    /// A PROXY header has said whose connection it is, or nobody's but the proxy's; false when it is one too many.
    func isProxied(for client: ClientAddress?) -> Bool {
        guard let client else { return true }
        self.client = client
        if self.worker.identify(self, client) { return true }
        self.input = ByteBuffer()
        self.worker.remove(self)
        self.worker.refuse(self.stream, .tooManyConnectionsFromAddress, self.listener)
        return false
    }

    /// The TLS handshake is over.
    func agreed(on handshake: TLSHandshakeFacts) {
        switch handshake.applicationProtocol {
        case .http1: self.hand(ByteBuffer(), to: HTTP1Session(self.stream, self.worker, facts: self.facts))
        case .http2: self.hand(ByteBuffer(), to: HTTP2Session(self.stream, self.worker, facts: self.facts))
        }
    }

    private var facts: ConnectionFacts { self.worker.facts(client: self.client, self.listener) }

    private func hand(_ bytes: ByteBuffer, to session: some ClientSession & ByteStreamHandler) {
        self.input = ByteBuffer()
        self.worker.replace(self, with: session)
        self.stream.handler = session
        if bytes.readableBytes > 0 { session.received(bytes) }
    }

    func ended() { self.stream.close() }
    func becameWritable() {}
    func closed(broke: Bool) { self.worker.remove(self) }

    // MARK: What the worker asks for

    var exchanges: [Exchange] { [] }
    var heldBytes: Int { self.input.readableBytes }

    func isQuiet() -> Bool { self.stream.isQuiet() }
    var idleSince: UInt64? { self.since }
    func giveUp(atOnce: Bool) { self.stream.close() }

    func check(now: UInt64) {
        if now >= self.leaveBy, self.stream.isQuiet() { return self.stream.close() }
        // The handshake has a limit of its own.
        guard !self.listener.isSecure else { return }
        let waited = now &- min(now, self.since)
        let isSilent = self.input.readableBytes == 0
        if waited > (isSilent ? self.worker.limits.keepAlive : self.worker.limits.head) { self.stream.close() }
    }

    /// Its first request may be on its way, and is answered.
    func shutDown(idleGrace: UInt64) { self.leaveBy = self.worker.loop.now() &+ idleGrace }

    func abort(_ backends: Set<BackendID>?, _ answer: OwnAnswer) {
        if backends == nil { self.stream.close() }
    }
}
