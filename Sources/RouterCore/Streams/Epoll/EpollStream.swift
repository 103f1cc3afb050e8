#if os(Linux)
    import CRouterIO
    import DequeModule
    import NIOCore

    #if canImport(Glibc)
        import Glibc
    #elseif canImport(Musl)
        import Musl
    #endif

    /// A connected socket on an ``EpollLoop``.
    ///
    /// A write goes to the socket at the next flush; only what the kernel does not take waits here. Events are
    /// edge-triggered: what they say is remembered (`mayRead`, `isBlocked`) until a read or a write finds out otherwise.
    final class EpollStream: ByteStream {
        private enum Closing {
            case no
            /// The end of the stream follows what waits; `thenClose` when nothing shall be left open.
            case output(thenClose: Bool)
            case outputDone
        }

        /// So many reads in a row, then others have their turn.
        private static let readsPerTurn = 4
        /// More than this does not wait: it may be a part of the loop's read buffer, which is needed for the next read.
        private static let deferredBytes = 16_384

        let descriptor: Int32
        private let loop: EpollLoop
        var handler: (any ByteStreamHandler)?

        /// What waits to be sent.
        private struct Output {
            var first = ByteBuffer()
            var rest = Deque<ByteBuffer>()
            var count = 0
        }

        private let output = Owned(Output())
        var bufferedBytes: Int { self.output.value.count }
        /// More waits than it is good to hold, and it is still to become much less.
        private var isFull = false
        /// What of ``bufferedBytes`` the loop's ledger knows.
        private var counted = 0

        private var mayRead = false
        private var sawHangUp = false
        private var sawEnd = false
        private var isBlocked = false
        private var watchesWrites = false
        private var closing = Closing.no
        private var isClosed = false
        private var hasBroken = false
        private var isCalledLater = false
        private var isDiscarded = false
        /// What waits is sent before the loop waits again.
        private var isUnsent = false
        /// Who makes it, until it is made.
        private var connection: EpollConnection?

        /// Takes over a connected, non-blocking descriptor, which must be registered by ``start()`` to be served.
        init(_ descriptor: Int32, on loop: EpollLoop) {
            self.descriptor = descriptor
            self.loop = loop
        }

        /// Registers with the loop; false when the kernel refuses.
        ///
        /// - Parameter connection: is told when the connection is made, if it is not yet.
        func start(connecting connection: EpollConnection? = nil) -> Bool {
            self.connection = connection
            self.watchesWrites = connection != nil
            return self.loop.register(self, writes: self.watchesWrites)
        }

        var isWritable: Bool {
            !self.isFull && (!self.isBlocked || self.bufferedBytes == 0 || !self.loop.ledger.isTight)
        }

        var unconfirmedBytes: Int {
            self.isDiscarded ? 0 : self.bufferedBytes + max(0, Int(slipway_io_unconfirmed(self.descriptor)))
        }

        var isOpen: Bool { !self.isClosed && !self.hasBroken && !self.sawEnd && !self.sawHangUp }

        func isQuiet() -> Bool { self.isOpen && slipway_io_is_quiet(self.descriptor) == 1 }

        // MARK: Events

        func handle(_ flags: UInt32) {
            if let connection = self.connection {
                self.connection = nil
                let error = slipway_io_socket_error(self.descriptor)
                connection.ended(error: error)
                if error != 0 { return }
            }
            if flags & UInt32(SLIPWAY_WRITABLE) != 0, self.isBlocked {
                self.isBlocked = false
                self.flush()
                self.tellWritable()
            }
            guard flags & UInt32(SLIPWAY_READABLE | SLIPWAY_HANG_UP) != 0 else { return }
            if flags & UInt32(SLIPWAY_HANG_UP) != 0 { self.sawHangUp = true }
            self.mayRead = true
            if flags & UInt32(SLIPWAY_BROKEN) != 0, self.handler?.wantsBytes == false {
                // Nobody reads, so nobody would ever find out.
                self.breakOff()
                return
            }
            self.read()
        }

        private func read() {
            var turns = 0
            while self.mayRead, !self.isClosed, !self.hasBroken, let handler = self.handler, handler.wantsBytes {
                guard turns < Self.readsPerTurn else { return self.callLater() }
                turns += 1
                switch self.loop.receive(self.descriptor) {
                case .bytes(let bytes, let isFull):
                    // Less than was asked for is all there was, unless the end follows without an event of its own.
                    if !isFull, !self.sawHangUp { self.mayRead = false }
                    handler.received(bytes)
                case .end:
                    self.mayRead = false
                    self.sawEnd = true
                    handler.ended()
                case .nothing:
                    self.mayRead = false
                case .failed:
                    self.mayRead = false
                    self.breakOff()
                }
            }
        }

        private func callLater() {
            guard !self.isCalledLater else { return }
            self.isCalledLater = true
            self.loop.callLater(self)
        }

        /// What could not be told during a call of the handler's own.
        func serveLater() {
            self.isCalledLater = false
            if self.isClosed || self.hasBroken {
                self.readRest()
                self.discard()
                let handler = self.handler
                self.handler = nil
                handler?.closed(broke: self.hasBroken)
                return
            }
            self.read()
        }

        /// What came before the connection broke: an instance that answers without waiting for the whole request, and
        /// closes, is found out by a write that fails, with its answer still in the kernel. The handler gets it even if
        /// it wants no more now, because there is no later; it is no more than a socket's receive buffer.
        private func readRest() {
            while !self.isClosed, let handler = self.handler,
                case .bytes(let bytes, _) = self.loop.receive(self.descriptor)
            {
                handler.received(bytes)
            }
        }

        func resumeReading() {
            if self.mayRead, !self.isClosed { self.callLater() }
        }

        // MARK: Writing

        func write(_ bytes: ByteBuffer) {
            guard case .no = self.closing, !self.isClosed, !self.hasBroken, bytes.readableBytes > 0 else { return }
            if self.output.value.count == 0 {
                self.output.value.first = bytes
            } else if self.isBlocked {
                self.output.value.rest.keep(bytes)
            } else {
                self.output.value.rest.append(bytes)
            }
            self.output.value.count += bytes.readableBytes
        }

        /// Tells the ledger what waits. In the steady state that is nothing.
        private func count() {
            guard self.bufferedBytes != self.counted else { return }
            self.loop.ledger.change(by: self.bufferedBytes - self.counted)
            self.counted = self.bufferedBytes
        }

        func flush() {
            self.isUnsent = false
            self.send()
            // Also when nothing could be tried, because the kernel has not taken what was there before.
            if self.bufferedBytes > self.loop.marks.high { self.isFull = true }
            self.count()
        }

        func flushSoon() {
            guard self.bufferedBytes <= Self.deferredBytes else { return self.flush() }
            guard !self.isUnsent else { return }
            self.isUnsent = true
            self.loop.flushSoon(self)
        }

        private func send() {
            guard !self.isBlocked, !self.isClosed, !self.hasBroken else { return }
            while self.output.value.count > 0 {
                let (sent, wanted) = Self.send(self.output.value, self.descriptor)
                if sent > 0 { Self.advance(&self.output.value, sent) }
                if sent == wanted { continue }
                guard sent >= 0 || sent == -Int(EAGAIN) else { return self.breakOff() }
                self.block()
                break
            }
            if self.output.value.count == 0 { self.finishOutput() }
        }

        private static func send(_ output: borrowing Output, _ descriptor: Int32) -> (sent: Int, wanted: Int) {
            guard !output.rest.isEmpty else {
                let sent = output.first.withUnsafeReadableBytes {
                    slipway_io_send(descriptor, $0.baseAddress, $0.count)
                }
                return (sent, output.count)
            }
            return withUnsafeTemporaryAllocation(of: slipway_io_piece.self, capacity: 16) { pieces in
                var count = 0
                var wanted = 0
                func add(_ buffer: ByteBuffer) {
                    // The buffer stays where it is: it is held by the stream, and nobody writes to it.
                    buffer.withUnsafeReadableBytes { bytes in
                        pieces.initializeElement(
                            at: count, to: slipway_io_piece(bytes: bytes.baseAddress, count: bytes.count))
                        wanted += bytes.count
                    }
                    count += 1
                }
                add(output.first)
                for buffer in output.rest.prefix(15) { add(buffer) }
                return (slipway_io_send_pieces(descriptor, pieces.baseAddress, Int32(count)), wanted)
            }
        }

        private static func advance(_ output: inout Output, _ count: Int) {
            output.count -= count
            if output.count == 0 {
                output.first = ByteBuffer()
                if !output.rest.isEmpty { output.rest.removeAll() }
                return
            }
            var left = count
            while left > 0 {
                let step = min(left, output.first.readableBytes)
                output.first.moveReaderIndex(forwardBy: step)
                left -= step
                if output.first.readableBytes == 0 { output.first = output.rest.popFirst() ?? ByteBuffer() }
            }
        }

        /// The kernel takes no more for now.
        private func block() {
            self.isBlocked = true
            if !self.watchesWrites {
                self.watchesWrites = true
                self.loop.watchWrites(self)
            }
            // A small rest must not keep a large read buffer from being used again.
            self.output.value.first = self.output.value.first.compacted()
            for index in self.output.value.rest.indices {
                self.output.value.rest[index] = self.output.value.rest[index].compacted()
            }
        }

        private func tellWritable() {
            if self.isFull, self.bufferedBytes <= self.loop.marks.low { self.isFull = false }
            // Also when it was not full: its source may have been held back because the ledger was tight.
            if self.isWritable, !self.isClosed { self.handler?.becameWritable() }
        }

        // MARK: The end

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

        private func finishOutput() {
            guard case .output(let thenClose) = self.closing else { return }
            self.closing = .outputDone
            if thenClose { self.close() } else { slipway_io_shut_down_output(self.descriptor) }
        }

        func close() {
            guard !self.isClosed else { return }
            if self.isUnsent { self.flush() }
            guard !self.isClosed else { return }
            self.isClosed = true
            if self.bufferedBytes > 0 { self.makeCloseReset() }
            self.discard()
            self.callLater()
        }

        /// What is cut off must not look like an orderly end. It would not even arrive: the kernel sends it behind what
        /// the peer does not read, and holds that for minutes.
        private func makeCloseReset() {
            var now = linger(l_onoff: 1, l_linger: 0)
            setsockopt(self.descriptor, SOL_SOCKET, SO_LINGER, &now, UInt32(MemoryLayout<linger>.size))
        }

        /// The connection is gone.
        private func breakOff() {
            guard !self.isClosed, !self.hasBroken else { return }
            self.hasBroken = true
            self.callLater()
        }

        /// The loop ends, and with it everything that would have ended this one.
        func abandon() {
            self.isClosed = true
            self.discard()
        }

        /// Gives the descriptor back, once.
        private func discard() {
            guard !self.isDiscarded else { return }
            self.isDiscarded = true
            self.loop.unregister(self.descriptor)
            slipway_io_close(self.descriptor)
            self.output.value = Output()
            self.count()
        }
    }
#endif
