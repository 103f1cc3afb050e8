import NIOCore

extension HTTP2Connection {
    /// What is to be written to the socket, all of it; nil when there is nothing, or nothing that the peer's windows
    /// allow.
    ///
    /// It is about ``HTTP2Limits/outputBytes`` at most, so that the owner, who asks again when the socket takes more,
    /// need not hold what the socket does not take.
    mutating func takeOutput() -> ByteBuffer? {
        if !self.sendQueue.isEmpty { self.flush() }
        guard !self.outputIsTaken, self.output.readableBytes > 0 else { return nil }
        self.outputIsTaken = true
        self.answerBytes = 0
        guard self.output.capacity > 32_768 else { return self.output }
        // A large one is not kept beside the owner's.
        return exchange(&self.output, with: ByteBuffer())
    }

    /// Starts a new output after the last one was taken, in the same memory if the owner has let go of it.
    @inline(__always)
    private mutating func beginOutput() {
        guard self.outputIsTaken else { return }
        self.outputIsTaken = false
        self.output.clear()
        self.output.reserveCapacity(1024)
    }

    // MARK: Frames

    /// This end's first bytes.
    mutating func start() {
        self.output.reserveCapacity(1024)
        if !self.isServer { self.output.writeStaticString(HTTP2Preface.text) }
        var settings = ByteBuffer()
        func add(_ identifier: UInt16, _ value: Int) {
            settings.writeMultipleIntegers(identifier, UInt32(truncatingIfNeeded: value))
        }
        if self.limits.headerTableBytes != 4096 { add(Setting.headerTableSize, self.limits.headerTableBytes) }
        if self.isServer {
            add(Setting.maximumConcurrentStreams, self.limits.concurrentStreams)
            if self.limits.allowsExtendedConnect { add(Setting.enableConnectProtocol, 1) }
            add(Setting.noPriorities, 1)
        } else {
            add(Setting.enablePush, 0)
        }
        add(Setting.initialWindowSize, self.limits.streamWindow)
        if self.limits.frameBytes != 16_384 { add(Setting.maximumFrameSize, self.limits.frameBytes) }
        add(Setting.maximumHeaderListSize, self.limits.headerBytes)
        self.output.writeFrameHeader(
            length: settings.readableBytes, type: HTTP2FrameType.settings, flags: [], stream: 0)
        self.output.writeBuffer(&settings)
        let more = self.limits.connectionWindow - self.receiveWindow
        if more > 0 {
            self.receiveWindow += more
            self.writeWindowUpdate(0, more)
        }
        self.answerBytes = 0
    }

    /// Writes the encoder's block as HEADERS, and CONTINUATION if it is large.
    mutating func writeBlock(_ stream: UInt32, endsStream: Bool) {
        self.beginOutput()
        let block = self.writer.encoder.block.bytes
        let first = min(block.count, Self.frameLimit)
        var flags: HTTP2Flags = endsStream ? .endStream : []
        if first == block.count { flags.insert(.endHeaders) }
        self.output.writeFrameHeader(length: first, type: HTTP2FrameType.headers, flags: flags, stream: stream)
        self.output.writeBytes(UnsafeRawBufferPointer(rebasing: block[0..<first]))
        var position = first
        while position < block.count {
            let end = min(block.count, position + Self.frameLimit)
            self.output.writeFrameHeader(
                length: end - position, type: HTTP2FrameType.continuation,
                flags: end == block.count ? .endHeaders : [], stream: stream)
            self.output.writeBytes(UnsafeRawBufferPointer(rebasing: block[position..<end]))
            position = end
        }
    }

    /// Writes what precedes the bytes of a body, which must follow.
    @inline(__always)
    mutating func writeDataHeader(_ stream: UInt32, _ count: Int, endsStream: Bool) {
        self.beginOutput()
        // The peer may answer with an update of each window, and measure the line.
        self.idleFrames.credit(4)
        self.output.writeFrameHeader(
            length: count, type: HTTP2FrameType.data, flags: endsStream ? .endStream : [], stream: stream)
    }

    mutating func writeReset(_ stream: UInt32, _ code: HTTP2ErrorCode) {
        self.beginOutput()
        self.answerBytes &+= 13
        self.output.writeFrameHeader(length: 4, type: HTTP2FrameType.resetStream, flags: [], stream: stream)
        self.output.writeInteger(code.rawValue)
    }

    mutating func writeWindowUpdate(_ stream: UInt32, _ increment: Int) {
        self.beginOutput()
        self.answerBytes &+= 13
        self.output.writeFrameHeader(length: 4, type: HTTP2FrameType.windowUpdate, flags: [], stream: stream)
        self.output.writeInteger(UInt32(truncatingIfNeeded: increment))
    }

    mutating func writeSettingsAcknowledgement() {
        self.beginOutput()
        self.answerBytes &+= 9
        self.output.writeFrameHeader(
            length: 0, type: HTTP2FrameType.settings, flags: .acknowledgement, stream: 0)
    }

    mutating func writePing(_ value: UInt64, isAnswer: Bool) {
        self.beginOutput()
        if isAnswer { self.answerBytes &+= 17 }
        self.output.writeFrameHeader(
            length: 8, type: HTTP2FrameType.ping, flags: isAnswer ? .acknowledgement : [], stream: 0)
        self.output.writeInteger(value)
    }

    /// - Parameter debug: a sentence for whoever looks at the peer's log.
    mutating func writeGoAway(lastStream: UInt32, _ code: HTTP2ErrorCode, debug: StaticString) {
        self.beginOutput()
        self.output.writeFrameHeader(
            length: 8 + debug.utf8CodeUnitCount, type: HTTP2FrameType.goAway, flags: [], stream: 0)
        self.output.writeMultipleIntegers(lastStream, code.rawValue)
        self.output.writeStaticString(debug)
    }
}
