import NIOCore

/// One request over a connection to an instance that speaks HTTP/2.
final class HTTP2InstanceStream: InstanceSide {
    var owner: Exchange?
    private let connection: HTTP2InstanceConnection
    private var id: UInt32?
    private var sentEnd = false
    private var gotEnd = false
    /// Received, and not given back to the instance's window yet.
    private var unreturned = 0

    init(_ connection: HTTP2InstanceConnection) {
        self.connection = connection
    }

    // MARK: What the exchange asks for

    var canTakeMore: Bool { self.id.map { self.connection.canTakeMore($0) } ?? true }

    var bufferedBytes: Int { self.id.map { self.connection.connection.bufferedBytes(stream: $0) } ?? 0 }

    func sendHead(_ head: ByteBuffer, ends: Bool) {
        self.id = self.connection.open(self, head: head, ends: ends)
        self.sentEnd = ends
        // Since it was chosen, others have taken the last place: nothing was sent.
        if self.id == nil { self.lost(isProcessed: false) }
    }

    func send(_ bytes: ByteBuffer) {
        guard let id = self.id else { return }
        self.connection.connection.sendData(stream: id, bytes, endsStream: false)
    }

    func sendEnd(trailers: ByteBuffer) {
        guard let id = self.id, !self.sentEnd else { return }
        self.sentEnd = true
        if trailers.readableBytes > 0 {
            self.connection.connection.sendTrailers(stream: id, lines: trailers)
        } else {
            self.connection.connection.sendData(stream: id, ByteBuffer(), endsStream: true)
        }
    }

    func flush() { self.connection.drive() }
    func endOutput() { self.sendEnd(trailers: ByteBuffer()) }
    func resumeReading() { self.returnWindow() }

    func release(_ manner: ReleaseManner, to worker: Worker) {
        guard let id = self.id else { return }
        // What was received is the exchange's business now: its room in the connection's window is free.
        self.returnWindow()
        self.id = nil
        if case .reuse = manner, self.sentEnd, !self.gotEnd { return self.connection.close(id, .whole) }
        self.connection.close(id, self.sentEnd && self.gotEnd ? .complete : .brokenOff)
    }

    private func returnWindow() {
        guard self.unreturned > 0, let id = self.id else { return }
        self.connection.connection.consumed(stream: id, count: self.unreturned)
        self.unreturned = 0
        self.connection.drive()
    }

    // MARK: What the connection says

    func received(_ head: ExchangeMachine.FramedHead) {
        self.gotEnd = head.ends
        self.owner?.upstreamHead(head)
    }

    func received(_ bytes: ByteBuffer, ends: Bool) {
        self.unreturned += bytes.readableBytes
        if ends { self.gotEnd = true }
        guard let owner = self.owner else { return }
        if bytes.readableBytes > 0 { owner.upstreamBytes(bytes) }
        if ends { self.owner?.upstreamEnded(broke: false) }
        if self.owner?.client.canTakeMore == true { self.returnWindow() }
    }

    func receivedTrailers(_ lines: ByteBuffer) {
        self.gotEnd = true
        self.owner?.upstreamTrailers(lines)
    }

    func drained() { self.owner?.upstreamBecameWritable() }

    /// - Parameter isProcessed: false when the instance has certainly not looked at the request.
    func lost(isProcessed: Bool) {
        self.id = nil
        self.owner?.upstreamEnded(broke: true, isProcessed: isProcessed)
    }
}
