import NIOCore

/// One direction of a simulated connection: what the kernels on both ends hold.
struct Pipe {
    var bytes = ByteBuffer()
    var capacity: Int
    /// The sender has ended it; the end comes behind the bytes.
    var hasEnded = false

    var room: Int { max(0, self.capacity - self.bytes.readableBytes) }
    /// Whether everything has been read, and there will be no more.
    var isDry: Bool { self.hasEnded && self.bytes.readableBytes == 0 }

    mutating func read(_ count: Int) -> ByteBuffer {
        let bytes = self.bytes.readSlice(length: min(count, self.bytes.readableBytes)) ?? ByteBuffer()
        self.bytes.discardReadBytes()
        return bytes
    }
}

/// A simulated connection between the router and somebody else, as TCP behaves: in order, with an end of each direction
/// or a reset of both. What arrived before a reset can still be read.
final class Cable {
    let id: Int
    var toPeer: Pipe
    var toRouter: Pipe
    var isReset = false
    var routerHasClosed = false
    var peerHasClosed = false

    init(id: Int, capacity: Int) {
        self.id = id
        self.toPeer = Pipe(capacity: capacity)
        self.toRouter = Pipe(capacity: capacity)
    }

    // MARK: The other end

    var peerCanRead: Bool { !self.peerHasClosed && self.toPeer.bytes.readableBytes > 0 }
    var peerSeesEnd: Bool { !self.peerHasClosed && (self.toPeer.isDry || self.isReset) }
    var peerCanWrite: Bool { !self.peerHasClosed && !self.isReset && !self.toRouter.hasEnded && self.toRouter.room > 0 }

    /// Writes as much as there is room for, and takes it out of `bytes`.
    func peerWrites(_ bytes: inout ByteBuffer, atMost limit: Int) {
        guard self.peerCanWrite,
            let piece = bytes.readSlice(length: min(bytes.readableBytes, limit, self.toRouter.room))
        else { return }
        // Nobody is there any more.
        if self.routerHasClosed { return self.reset() }
        self.toRouter.bytes.writeImmutableBuffer(piece)
    }

    func peerEnds() { self.toRouter.hasEnded = true }

    func peerCloses() {
        guard !self.peerHasClosed else { return }
        self.peerHasClosed = true
        self.toRouter.hasEnded = true
        if self.toPeer.bytes.readableBytes > 0 { self.reset() }
    }

    func peerResets() {
        self.peerHasClosed = true
        self.reset()
    }

    // MARK: Both ends

    func reset() {
        self.isReset = true
        self.toPeer.bytes = ByteBuffer()
    }
}
