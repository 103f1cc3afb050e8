import NIOCore

extension HTTP2Connection {
    // MARK: Resets and priorities

    mutating func readReset(_ header: HTTP2FrameHeader, _ payload: inout ByteBuffer) throws(HTTP2Failure) {
        guard header.stream != 0 else { throw HTTP2Failure(.protocolError, "RST_STREAM on stream 0.") }
        guard payload.readableBytes == 4, let code = payload.readInteger(as: UInt32.self) else {
            throw HTTP2Failure(.frameSizeError, "RST_STREAM does not have four bytes.")
        }
        guard let slot = self.live(header.stream) else {
            guard !self.isUnused(header.stream) else {
                throw HTTP2Failure(.protocolError, "RST_STREAM on a stream that was not opened.")
            }
            return try self.spendIdleFrame()
        }
        let wasAnswered = self.streams[slot].flags.contains(.localEnded)
        self.events.append(.reset(stream: header.stream, HTTP2ErrorCode(rawValue: code), byPeer: true))
        self.end(slot, header.stream, .resetByPeer)
        if wasAnswered { try self.spendIdleFrame() } else { try self.spendReset() }
    }

    /// Priorities are not used, but must be well-formed.
    mutating func readPriority(_ header: HTTP2FrameHeader, _ payload: inout ByteBuffer) throws(HTTP2Failure) {
        guard header.stream != 0 else { throw HTTP2Failure(.protocolError, "PRIORITY on stream 0.") }
        try self.spendIdleFrame()
        let code: HTTP2ErrorCode
        if payload.readableBytes == 5, let dependency = payload.readInteger(as: UInt32.self) {
            guard dependency & 0x7FFF_FFFF == header.stream else { return }
            code = .protocolError
        } else {
            code = .frameSizeError
        }
        // A stream that was not opened cannot be reset.
        if self.live(header.stream) == nil, self.isUnused(header.stream) {
            throw HTTP2Failure(code, "PRIORITY is malformed.")
        }
        try self.refuse(header.stream, code)
    }

    // MARK: Settings

    /// The settings' identifiers (RFC 9113, 6.5.2; RFC 8441; RFC 9218).
    enum Setting {
        static let headerTableSize: UInt16 = 1
        static let enablePush: UInt16 = 2
        static let maximumConcurrentStreams: UInt16 = 3
        static let initialWindowSize: UInt16 = 4
        static let maximumFrameSize: UInt16 = 5
        static let maximumHeaderListSize: UInt16 = 6
        static let enableConnectProtocol: UInt16 = 8
        static let noPriorities: UInt16 = 9
    }

    mutating func readSettings(_ header: HTTP2FrameHeader, _ payload: inout ByteBuffer) throws(HTTP2Failure) {
        guard header.stream == 0 else { throw HTTP2Failure(.protocolError, "SETTINGS on a stream.") }
        try self.spendIdleFrame()
        if header.flags.contains(.acknowledgement) {
            guard payload.readableBytes == 0 else {
                throw HTTP2Failure(.frameSizeError, "An acknowledgement of SETTINGS has a payload.")
            }
            return self.settingsAcknowledged()
        }
        guard payload.readableBytes % 6 == 0 else {
            throw HTTP2Failure(.frameSizeError, "SETTINGS does not have six bytes per setting.")
        }
        // Of several values for the same setting only the last one counts in the end: one pass over the streams.
        var initialWindow = self.peerInitialWindow
        if !self.hasPeerSettings {
            self.hasPeerSettings = true
            self.peerConcurrentStreams = .max
        }
        while let (identifier, value) = payload.readMultipleIntegers(as: (UInt16, UInt32).self) {
            switch identifier {
            case Setting.headerTableSize: self.writer.encoder.allow(tableSize: Int(value))
            case Setting.enablePush:
                guard value == 0 || value == 1 && self.isServer else {
                    throw HTTP2Failure(.protocolError, "ENABLE_PUSH has a value that is not allowed.")
                }
            case Setting.maximumConcurrentStreams: self.peerConcurrentStreams = Int(value)
            case Setting.initialWindowSize:
                guard value <= 0x7FFF_FFFF else {
                    throw HTTP2Failure(.flowControlError, "INITIAL_WINDOW_SIZE is too large.")
                }
                initialWindow = Int(value)
            case Setting.maximumFrameSize:
                // Frames are never larger than what everybody must take.
                guard value >= 16_384, value <= 16_777_215 else {
                    throw HTTP2Failure(.protocolError, "MAX_FRAME_SIZE is out of range.")
                }
            case Setting.enableConnectProtocol:
                guard value <= 1 else {
                    throw HTTP2Failure(.protocolError, "ENABLE_CONNECT_PROTOCOL is neither 0 nor 1.")
                }
            default: break
            }
        }
        try self.changePeerWindow(to: initialWindow)
        self.writeSettingsAcknowledgement()
        self.events.append(.settings)
    }

    private mutating func changePeerWindow(to window: Int) throws(HTTP2Failure) {
        let change = window - self.peerInitialWindow
        guard change != 0 else { return }
        self.peerInitialWindow = window
        var isTooLarge = false
        var ready: [UInt32] = []
        self.streams.forEach { stream in
            stream.sendWindow += change
            if stream.sendWindow > 0x7FFF_FFFF { isTooLarge = true }
            if stream.pendingBytes > 0, stream.sendWindow > 0, !stream.flags.contains(.isQueued) {
                stream.flags.insert(.isQueued)
                ready.append(stream.id)
            }
        }
        self.sendQueue.append(contentsOf: ready)
        guard !isTooLarge else {
            throw HTTP2Failure(.flowControlError, "INITIAL_WINDOW_SIZE makes a stream's window too large.")
        }
    }

    /// From here on the peer keeps to this end's settings.
    private mutating func settingsAcknowledged() {
        guard self.awaitsSettingsAcknowledgement else { return }
        self.awaitsSettingsAcknowledgement = false
        self.decoder.allow(tableSize: self.limits.headerTableBytes)
        let change = self.limits.streamWindow - self.initialWindow
        self.initialWindow = self.limits.streamWindow
        self.streams.forEach { $0.receiveWindow += change }
        self.events.append(.settingsAcknowledged)
    }

    // MARK: Pings and farewells

    /// What the ping says that waits for the end.
    private static var farewellPing: UInt64 { 0x6661_7265_7765_6C6C }

    mutating func readPing(_ header: HTTP2FrameHeader, _ payload: inout ByteBuffer) throws(HTTP2Failure) {
        guard header.stream == 0 else { throw HTTP2Failure(.protocolError, "PING on a stream.") }
        guard payload.readableBytes == 8, let value = payload.readInteger(as: UInt64.self) else {
            throw HTTP2Failure(.frameSizeError, "PING does not have eight bytes.")
        }
        try self.spendIdleFrame()
        guard header.flags.contains(.acknowledgement) else {
            self.writePing(value, isAnswer: true)
            return
        }
        if value == Self.farewellPing, self.farewell == .announced {
            self.sayFarewell()
        } else {
            self.events.append(.pingAnswered(value))
        }
    }

    mutating func readGoAway(_ header: HTTP2FrameHeader, _ payload: inout ByteBuffer) throws(HTTP2Failure) {
        guard header.stream == 0 else { throw HTTP2Failure(.protocolError, "GOAWAY on a stream.") }
        guard let (last, code) = payload.readMultipleIntegers(as: (UInt32, UInt32).self) else {
            throw HTTP2Failure(.frameSizeError, "GOAWAY has fewer than eight bytes.")
        }
        try self.spendIdleFrame()
        let lastStream = last & 0x7FFF_FFFF
        self.peerSaidFarewell = true
        if !self.isServer {
            var unseen: [UInt32] = []
            self.streams.forEach { if $0.id > lastStream, !$0.flags.contains(.isOver) { unseen.append($0.id) } }
            for stream in unseen {
                guard let slot = self.streams.find(stream) else { continue }
                self.events.append(.reset(stream: stream, .refusedStream, byPeer: true))
                self.end(slot, stream, .resetByPeer)
            }
        }
        self.events.append(.goAway(lastStream: lastStream, HTTP2ErrorCode(rawValue: code)))
    }

    /// Asks whether the peer is there; it answers with ``HTTP2Event/pingAnswered(_:)``.
    mutating func ping(_ value: UInt64) {
        if case .closed = self.phase { return }
        self.writePing(value, isAnswer: false)
    }

    /// Takes no more streams; those that are open go on.
    ///
    /// - Parameter gracefully: as a server, say first that the end is near, and which stream is the last one only when
    ///   the peer has answered, so that no request on its way is lost (RFC 9113, 6.8). A second call, after a time of
    ///   the owner's choosing, does not wait any longer.
    mutating func goAway(gracefully: Bool) {
        if case .closed = self.phase { return }
        switch self.farewell {
        case .none where gracefully && self.isServer:
            self.farewell = .announced
            self.writeGoAway(lastStream: 0x7FFF_FFFF, .noError, debug: "")
            self.writePing(Self.farewellPing, isAnswer: false)
        case .none, .announced: self.sayFarewell()
        case .said: break
        }
    }

    private mutating func sayFarewell() {
        self.farewell = .said(lastStream: self.lastPeerStream)
        self.writeGoAway(lastStream: self.lastPeerStream, .noError, debug: "")
    }
}
