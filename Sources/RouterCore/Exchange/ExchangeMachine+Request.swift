import NIOCore

extension ExchangeMachine {
    /// Takes the next request's head from the client's bytes.
    mutating func nextHead() -> ExchangeAction? {
        if self.clientDialect == .frames { return self.nextFramedHead() }
        while self.input.readableBytes >= 2, self.input.getInteger(at: self.input.readerIndex) == UInt16(0x0D0A) {
            // RFC 9112, 2.2: empty lines before a request are ignored.
            self.input.moveReaderIndex(forwardBy: 2)
        }
        if self.input.readableBytes == 0 {
            guard self.clientEnded else { return nil }
            self.phase = .closed
            return .closeClient
        }
        if self.input.readableBytes == 1, self.input.getInteger(at: self.input.readerIndex) == UInt8(0x0D) {
            return self.unfinishedHead()
        }
        let limits = self.settings.requestHead
        do throws(HeadRefusal) {
            guard let length = try self.requestScanner.scan(self.input, limits: limits),
                let head = self.input.readSlice(length: length)
            else { return self.unfinishedHead() }
            self.beginExchange(head)
            self.request = try RequestHead.parse(head, fields: &self.fields)
        } catch {
            self.beginExchange(self.headBytes)
            return self.answer(OwnAnswer(error.code, reason: String(describing: error.reason)), keeping: false)
        }
        return self.beginRouting()
    }

    private mutating func beginRouting() -> ExchangeAction? {
        self.chooseID()
        if self.settings.startsTraces, !self.request.trace.isKnown { self.request.trace.start(using: &self.random) }
        self.phase = .routing
        if self.request.maxForwards == 0 { return self.answer(.options) }
        return .route
    }

    private mutating func nextFramedHead() -> ExchangeAction? {
        guard let head = self.framedRequest else { return nil }
        self.framedRequest = nil
        self.beginExchange(head.text)
        do throws(HeadRefusal) {
            self.request = try RequestHead.parse(head.text, fields: &self.fields)
        } catch {
            return self.answer(OwnAnswer(error.code, reason: String(describing: error.reason)), keeping: false)
        }
        if !head.ends, !head.hasLength, !self.request.upgrade { self.request.framing = .delimited }
        return self.beginRouting()
    }

    private mutating func unfinishedHead() -> ExchangeAction? {
        guard self.clientEnded else { return nil }
        self.phase = .closed
        return .closeClient
    }

    mutating func beginExchange(_ head: ByteBuffer) {
        self.number += 1
        self.headBytes = head
        self.request = RequestHead()
        self.requestScanner = HeadScanner()
        self.responseScanner = HeadScanner()
        self.requestID = RequestID(using: &self.random)
        self.requestBytes = head.readableBytes
        self.responseBytes = 0
        self.requestBody = BodyReader(.none, output: .chunks, malformed: .badRequest)
        self.upstream = .unassigned
        self.upstreamInput.letGo()
        self.upstreamEnded = false
        self.upstreamBroke = false
        self.isReplayWhole = true
        self.replayStep = .done
        self.sentRequestEnd = false
        self.sentAnything = false
        self.retries = 0
        self.requestDelivery = .asIs
        self.policy = nil
        if !self.addedFields.isEmpty { self.addedFields = [] }
        if self.clientDialect == .http1 { self.requestTrailers.letGo() }
        self.framedResponse = nil
        self.responseTrailers.letGo()
        self.responsePhase = .head
        self.response = ResponseHead()
        self.delivery = .asIs
        self.responseStarted = false
        self.interimCount = 0
        self.interimBytes = 0
        self.responseHeadSent = false
        self.sentResponseEnd = false
        self.announcesStream = false
        self.keepsClient = false
    }

    private mutating func chooseID() {
        for index in self.fields.indices where self.fields[index].kind == .requestID {
            let value = self.fields[index].value
            let kept = self.headBytes.withUnsafeReadableBytes { bytes in
                RequestID.isAcceptable(bytes[value]) ? String(decoding: bytes[value], as: UTF8.self) : nil
            }
            if let kept { self.requestID = .client(kept) }
            return
        }
    }

    /// The application is known: prepares what its instance will be sent.
    ///
    /// - Parameters:
    ///   - stripped: how many bytes of the path the instance is not to see.
    ///   - dialect: what the application's instances speak.
    mutating func accept(startMilliseconds: UInt64, bodyLimit: Int, stripped: Int = 0, dialect: Dialect = .http1) {
        guard case .routing = self.phase else { return }
        self.request.target.lower += Int32(truncatingIfNeeded: stripped)
        if case .length(let length) = self.request.framing, length > bodyLimit {
            self.refuse(OwnAnswer(.bodyTooLarge))
            return
        }
        self.bodyLimit = bodyLimit
        self.upstreamDialect = dialect
        self.requestDelivery = dialect == .frames ? .data : self.request.framing == .delimited ? .intoChunks : .asIs
        self.requestBody = BodyReader(
            self.request.framing, output: dialect == .frames ? .payload : .chunks, malformed: .badRequest)
        self.replay.clear()
        var out = self.replay
        self.replay = ByteBuffer()
        // Taken out rather than copied, because a copy counts references. The head's buffer is the socket's read buffer,
        // and is let go of.
        let head = exchange(&self.headBytes, with: ByteBuffer())
        let fields = exchange(&self.fields, with: [])
        let (request, facts, id, delivery) = (self.request, self.facts, self.requestID, self.requestDelivery)
        head.withUnsafeReadableBytes { bytes in
            out.writeHead(limit: request.forwardedLimit(bytes.count, facts: facts)) { out in
                request.write(
                    bytes, fields: fields, facts: facts, id: id, startMilliseconds: startMilliseconds,
                    delivery: delivery, into: &out)
            }
        }
        self.fields = fields
        self.replayHeadLength = out.readableBytes
        self.replay = out
        self.phase = .exchanging
    }

    /// Moves the request towards the instance.
    mutating func nextRequest() -> ExchangeAction? {
        switch self.upstream {
        case .open:
            guard !self.upstreamEnded else { return nil }
            if self.replayStep != .done { return self.nextReplay() }
        case .finished:
            return nil
        case .unassigned, .acquiring:
            break
        }
        while !self.requestBody.isComplete {
            let piece: ByteBuffer?
            do throws(HeadRefusal) {
                piece = try self.nextBodyPiece()
            } catch {
                return self.answer(OwnAnswer(error.code, reason: String(describing: error.reason)), keeping: false)
            }
            guard var piece else {
                if self.requestBody.isComplete { break }
                if self.clientEnded, self.input.readableBytes == 0 { return self.vanish() }
                break
            }
            if case .open = self.upstream {
                self.keepForReplay(piece)
                return .toUpstream(piece)
            }
            self.replay.writeBuffer(&piece)
        }
        switch self.upstream {
        case .unassigned:
            self.upstream = .acquiring
            return .acquire(self.retries == 0 ? .first : .anotherInstance)
        case .open where self.upstreamDialect == .frames && self.requestBody.isComplete && !self.sentRequestEnd:
            self.sentRequestEnd = true
            return .endToUpstream(trailers: self.takeRequestTrailers())
        default:
            return nil
        }
    }

    /// Sends what is kept of the request over a new connection.
    private mutating func nextReplay() -> ExchangeAction? {
        self.sentAnything = true
        guard self.upstreamDialect == .frames else {
            self.replayStep = .done
            return .toUpstream(self.replay)
        }
        var body = self.replay
        guard self.replayStep == .whole, let head = body.readSlice(length: self.replayHeadLength) else {
            self.replayStep = .done
            body.moveReaderIndex(forwardBy: self.replayHeadLength)
            return body.readableBytes > 0 ? .toUpstream(body) : self.nextAction()
        }
        self.replayStep = .body
        self.sentRequestEnd = self.requestBody.isComplete && body.readableBytes == 0 && !self.hasRequestTrailers
        return .headToUpstream(head, ends: self.sentRequestEnd)
    }

    private var hasRequestTrailers: Bool {
        self.requestTrailers.readableBytes > 0 || self.requestBody.trailers != nil
    }

    /// The request's trailers as lines and an empty line; empty when there are none that may pass.
    private func takeRequestTrailers() -> ByteBuffer {
        Self.allowedTrailers(
            self.clientDialect == .frames
                ? self.requestTrailers : Self.closed(self.requestBody.trailers ?? ByteBuffer()))
    }

    private mutating func nextBodyPiece() throws(HeadRefusal) -> ByteBuffer? {
        var room = Int.max
        if case .open = self.upstream {
        } else {
            room = self.settings.replayBytes - (self.replay.readableBytes - self.replayHeadLength)
        }
        let piece = try self.requestBody.next(from: &self.input, limit: room)
        if self.requestBody.unannounced > self.bodyLimit {
            throw HeadRefusal(.bodyTooLarge, "The request's body is larger than this application accepts.")
        }
        if let piece { self.requestBytes += piece.readableBytes }
        let ends = self.clientDialect == .frames && self.clientEnded && self.input.readableBytes == 0
        if ends { self.requestBody.finish() }
        guard self.requestDelivery == .intoChunks else { return piece }
        if let piece, !ends { return Self.chunk(piece) }
        guard ends, self.requestBody.isComplete else { return nil }
        return Self.chunk(piece, last: Self.allowedTrailers(self.requestTrailers))
    }

    private mutating func keepForReplay(_ piece: ByteBuffer) {
        guard self.isReplayWhole, !self.responseStarted else { return }
        let kept = self.replay.readableBytes - self.replayHeadLength
        if kept + piece.readableBytes <= self.settings.replayBytes {
            self.replay.writeImmutableBuffer(piece)
        } else {
            self.isReplayWhole = false
            self.replay.letGo()
        }
    }
}

extension HeadScanner {
    mutating func scan(_ buffer: ByteBuffer, limits: Limits) throws(HeadRefusal) -> Int? {
        try buffer.withUnsafeReadableBytes { bytes -> Result<Int?, HeadRefusal> in
            do throws(HeadRefusal) { return .success(try self.scan(bytes, limits: limits)) } catch {
                return .failure(error)
            }
        }.get()
    }
}

extension RequestHead {
    static func parse(
        _ buffer: ByteBuffer, fields: inout ContiguousArray<HeadField>
    ) throws(HeadRefusal) -> RequestHead {
        try buffer.withUnsafeReadableBytes { bytes -> Result<RequestHead, HeadRefusal> in
            do throws(HeadRefusal) { return .success(try self.parse(bytes, fields: &fields)) } catch {
                return .failure(error)
            }
        }.get()
    }
}
