import DequeModule
import NIOCore

/// One end of an HTTP/2 connection (RFC 9113): bytes and commands in, events and bytes out; no sockets, no clock.
///
/// The owner gives it what it read (``receive(_:now:)``), takes events until there are none (``nextEvent()``), answers
/// with commands, and writes what there is to write (``takeOutput()``) whenever its socket takes it, which may cause
/// events again. Frames are looked at one by one, when events are asked for; a command given between two events
/// counts before the next frame does.
///
/// Heads cross this seam as the text of HTTP/1 heads, because that is what the rest of the router works on. What is
/// malformed (RFC 9113, section 8) never becomes an event: the stream is reset with `PROTOCOL_ERROR`.
///
/// Back-pressure works in both directions. What is received is given back to the peer's window when the owner has
/// passed it on (``consumed(stream:count:)``). What is sent waits while the peer's windows are closed, without a bound
/// of its own: the owner stops reading its source while ``bufferedBytes(stream:)`` is high, and goes on at
/// ``HTTP2Event/drained(stream:)``.
///
/// A command for a stream that is gone does nothing: the event that says so may not have been taken yet.
struct HTTP2Connection: ~Copyable {
    enum Role {
        case server
        /// - Parameter isSecure: what `:scheme` says.
        case client(isSecure: Bool)
    }

    enum Phase {
        /// The client's first bytes are to come.
        case preface
        /// The peer's first frame is to come, which must be SETTINGS.
        case settings
        case open
        /// It ended by an error.
        case closed
    }

    /// How far the end that this side wants has come.
    enum Farewell: Equatable {
        case none
        /// The peer knows that the end is near, and has not answered yet.
        case announced
        /// Streams after this one are ignored.
        case said(lastStream: UInt32)
    }

    /// A header block whose rest is to come in CONTINUATION frames.
    struct PartialBlock {
        var stream: UInt32
        var endsStream: Bool
        var dependsOnItself: Bool
        var frames = 0
        var bytes: ByteBuffer
    }

    let isServer: Bool
    let isSecure: Bool
    let limits: HTTP2Limits
    var phase: Phase
    var now: UInt64 = 0

    var input = ByteBuffer()
    var events: Deque<HTTP2Event> = []
    var output = ByteBuffer()
    /// Whether `output` is with the owner: the next write starts anew.
    var outputIsTaken = false
    /// What of the output answers the peer's frames.
    var answerBytes = 0

    // Header blocks.
    var decoder: HPACKDecoder
    var reader: HTTP2HeadReader
    var writer: HTTP2HeadWriter
    var partialBlock: PartialBlock?
    /// The last head's buffer, used again when the owner has let go of it.
    var head = ByteBuffer()

    // Streams.
    var streams = HTTP2StreamTable()
    /// How many of them have ended, and wait for the owner to pass on the rest of their bodies.
    var overStreams = 0
    var endedStreams = HTTP2EndedStreams()
    /// Those that have something to send and room in their window, in the order of their turns.
    var sendQueue: Deque<UInt32> = []
    /// The highest stream that the peer opened.
    var lastPeerStream: UInt32 = 0
    /// The next stream to open.
    var nextStream: UInt32 = 1
    var farewell = Farewell.none
    var peerSaidFarewell = false

    /// What waits to be sent on all streams.
    var pendingBytes = 0
    /// What was sent of bodies.
    var dataSent = 0

    // Windows.
    var sendWindow = 65_535
    var receiveWindow = 65_535
    /// What was passed on and has not been given back to the connection's window.
    var unreturned = 0
    var peerInitialWindow = 65_535
    /// The window of new streams, as far as the peer knows.
    var initialWindow = 65_535
    /// How many streams the peer lets this end have open; the RFC's recommended minimum until it says.
    var peerConcurrentStreams = 100
    var hasPeerSettings = false
    var awaitsSettingsAcknowledgement = true

    // Allowances.
    var resets: HTTP2Allowance
    var idleFrames: HTTP2Allowance

    init(role: Role, limits: HTTP2Limits) {
        var limits = limits
        limits.frameBytes = min(max(limits.frameBytes, 16_384), 16_777_215)
        limits.connectionWindow = min(max(limits.connectionWindow, 65_535), 2_147_483_647)
        limits.streamWindow = min(max(limits.streamWindow, 1), 2_147_483_647)
        self.limits = limits
        switch role {
        case .server:
            self.isServer = true
            self.isSecure = false
            self.phase = .preface
        case .client(let isSecure):
            self.isServer = false
            self.isSecure = isSecure
            self.phase = .settings
        }
        // Until the peer knows better, it uses a table of 4,096 bytes.
        self.decoder = HPACKDecoder(tableSize: 4096)
        self.decoder.allow(tableSize: max(4096, limits.headerTableBytes))
        self.reader = HTTP2HeadReader(
            limits: HTTP2HeadReader.Limits(
                bytes: limits.headerBytes, fields: limits.headerFields, trailerBytes: limits.trailerBytes,
                allowsExtendedConnect: limits.allowsExtendedConnect))
        self.writer = HTTP2HeadWriter(
            encoder: HPACKEncoder(tableLimit: limits.headerTableBytes, usesHuffman: limits.usesHuffman))
        self.resets = HTTP2Allowance(limits.resets)
        self.idleFrames = HTTP2Allowance(limits.idleFrames)
        self.start()
    }

    // MARK: What it is told

    /// Bytes from the peer, in any pieces.
    ///
    /// - Parameter now: the time in nanoseconds, from any start; it measures rates.
    mutating func receive(_ bytes: consuming ByteBuffer, now: UInt64) {
        self.now = now
        if case .closed = self.phase { return }
        if self.input.readableBytes == 0 {
            self.input = bytes
        } else {
            self.input.discardReadBytes()
            self.input.writeBuffer(&bytes)
        }
    }

    // MARK: What is asked of it

    /// What happened next; nil when there is nothing more in the bytes received.
    mutating func nextEvent() -> HTTP2Event? {
        while true {
            if let event = self.events.popFirst() { return event }
            do throws(HTTP2Failure) {
                guard try self.readFrame() else { return nil }
            } catch {
                self.fail(error)
            }
        }
    }

    /// The streams that have not ended.
    var openStreams: Int { self.streams.count - self.overStreams }

    /// Whether there is no stream and nothing to write.
    var isIdle: Bool { self.openStreams == 0 && (self.outputIsTaken || self.output.readableBytes == 0) }

    /// Whether the connection is to be closed once the output has been written: it ended by an error, or one end said
    /// farewell and the last stream has ended.
    var wantsClose: Bool {
        switch self.phase {
        case .closed: return true
        case .preface, .settings, .open:
            if case .said = self.farewell { return self.openStreams == 0 }
            return self.peerSaidFarewell && self.openStreams == 0
        }
    }

    /// How many streams can be opened now (client).
    var availableStreams: Int {
        if case .closed = self.phase { return 0 }
        guard !self.isServer, !self.peerSaidFarewell, self.farewell == .none, self.nextStream < 0x8000_0000 else {
            return 0
        }
        return max(0, min(self.peerConcurrentStreams, self.limits.concurrentStreams) - self.openStreams)
    }

    /// What it keeps: input that is not complete, output that was not taken, and what waits on streams.
    var heldBytes: Int {
        self.pendingBytes + self.input.readableBytes + (self.outputIsTaken ? 0 : self.output.readableBytes)
            + (self.partialBlock?.bytes.readableBytes ?? 0)
    }

    /// What has arrived of a DATA frame that is not complete.
    func arrivingBytes(stream: UInt32) -> Int {
        guard let header = HTTP2FrameHeader.peek(self.input), header.type == HTTP2FrameType.data,
            header.stream == stream
        else { return 0 }
        return self.input.readableBytes
    }

    /// What the peer has begun and not completed, other than DATA: the stream of a header block, or a frame of any kind.
    var unfinished: Unfinished? {
        if let partial = self.partialBlock { return .block(stream: partial.stream) }
        guard self.input.readableBytes > 0 else { return nil }
        if let header = HTTP2FrameHeader.peek(self.input), header.type == HTTP2FrameType.data { return nil }
        return .frame
    }

    enum Unfinished: Equatable { case block(stream: UInt32), frame }

    /// Whether the peer has still to begin, or to say that it has seen this end's settings.
    var isOpening: Bool {
        switch self.phase {
        case .preface, .settings: true
        case .open: self.awaitsSettingsAcknowledgement
        case .closed: false
        }
    }

    /// Ends the connection because the peer takes too long for what HTTP/2 asks of it.
    mutating func giveUp(_ code: HTTP2ErrorCode) {
        if case .closed = self.phase { return }
        self.fail(HTTP2Failure(code, "This took too long."))
    }

    /// What waits to be sent on a stream.
    func bufferedBytes(stream: UInt32) -> Int {
        guard stream != 0, let slot = self.streams.find(stream) else { return 0 }
        return self.streams[slot].pendingBytes
    }
}
