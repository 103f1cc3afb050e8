import DequeModule
import NIOCore

@testable import RouterCore

/// Somebody who can do something at a moment that the seed chooses.
protocol Participant: AnyObject {
    var isRunnable: Bool { get }
    /// Whether it never will be again.
    var isOver: Bool { get }
    func run()
}

/// The router's end of a simulated connection. It keeps a `ByteStream`'s promises and no more: every piece of news comes
/// at a moment of its own, reading goes on only when the handler has asked for it, writes find out about ends late.
final class SimulatedStream: ByteStream, Participant {
    private enum Closing { case no, output(thenClose: Bool), outputDone }

    let cable: Cable
    private unowned let world: World
    var handler: (any ByteStreamHandler)?
    private(set) var isWritable = true
    private(set) var bufferedBytes = 0
    private(set) var mostBuffered = 0
    /// Whether the router let go of it and was told so.
    private(set) var isOver = false

    private var pending = Deque<ByteBuffer>()
    private var isFlushed = true
    private var isUnsent = false
    private var closing = Closing.no
    private var isHeld = false
    private var sawEnd = false
    private var isClosed = false
    private var hasBroken = false

    init(_ cable: Cable, _ world: World) {
        self.cable = cable
        self.world = world
    }

    var unconfirmedBytes: Int { self.bufferedBytes + self.cable.toPeer.bytes.readableBytes }
    var isOpen: Bool { !self.isClosed && !self.hasBroken && !self.sawEnd }

    func isQuiet() -> Bool {
        self.isOpen && !self.cable.isReset && !self.cable.toRouter.hasEnded
            && self.cable.toRouter.bytes.readableBytes == 0
    }

    // MARK: What the handler asks for

    func write(_ bytes: ByteBuffer) {
        guard case .no = self.closing, !self.isClosed, !self.hasBroken, bytes.readableBytes > 0 else { return }
        self.world.routerWrites(bytes, self.cable)
        self.pending.append(bytes)
        self.bufferedBytes += bytes.readableBytes
        self.mostBuffered = max(self.mostBuffered, self.bufferedBytes)
        self.isFlushed = false
    }

    func flush() {
        self.isFlushed = true
        self.isUnsent = false
        self.push()
        if self.bufferedBytes > self.world.marks.high { self.isWritable = false }
    }

    /// It is pushed when the world comes to it.
    func flushSoon() {
        self.isFlushed = true
        self.isUnsent = true
    }

    private func push() {
        guard !self.isClosed, !self.hasBroken else { return }
        while self.bufferedBytes > 0 {
            if self.cable.isReset {
                self.hasBroken = true
                return
            }
            if self.cable.peerHasClosed {
                // It arrives nowhere, and the answer is a reset.
                self.pending = []
                self.bufferedBytes = 0
                self.cable.reset()
                break
            }
            let count = min(self.pending[0].readableBytes, self.cable.toPeer.room)
            guard count > 0, let piece = self.pending[0].readSlice(length: count) else { return }
            self.cable.toPeer.bytes.writeImmutableBuffer(piece)
            self.bufferedBytes -= count
            if self.pending[0].readableBytes == 0 { self.pending.removeFirst() }
        }
        guard case .output(let thenClose) = self.closing else { return }
        self.closing = .outputDone
        self.cable.toPeer.hasEnded = true
        if thenClose { self.close() }
    }

    func resumeReading() { self.isHeld = false }

    func closeOutput() {
        guard case .no = self.closing, !self.isClosed, !self.hasBroken else { return }
        self.closing = .output(thenClose: false)
        self.flush()
    }

    func closeAfterWriting() {
        guard !self.isClosed, !self.hasBroken else { return }
        if case .outputDone = self.closing { return self.close() }
        self.closing = .output(thenClose: true)
        self.flush()
    }

    func close() {
        if self.isUnsent { self.flush() }
        guard !self.isClosed else { return }
        self.isClosed = true
        self.letGo()
    }

    private func letGo() {
        self.cable.routerHasClosed = true
        self.cable.toPeer.hasEnded = true
        if self.bufferedBytes > 0 || self.cable.toRouter.bytes.readableBytes > 0 { self.cable.reset() }
        self.pending = []
        self.bufferedBytes = 0
    }

    // MARK: What happens

    private var hasInput: Bool {
        self.cable.toRouter.bytes.readableBytes > 0 || (self.cable.toRouter.hasEnded && !self.sawEnd)
            || self.cable.isReset
    }
    private var canPush: Bool {
        self.bufferedBytes > 0 && self.isFlushed && (self.cable.toPeer.room > 0 || self.cable.isReset)
    }

    var isRunnable: Bool {
        if self.isOver { return false }
        if self.isClosed || self.hasBroken || self.canPush { return true }
        return self.handler != nil && self.hasInput && (!self.isHeld || self.cable.isReset)
    }

    func run() {
        if self.isClosed || self.hasBroken { return self.finish() }
        if self.canPush, !self.hasInput || self.world.chance(50) || self.isHeld { return self.becomeWritable() }
        guard let handler = self.handler, self.hasInput else { return }
        if !handler.wantsBytes {
            self.isHeld = true
            self.world.log("cable \(self.cable.id): reading waits")
            if self.cable.isReset { self.hasBroken = true }
            return
        }
        let count = self.world.pieceSize(self.cable.toRouter.bytes.readableBytes)
        if count > 0 {
            self.world.log("cable \(self.cable.id): \(count) bytes arrive")
            handler.received(self.cable.toRouter.read(count))
        } else if self.cable.isReset {
            self.world.log("cable \(self.cable.id): was reset")
            self.hasBroken = true
        } else {
            self.world.log("cable \(self.cable.id): its input ends")
            self.sawEnd = true
            handler.ended()
        }
    }

    private func becomeWritable() {
        self.push()
        guard !self.isWritable, self.bufferedBytes <= self.world.marks.low, !self.isClosed, !self.hasBroken else {
            return
        }
        self.isWritable = true
        self.handler?.becameWritable()
    }

    private func finish() {
        // What came before it broke.
        while !self.isClosed, self.cable.toRouter.bytes.readableBytes > 0, let handler = self.handler {
            handler.received(self.cable.toRouter.read(self.world.pieceSize(self.cable.toRouter.bytes.readableBytes)))
        }
        self.letGo()
        self.isOver = true
        let handler = self.handler
        self.handler = nil
        self.world.log("cable \(self.cable.id): closed here\(self.isClosed ? "" : ", broken")")
        handler?.closed(broke: self.hasBroken)
    }
}
