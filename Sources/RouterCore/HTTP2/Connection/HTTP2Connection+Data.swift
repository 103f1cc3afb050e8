import NIOCore

extension HTTP2Connection {
    mutating func readData(_ header: HTTP2FrameHeader, _ payload: inout ByteBuffer) throws(HTTP2Failure) {
        let stream = header.stream
        let size = header.payloadLength
        guard stream != 0 else { throw HTTP2Failure(.protocolError, "DATA on stream 0.") }
        guard size <= self.receiveWindow else {
            throw HTTP2Failure(.flowControlError, "More DATA than the connection's window allows.")
        }
        self.receiveWindow &-= size
        try Self.removePadding(header, &payload)
        guard let slot = self.live(stream) else { return try self.readLateData(stream, size) }
        let flags = self.streams[slot].flags
        if flags.contains(.remoteEnded) {
            self.giveBack(size)
            return try self.refuse(stream, .streamClosed)
        }
        guard size <= self.streams[slot].receiveWindow else {
            self.giveBack(size)
            return try self.refuse(stream, .flowControlError)
        }
        self.streams[slot].receiveWindow &-= size
        let endsStream = header.flags.contains(.endStream)
        let count = payload.readableBytes
        if count == 0, !endsStream { try self.spendIdleFrame() }
        if flags.contains(.discards) {
            self.giveBack(size)
            if endsStream {
                self.remoteEnds(slot, stream)
            } else if flags.contains(.localEnded), self.streams[slot].receiveWindow &* 8 < self.initialWindow {
                self.reset(stream: stream, code: .noError)
            }
            return
        }
        self.streams[slot].received &+= count
        let promised = self.streams[slot].promised
        guard flags.contains(.headReceived), count == 0 || !flags.contains(.bodyless),
            promised < 0 || self.streams[slot].received <= promised || flags.contains(.bodyless),
            !endsStream || self.hasPromised(slot)
        else {
            self.giveBack(size)
            return try self.refuse(stream, .protocolError)
        }
        self.streams[slot].unconsumed &+= count
        // Padding has arrived where it is going.
        if size > count { self.giveBack(slot, stream, size &- count) }
        if count > 0 {
            self.events.append(.data(stream: stream, Self.detached(payload), endsStream: endsStream))
        } else if endsStream {
            self.events.append(.endOfStream(stream: stream))
        }
        if endsStream { self.remoteEnds(slot, stream) }
    }

    /// A part of the bytes that were received shares their memory; a small part of many bytes is copied, so that it
    /// does not keep all of them in memory for as long as it waits to be passed on.
    @inline(__always)
    private static func detached(_ payload: ByteBuffer) -> ByteBuffer {
        guard payload.readableBytes <= 4096, payload.readableBytes &* 8 < payload.storageCapacity else {
            return payload
        }
        var copy = ByteBuffer()
        copy.reserveCapacity(payload.readableBytes)
        copy.writeImmutableBuffer(payload)
        return copy
    }

    /// DATA for a stream that is not there.
    private mutating func readLateData(_ stream: UInt32, _ size: Int) throws(HTTP2Failure) {
        guard !self.isUnused(stream) else {
            throw HTTP2Failure(.protocolError, "DATA on a stream that was not opened.")
        }
        self.giveBack(size)
        switch self.endedStreams.find(stream) {
        case .resetHere: if size == 0 { try self.spendIdleFrame() }
        case .resetByPeer: try self.refuse(stream, .streamClosed)
        case .complete, nil: throw HTTP2Failure(.streamClosed, "DATA on a stream that has ended.")
        }
    }

    // MARK: Windows of this end

    /// The owner has passed on so many bytes of a stream's body: only now may the peer send as many again.
    mutating func consumed(stream: UInt32, count: Int) {
        // When the stream ended, the connection's window got back all that was out.
        guard stream != 0, count > 0, let slot = self.streams.find(stream) else { return }
        let count = min(count, self.streams[slot].unconsumed)
        self.streams[slot].unconsumed &-= count
        self.giveBack(slot, stream, count)
        if self.streams[slot].flags.contains(.isOver), self.streams[slot].unconsumed == 0 {
            self.overStreams -= 1
            self.streams.remove(stream)
        }
    }

    /// Gives bytes back to a stream's window and the connection's.
    mutating func giveBack(_ slot: Int, _ stream: UInt32, _ count: Int) {
        self.giveBack(count)
        guard !self.streams[slot].flags.contains(.remoteEnded) else { return }
        self.streams[slot].unreturned &+= count
        let unreturned = self.streams[slot].unreturned
        guard unreturned > 0, unreturned &* 2 >= self.initialWindow else { return }
        self.streams[slot].unreturned = 0
        self.streams[slot].receiveWindow &+= unreturned
        self.writeWindowUpdate(stream, unreturned)
    }

    /// Gives bytes back to the connection's window, half a window at a time.
    mutating func giveBack(_ count: Int) {
        self.unreturned &+= count
        guard self.unreturned &* 2 >= self.limits.connectionWindow else { return }
        self.receiveWindow &+= self.unreturned
        self.writeWindowUpdate(0, self.unreturned)
        self.unreturned = 0
    }

    // MARK: Windows of the peer

    mutating func readWindowUpdate(_ header: HTTP2FrameHeader, _ payload: inout ByteBuffer) throws(HTTP2Failure) {
        guard payload.readableBytes == 4, let word = payload.readInteger(as: UInt32.self) else {
            throw HTTP2Failure(.frameSizeError, "WINDOW_UPDATE does not have four bytes.")
        }
        try self.spendIdleFrame()
        let increment = Int(word & 0x7FFF_FFFF)
        if header.stream == 0 {
            guard increment > 0 else { throw HTTP2Failure(.protocolError, "A WINDOW_UPDATE of nothing.") }
            self.sendWindow &+= increment
            guard self.sendWindow <= 0x7FFF_FFFF else {
                throw HTTP2Failure(.flowControlError, "The connection's window is too large.")
            }
            return
        }
        guard let slot = self.live(header.stream) else {
            guard !self.isUnused(header.stream) else {
                throw HTTP2Failure(.protocolError, "WINDOW_UPDATE on a stream that was not opened.")
            }
            return
        }
        guard increment > 0 else { return try self.refuse(header.stream, .protocolError) }
        self.streams[slot].sendWindow &+= increment
        guard self.streams[slot].sendWindow <= 0x7FFF_FFFF else {
            return try self.refuse(header.stream, .flowControlError)
        }
        self.requeue(slot, header.stream)
    }

    /// Lets a stream take part in sending if it has something to send and may.
    @inline(__always)
    mutating func requeue(_ slot: Int, _ stream: UInt32) {
        guard self.streams[slot].pendingBytes > 0, self.streams[slot].sendWindow > 0,
            !self.streams[slot].flags.contains(.isQueued)
        else { return }
        self.streams[slot].flags.insert(.isQueued)
        self.sendQueue.append(stream)
    }
}
