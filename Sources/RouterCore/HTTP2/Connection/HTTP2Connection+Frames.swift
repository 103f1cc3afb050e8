import NIOCore

extension HTTP2Connection {
    /// Reads one frame; false when it is not complete.
    mutating func readFrame() throws(HTTP2Failure) -> Bool {
        switch self.phase {
        case .closed: return false
        case .preface:
            guard try self.readPreface() else { return false }
        case .settings, .open: break
        }
        guard let header = HTTP2FrameHeader.peek(self.input) else { return false }
        guard header.payloadLength <= self.limits.frameBytes else {
            throw HTTP2Failure(.frameSizeError, "A frame is larger than the settings allow.")
        }
        try self.checkOrder(header)
        self.input.moveReaderIndex(forwardBy: HTTP2FrameHeader.length)
        guard var payload = self.input.readSlice(length: header.payloadLength) else {
            self.input.moveReaderIndex(to: self.input.readerIndex - HTTP2FrameHeader.length)
            return false
        }
        // Let go of the owner's buffer, so that it can be used for the next bytes.
        if self.input.readableBytes == 0 { self.input = ByteBuffer() }
        self.phase = .open
        try self.read(header, &payload)
        guard self.answerBytes <= self.limits.unreadAnswerBytes else {
            throw HTTP2Failure(.enhanceYourCalm, "Too many answers wait to be read.")
        }
        return true
    }

    private mutating func readPreface() throws(HTTP2Failure) -> Bool {
        switch HTTP2Preface.match(self.input) {
        case .no: throw HTTP2Failure(.protocolError, "The connection does not start with the client preface.")
        case .partial: return false
        case .yes:
            self.input.moveReaderIndex(forwardBy: HTTP2Preface.length)
            self.phase = .settings
            return true
        }
    }

    /// Checks what can be said before the payload is there.
    @inline(__always)
    private func checkOrder(_ header: HTTP2FrameHeader) throws(HTTP2Failure) {
        if case .settings = self.phase {
            guard header.type == HTTP2FrameType.settings, !header.flags.contains(.acknowledgement) else {
                throw HTTP2Failure(.protocolError, "The first frame is not SETTINGS.")
            }
        }
        if let partial = self.partialBlock {
            guard header.type == HTTP2FrameType.continuation, header.stream == partial.stream else {
                throw HTTP2Failure(.protocolError, "A header block is interrupted by another frame.")
            }
        }
    }

    @inline(__always)
    private mutating func read(_ header: HTTP2FrameHeader, _ payload: inout ByteBuffer) throws(HTTP2Failure) {
        switch header.type {
        case HTTP2FrameType.data: try self.readData(header, &payload)
        case HTTP2FrameType.headers: try self.readHeaders(header, &payload)
        case HTTP2FrameType.continuation: try self.readContinuation(header, payload)
        case HTTP2FrameType.windowUpdate: try self.readWindowUpdate(header, &payload)
        case HTTP2FrameType.resetStream: try self.readReset(header, &payload)
        case HTTP2FrameType.settings: try self.readSettings(header, &payload)
        case HTTP2FrameType.ping: try self.readPing(header, &payload)
        case HTTP2FrameType.goAway: try self.readGoAway(header, &payload)
        case HTTP2FrameType.priority: try self.readPriority(header, &payload)
        case HTTP2FrameType.pushPromise:
            throw HTTP2Failure(.protocolError, "PUSH_PROMISE is not allowed here.")
        default:
            // RFC 9113, 5.5: extensions are ignored.
            try self.spendIdleFrame()
        }
    }

    /// Takes the padding away from a frame that may have some.
    @inline(__always)
    static func removePadding(_ header: HTTP2FrameHeader, _ payload: inout ByteBuffer) throws(HTTP2Failure) {
        guard header.flags.contains(.padded) else { return }
        guard let padding = payload.readInteger(as: UInt8.self) else {
            throw HTTP2Failure(.frameSizeError, "A padded frame has no room for the length of its padding.")
        }
        guard Int(padding) <= payload.readableBytes else {
            throw HTTP2Failure(.protocolError, "A frame's padding is longer than the frame.")
        }
        payload.moveWriterIndex(to: payload.writerIndex - Int(padding))
    }

    /// Counts a frame that moves nothing.
    @inline(__always)
    mutating func spendIdleFrame() throws(HTTP2Failure) {
        guard self.idleFrames.spend(now: self.now) else {
            throw HTTP2Failure(.enhanceYourCalm, "Too many frames that serve no request.")
        }
    }

    /// Counts a stream that cost this end a request, or the work to refuse one, for nothing.
    ///
    /// Only clients are counted: an instance gains nothing by it, and is the platform's own.
    mutating func spendReset() throws(HTTP2Failure) {
        guard !self.isServer || self.resets.spend(now: self.now) else {
            throw HTTP2Failure(.enhanceYourCalm, "Too many streams were reset.")
        }
    }

    /// Ends the connection by an error: tells the peer, forgets the streams.
    mutating func fail(_ failure: HTTP2Failure) {
        var lastStream = self.lastPeerStream
        // It must not grow after it was said.
        if case .said(let said) = self.farewell { lastStream = min(lastStream, said) }
        self.writeGoAway(lastStream: lastStream, failure.code, debug: failure.reason)
        self.phase = .closed
        self.input = ByteBuffer()
        self.partialBlock = nil
        self.streams.removeAll()
        self.overStreams = 0
        self.pendingBytes = 0
        self.sendQueue.removeAll()
        self.events.append(.closed(failure.code, reason: failure.reason))
    }

    // MARK: Streams that have an error or are gone

    /// Resets a stream because of what the peer did. The owner hears of it if it knows the stream.
    mutating func refuse(_ stream: UInt32, _ code: HTTP2ErrorCode) throws(HTTP2Failure) {
        if let slot = self.live(stream) {
            self.events.append(.reset(stream: stream, code, byPeer: false))
            self.end(slot, stream, .resetHere)
        } else {
            self.endedStreams.record(stream, .resetHere)
        }
        self.writeReset(stream, code)
        try self.spendReset()
    }

    /// Whether a stream that is not in the table has never been used.
    @inline(__always)
    func isUnused(_ stream: UInt32) -> Bool {
        // Nobody pushes, so that no stream has an even number.
        stream & 1 == 0 || (self.isServer ? stream > self.lastPeerStream : stream >= self.nextStream)
    }

    /// A stream that has not ended. Its identifier must not be 0.
    @inline(__always)
    func live(_ stream: UInt32) -> Int? {
        guard let slot = self.streams.find(stream), !self.streams[slot].flags.contains(.isOver) else { return nil }
        return slot
    }

    /// Takes a stream out of the table.
    ///
    /// A response that has ended may still be on its way through the owner: until it has passed all of it on, the
    /// connection's window stays so much smaller. In every other case nobody wants what the owner still holds.
    mutating func end(_ slot: Int, _ stream: UInt32, _ ending: HTTP2EndedStreams.Ending) {
        self.endedStreams.record(stream, ending)
        let unconsumed = self.streams[slot].unconsumed
        if unconsumed > 0, ending == .complete, !self.isServer {
            self.streams[slot].flags.insert(.isOver)
            self.overStreams += 1
            return
        }
        if self.streams[slot].flags.contains(.isOver) { self.overStreams -= 1 }
        self.pendingBytes &-= self.streams[slot].pendingBytes
        self.streams.remove(stream)
        if unconsumed > 0 { self.giveBack(unconsumed) }
    }
}
