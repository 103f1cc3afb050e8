import NIOCore

/// A connection in clear text that is one too many: it is told so, without waiting for its request, and let go of.
///
/// What the client sends is thrown away for a moment: to close with unread input would be a reset, which can destroy the
/// answer before the client has read it.
final class RefusedConnection: ByteStreamHandler {
    /// So much of what the client sends is waited out; who sends more does not look for an answer.
    private static let inputLimit = 65_536

    private let stream: any ByteStream
    private let whenGone: (RefusedConnection) -> Void
    private let since: UInt64
    private var received = 0
    private var isAnswered = false
    private var hasEnded = false

    /// - Parameter whenGone: is told when the connection is gone.
    init(_ stream: any ByteStream, now: UInt64, whenGone: @escaping (RefusedConnection) -> Void) {
        self.stream = stream
        self.since = now
        self.whenGone = whenGone
    }

    /// Sends the answer, and the end of it.
    func answer(_ bytes: ByteBuffer) {
        self.isAnswered = true
        self.stream.write(bytes)
        if self.hasEnded { self.stream.closeAfterWriting() } else { self.stream.closeOutput() }
    }

    /// Does not wait for the client's end for ever.
    func check(now: UInt64, limit: UInt64) {
        if now &- min(now, self.since) > limit { self.stream.close() }
    }

    var wantsBytes: Bool { true }

    func received(_ bytes: ByteBuffer) {
        self.received += bytes.readableBytes
        if self.received > Self.inputLimit { self.stream.close() }
    }

    /// A client may send its end with its request, and wait for the answer all the same.
    func ended() {
        self.hasEnded = true
        if self.isAnswered { self.stream.close() }
    }

    func becameWritable() {}
    func closed(broke: Bool) { self.whenGone(self) }
}
