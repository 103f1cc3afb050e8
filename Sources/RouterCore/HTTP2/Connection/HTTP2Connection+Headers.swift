import NIOCore

extension HTTP2Connection {
    mutating func readHeaders(_ header: HTTP2FrameHeader, _ payload: inout ByteBuffer) throws(HTTP2Failure) {
        guard header.stream != 0 else { throw HTTP2Failure(.protocolError, "HEADERS on stream 0.") }
        try Self.removePadding(header, &payload)
        var dependsOnItself = false
        if header.flags.contains(.priority) {
            guard payload.readableBytes >= 5, let dependency = payload.readInteger(as: UInt32.self) else {
                throw HTTP2Failure(.frameSizeError, "HEADERS has no room for its priority.")
            }
            payload.moveReaderIndex(forwardBy: 1)
            dependsOnItself = dependency & 0x7FFF_FFFF == header.stream
        }
        guard header.flags.contains(.endHeaders) else {
            guard payload.readableBytes <= self.limits.headerBlockBytes else { throw Self.blockTooLarge }
            self.partialBlock = PartialBlock(
                stream: header.stream, endsStream: header.flags.contains(.endStream),
                dependsOnItself: dependsOnItself, bytes: payload.compacted())
            return
        }
        try self.readBlock(
            payload, stream: header.stream, endsStream: header.flags.contains(.endStream),
            dependsOnItself: dependsOnItself)
    }

    private static var blockTooLarge: HTTP2Failure {
        HTTP2Failure(.enhanceYourCalm, "A header block is too large.")
    }

    mutating func readContinuation(_ header: HTTP2FrameHeader, _ payload: ByteBuffer) throws(HTTP2Failure) {
        guard var partial = self.partialBlock else {
            throw HTTP2Failure(.protocolError, "CONTINUATION without a header block to continue.")
        }
        self.partialBlock = nil
        partial.frames += 1
        guard partial.frames <= self.limits.continuationFrames,
            partial.bytes.readableBytes + payload.readableBytes <= self.limits.headerBlockBytes
        else { throw Self.blockTooLarge }
        partial.bytes.writeImmutableBuffer(payload)
        guard header.flags.contains(.endHeaders) else {
            self.partialBlock = partial
            return
        }
        try self.readBlock(
            partial.bytes, stream: partial.stream, endsStream: partial.endsStream,
            dependsOnItself: partial.dependsOnItself)
    }

    /// A complete header block: every one is decoded, wanted or not, because the next one depends on it.
    private mutating func readBlock(
        _ block: ByteBuffer, stream: UInt32, endsStream: Bool, dependsOnItself: Bool
    ) throws(HTTP2Failure) {
        if let slot = self.live(stream) {
            try self.readKnown(block, slot: slot, stream: stream, endsStream: endsStream, isBad: dependsOnItself)
        } else if self.isUnused(stream) {
            guard self.isServer, stream & 1 == 1 else {
                throw HTTP2Failure(.protocolError, "HEADERS on a stream that this peer cannot open.")
            }
            try self.readRequest(block, stream: stream, endsStream: endsStream, isBad: dependsOnItself)
        } else {
            _ = try self.decode(block, as: .discarded)
            switch self.endedStreams.find(stream) {
            case .resetHere: try self.spendIdleFrame()
            case .resetByPeer: try self.refuse(stream, .streamClosed)
            case .complete: throw HTTP2Failure(.streamClosed, "HEADERS on a stream that has ended.")
            case nil: throw HTTP2Failure(.protocolError, "HEADERS on a stream that was passed over or has ended.")
            }
        }
    }

    /// Decodes a block into the reader.
    private mutating func decode(
        _ block: ByteBuffer, as kind: HTTP2HeadReader.Kind
    ) throws(HTTP2Failure) -> HTTP2HeadReader.Verdict {
        self.decoder.begin()
        self.reader.begin(kind)
        let error = block.withUnsafeReadableBytes { bytes -> HPACKError? in
            var position = 0
            do throws(HPACKError) {
                while let field = try self.decoder.next(bytes, &position) { self.reader.add(field) }
                return nil
            } catch {
                return error
            }
        }
        guard error == nil else { throw HTTP2Failure(.compressionError, "A header block cannot be decoded.") }
        return self.reader.finish()
    }

    // MARK: Requests

    private mutating func readRequest(
        _ block: ByteBuffer, stream: UInt32, endsStream: Bool, isBad: Bool
    ) throws(HTTP2Failure) {
        self.lastPeerStream = stream
        self.idleFrames.credit(8)
        if case .said = self.farewell {
            // The peer has been told that this stream is not looked at.
            _ = try self.decode(block, as: .discarded)
            self.endedStreams.record(stream, .resetHere)
            return
        }
        guard self.openStreams < self.limits.concurrentStreams else {
            _ = try self.decode(block, as: .discarded)
            return try self.refuse(stream, .refusedStream)
        }
        let verdict = try self.decode(block, as: .request)
        let promised = self.reader.contentLength ?? -1
        if isBad || verdict == .malformed || (endsStream && promised > 0) {
            return try self.refuse(stream, .protocolError)
        }
        var new = HTTP2Stream(id: stream, sendWindow: self.peerInitialWindow, receiveWindow: self.initialWindow)
        if endsStream { new.flags.insert(.remoteEnded) }
        new.flags.insert(.headReceived)
        new.promised = promised
        switch verdict {
        case .good:
            if self.reader.isExtendedConnect { new.flags.insert(.extendedConnect) }
            _ = self.streams.insert(new)
            self.events.append(.head(stream: stream, self.takeHead(endsStream: endsStream)))
        case .malformed: break
        case .tooLarge: self.refuseHead(new, .headersTooLarge)
        case .connect: self.refuseHead(new, .connect)
        case .unknownProtocol: self.refuseHead(new, .unknownProtocol)
        }
    }

    private mutating func refuseHead(_ stream: HTTP2Stream, _ refusal: HTTP2HeadRefusal) {
        var stream = stream
        stream.flags.insert(.discards)
        stream.promised = -1
        _ = self.streams.insert(stream)
        self.events.append(.refusedHead(stream: stream.id, refusal))
    }

    private mutating func takeHead(endsStream: Bool) -> HTTP2Head {
        self.reader.copy(into: &self.head)
        return HTTP2Head(
            text: self.head, status: self.reader.status, contentLength: self.reader.contentLength,
            endsStream: endsStream, isExtendedConnect: self.reader.isExtendedConnect)
    }

    // MARK: Responses and trailers

    private mutating func readKnown(
        _ block: ByteBuffer, slot: Int, stream: UInt32, endsStream: Bool, isBad: Bool
    ) throws(HTTP2Failure) {
        let flags = self.streams[slot].flags
        if flags.contains(.remoteEnded) {
            _ = try self.decode(block, as: .discarded)
            return try self.refuse(stream, .streamClosed)
        }
        if flags.contains(.discards) {
            _ = try self.decode(block, as: .discarded)
            if endsStream { self.remoteEnds(slot, stream) }
            return
        }
        if flags.contains(.headReceived) {
            try self.readTrailers(block, slot: slot, stream: stream, endsStream: endsStream, isBad: isBad)
        } else {
            try self.readResponse(block, slot: slot, stream: stream, endsStream: endsStream, isBad: isBad)
        }
    }

    private mutating func readResponse(
        _ block: ByteBuffer, slot: Int, stream: UInt32, endsStream: Bool, isBad: Bool
    ) throws(HTTP2Failure) {
        switch try self.decode(block, as: .response) {
        case .good: break
        case .tooLarge: return try self.refuse(stream, .enhanceYourCalm)
        case .malformed, .connect, .unknownProtocol: return try self.refuse(stream, .protocolError)
        }
        let status = self.reader.status
        if status < 200 {
            guard !endsStream, !isBad else { return try self.refuse(stream, .protocolError) }
            try self.spendIdleFrame()
            self.events.append(.head(stream: stream, self.takeHead(endsStream: false)))
            return
        }
        var flags = self.streams[slot].flags
        flags.insert(.headReceived)
        if status == 204 || status == 304 { flags.insert(.bodyless) }
        self.streams[slot].flags = flags
        let promised = self.reader.contentLength ?? -1
        self.streams[slot].promised = promised
        if isBad || (endsStream && promised > 0 && !flags.contains(.bodyless)) {
            return try self.refuse(stream, .protocolError)
        }
        self.events.append(.head(stream: stream, self.takeHead(endsStream: endsStream)))
        if endsStream { self.remoteEnds(slot, stream) }
    }

    private mutating func readTrailers(
        _ block: ByteBuffer, slot: Int, stream: UInt32, endsStream: Bool, isBad: Bool
    ) throws(HTTP2Failure) {
        switch try self.decode(block, as: .trailers) {
        case .good: break
        case .tooLarge: return try self.refuse(stream, .enhanceYourCalm)
        case .malformed, .connect, .unknownProtocol: return try self.refuse(stream, .protocolError)
        }
        let isTunnel = self.streams[slot].flags.contains(.extendedConnect)
        guard endsStream, !isBad, !isTunnel, self.hasPromised(slot) else {
            return try self.refuse(stream, .protocolError)
        }
        var lines = ByteBuffer()
        self.reader.copy(into: &lines)
        self.events.append(.trailers(stream: stream, lines))
        self.remoteEnds(slot, stream)
    }

    /// Whether the body that ends here has the length that its head promised.
    @inline(__always)
    func hasPromised(_ slot: Int) -> Bool {
        let promised = self.streams[slot].promised
        return promised < 0 || promised == self.streams[slot].received
            || self.streams[slot].flags.contains(.bodyless)
    }

    /// The peer has sent all.
    @inline(__always)
    mutating func remoteEnds(_ slot: Int, _ stream: UInt32) {
        self.streams[slot].flags.insert(.remoteEnded)
        if self.streams[slot].flags.contains(.localEnded) { self.end(slot, stream, .complete) }
    }
}
