import DequeModule
import NIOCore

extension HTTP2Connection {
    /// Opens a stream with a request (client).
    ///
    /// - Parameter head: an HTTP/1 request head with a Host field, ending in its empty line. Fields that concern an
    ///   HTTP/1 connection are left out; an upgrade is not possible.
    /// - Returns: the stream; nil when the peer allows no more of them (``availableStreams`` is 0) or the text is not a
    ///   request head.
    mutating func openStream(head: ByteBuffer, endsStream: Bool) -> UInt32? {
        guard self.availableStreams > 0 else { return nil }
        let isSecure = self.isSecure
        guard let written = head.withUnsafeReadableBytes({ self.writer.request($0, isSecure: isSecure) }) else {
            return nil
        }
        let id = self.nextStream
        self.nextStream += 2
        var stream = HTTP2Stream(id: id, sendWindow: self.peerInitialWindow, receiveWindow: self.initialWindow)
        stream.flags = endsStream ? [.headSent, .endQueued, .localEnded] : [.headSent]
        if written.isHeadRequest { stream.flags.insert(.bodyless) }
        _ = self.streams.insert(stream)
        self.idleFrames.credit(8)
        self.writeBlock(id, endsStream: endsStream)
        return id
    }

    /// Sends a response's head (server).
    ///
    /// - Parameter head: an HTTP/1 response head, ending in its empty line.
    /// - Returns: false when the text is not a final response's head, or the stream is gone or has had one; nothing
    ///   was sent then.
    @discardableResult
    mutating func sendHead(stream: UInt32, head: ByteBuffer, endsStream: Bool) -> Bool {
        guard stream != 0, let slot = self.streams.find(stream), self.isServer,
            !self.streams[slot].flags.contains(.headSent)
        else { return false }
        let opensTunnel = self.streams[slot].flags.contains(.extendedConnect)
        guard let written = head.withUnsafeReadableBytes({ self.writer.response($0, opensTunnel: opensTunnel) }) else {
            return false
        }
        guard written.status >= 200 else {
            self.writer.encoder.abandon()
            return false
        }
        self.streams[slot].flags.insert(endsStream ? [.headSent, .endQueued] : .headSent)
        self.writeBlock(stream, endsStream: endsStream)
        if endsStream { self.localEnds(slot, stream) }
        return true
    }

    /// Sends an interim response: 100, 103.
    ///
    /// - Returns: false when the text is not an interim response's head, or it comes too late.
    @discardableResult
    mutating func sendInterim(stream: UInt32, head: ByteBuffer) -> Bool {
        guard stream != 0, let slot = self.streams.find(stream), self.isServer,
            !self.streams[slot].flags.contains(.headSent)
        else { return false }
        guard let written = head.withUnsafeReadableBytes({ self.writer.response($0, opensTunnel: false) }) else {
            return false
        }
        guard written.status < 200 else {
            self.writer.encoder.abandon()
            return false
        }
        self.writeBlock(stream, endsStream: false)
        return true
    }

    /// Sends a part of a body, as soon as the peer's windows allow.
    mutating func sendData(stream: UInt32, _ data: consuming ByteBuffer, endsStream: Bool) {
        guard stream != 0, let slot = self.streams.find(stream),
            self.streams[slot].flags.intersection([.headSent, .endQueued]) == .headSent
        else { return }
        if endsStream { self.streams[slot].flags.insert(.endQueued) }
        let count = data.readableBytes
        if self.streams[slot].pendingBytes == 0, count <= Self.frameLimit, count <= self.sendWindow,
            count == 0 || count <= self.streams[slot].sendWindow, self.sendQueue.isEmpty,
            self.outputIsTaken || self.output.readableBytes < self.limits.outputBytes
        {
            guard count > 0 || endsStream else { return }
            self.sendWindow &-= count
            self.dataSent &+= count
            self.streams[slot].sendWindow &-= count
            self.writeDataHeader(stream, count, endsStream: endsStream)
            self.output.writeImmutableBuffer(data)
            if endsStream { self.localEnds(slot, stream) }
            return
        }
        // Nothing to wait for: the end alone needs no window.
        if count == 0, self.streams[slot].pendingBytes == 0 {
            guard endsStream else { return }
            self.writeDataHeader(stream, 0, endsStream: true)
            self.localEnds(slot, stream)
            return
        }
        self.streams[slot].flags.insert(.waited)
        if count > 0 {
            self.pendingBytes &+= count
            self.streams[slot].enqueue(data)
        }
        self.requeue(slot, stream)
    }

    /// Ends a body with trailers: field lines and an empty line.
    mutating func sendTrailers(stream: UInt32, lines: ByteBuffer) {
        guard stream != 0, let slot = self.streams.find(stream),
            self.streams[slot].flags.intersection([.headSent, .endQueued]) == .headSent
        else { return }
        self.streams[slot].flags.insert(.endQueued)
        if self.streams[slot].pendingBytes > 0 {
            self.streams[slot].backlog?.trailers = lines
        } else {
            self.writeTrailers(slot, stream, lines)
        }
    }

    /// Ends a stream at once; what waits to be sent on it is dropped.
    mutating func reset(stream: UInt32, code: HTTP2ErrorCode) {
        guard stream != 0, let slot = self.streams.find(stream) else { return }
        let isOver = self.streams[slot].flags.contains(.isOver)
        self.end(slot, stream, .resetHere)
        if !isOver { self.writeReset(stream, code) }
    }

    /// Does without the rest of the peer's message: it is thrown away as it comes, without events.
    ///
    /// Once this end has sent all, the stream may be reset with `NO_ERROR`, so that the peer need not go on (RFC 9113,
    /// 8.1). Some clients then forget the answer that they have just read; so that happens only to those who, with
    /// the whole answer before them, go on until the stream's window is nearly used up once more.
    mutating func stopReceiving(stream: UInt32) {
        guard stream != 0, let slot = self.streams.find(stream) else { return }
        let flags = self.streams[slot].flags
        if flags.contains(.isOver) { return self.end(slot, stream, .resetHere) }
        let unconsumed = self.streams[slot].unconsumed
        self.streams[slot].unconsumed = 0
        self.giveBack(unconsumed)
        guard flags.intersection([.discards, .remoteEnded]).isEmpty else { return }
        self.streams[slot].flags.insert(.discards)
        if flags.contains(.localEnded) { self.linger(slot, stream) }
    }

    // MARK: Inside

    /// Every peer takes frames of this size; larger ones would make others wait longer.
    static var frameLimit: Int { 16_384 }

    private mutating func writeTrailers(_ slot: Int, _ stream: UInt32, _ lines: ByteBuffer) {
        if lines.withUnsafeReadableBytes({ self.writer.trailers($0) }) != nil {
            self.writeBlock(stream, endsStream: true)
        } else {
            self.writeDataHeader(stream, 0, endsStream: true)
        }
        self.localEnds(slot, stream)
    }

    /// This end has sent all.
    private mutating func localEnds(_ slot: Int, _ stream: UInt32) {
        self.streams[slot].flags.insert(.localEnded)
        let flags = self.streams[slot].flags
        if flags.contains(.remoteEnded) {
            self.end(slot, stream, .complete)
        } else if flags.contains(.discards) {
            self.linger(slot, stream)
        }
    }

    /// Lets a client that has been answered go on for a while, in case it is just about to stop.
    private mutating func linger(_ slot: Int, _ stream: UInt32) {
        let more = self.initialWindow - self.streams[slot].receiveWindow
        guard more > 0 else { return }
        self.streams[slot].unreturned = 0
        self.streams[slot].receiveWindow += more
        self.writeWindowUpdate(stream, more)
    }

    /// Moves what waits into the output, a frame of each stream in turn.
    mutating func flush() {
        while self.sendWindow > 0, self.outputIsTaken || self.output.readableBytes < self.limits.outputBytes,
            let stream = self.sendQueue.popFirst()
        {
            guard let slot = self.streams.find(stream) else { continue }
            self.streams[slot].flags.remove(.isQueued)
            let count = min(
                self.streams[slot].pendingBytes, Self.frameLimit, self.sendWindow, self.streams[slot].sendWindow)
            guard count > 0 else { continue }
            let isLast = count == self.streams[slot].pendingBytes
            let trailers = isLast ? self.streams[slot].backlog?.trailers : nil
            let endsStream = isLast && trailers == nil && self.streams[slot].flags.contains(.endQueued)
            self.sendWindow &-= count
            self.streams[slot].sendWindow &-= count
            self.writeDataHeader(stream, count, endsStream: endsStream)
            if self.output.writableBytes < count {
                // Room for the frames that follow as well, so that it need not grow step by step.
                let expected = min(self.streams[slot].pendingBytes, self.limits.outputBytes) + 64
                self.output.reserveCapacity(minimumWritableBytes: max(count, expected))
            }
            self.pendingBytes &-= count
            self.dataSent &+= count
            self.streams[slot].dequeue(count, into: &self.output)
            guard isLast else {
                self.requeue(slot, stream)
                continue
            }
            self.streams[slot].flags.remove(.waited)
            self.events.append(.drained(stream: stream))
            if let trailers {
                self.writeTrailers(slot, stream, trailers)
            } else if endsStream {
                self.localEnds(slot, stream)
            }
        }
    }
}
