import NIOCore

extension ExchangeMachine {
    /// Takes the next request's head from the client's bytes.
    mutating func nextHead() -> ExchangeAction? {
        while self.input.readableBytes >= 2, self.input.getInteger(at: self.input.readerIndex) == UInt16(0x0D0A) {
            // RFC 9112, 2.2: empty lines before a request are ignored.
            self.input.moveReaderIndex(forwardBy: 2)
        }
        if self.input.readableBytes == 0 {
            guard self.clientEnded || self.isClosing else { return nil }
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
            return self.answer(Refusal(error.code, reason: String(describing: error.reason)), keeping: false)
        }
        self.chooseID()
        self.phase = .routing
        return .route
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
        self.upstreamInput = ByteBuffer()
        self.upstreamEnded = false
        self.upstreamBroke = false
        self.isReplayWhole = true
        self.mustSendReplay = false
        self.sentAnything = false
        self.retries = 0
        self.responsePhase = .head
        self.response = ResponseHead()
        self.delivery = .asIs
        self.responseStarted = false
        self.responseHeadSent = false
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
    mutating func accept(startMilliseconds: UInt64, bodyLimit: Int) {
        guard case .routing = self.phase else { return }
        if case .length(let length) = self.request.framing, length > bodyLimit {
            self.refuse(Refusal(.bodyTooLarge))
            return
        }
        self.bodyLimit = bodyLimit
        self.requestBody = BodyReader(self.request.framing, output: .chunks, malformed: .badRequest)
        self.replay.clear()
        var out = self.replay
        self.replay = ByteBuffer()
        self.headBytes.withUnsafeReadableBytes { bytes in
            out.writeHead(limit: self.request.forwardedLimit(bytes.count, facts: self.facts)) { out in
                self.request.write(
                    bytes, fields: self.fields, facts: self.facts, id: self.requestID,
                    startMilliseconds: startMilliseconds, into: &out)
            }
        }
        self.replay = out
        self.replayHeadLength = out.readableBytes
        // The head's buffer is the socket's read buffer: let go of it.
        self.headBytes = ByteBuffer()
        self.phase = .exchanging
    }

    /// Moves the request towards the instance.
    mutating func nextRequest() -> ExchangeAction? {
        switch self.upstream {
        case .open:
            guard !self.upstreamEnded else { return nil }
            if self.mustSendReplay {
                self.mustSendReplay = false
                self.sentAnything = true
                return .toUpstream(self.replay)
            }
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
                return self.answer(Refusal(error.code, reason: String(describing: error.reason)), keeping: false)
            }
            guard var piece else {
                if self.clientEnded, self.input.readableBytes == 0, !self.requestBody.isComplete {
                    return self.vanish()
                }
                break
            }
            self.requestBytes += piece.readableBytes
            if case .open = self.upstream {
                self.keepForReplay(piece)
                return .toUpstream(piece)
            }
            self.replay.writeBuffer(&piece)
        }
        guard case .unassigned = self.upstream else { return nil }
        self.upstream = .acquiring
        return .acquire(self.retries == 0 ? .first : .anotherInstance)
    }

    private mutating func nextBodyPiece() throws(HeadRefusal) -> ByteBuffer? {
        var room = Int.max
        if case .open = self.upstream {
        } else {
            room = self.settings.replayBytes - (self.replay.readableBytes - self.replayHeadLength)
        }
        let piece = try self.requestBody.next(from: &self.input, limit: room)
        if self.requestBody.chunkedPayload > self.bodyLimit {
            throw HeadRefusal(.bodyTooLarge, "The request's body is larger than this application accepts.")
        }
        return piece
    }

    private mutating func keepForReplay(_ piece: ByteBuffer) {
        guard self.isReplayWhole, !self.responseStarted else { return }
        let kept = self.replay.readableBytes - self.replayHeadLength
        if kept + piece.readableBytes <= self.settings.replayBytes {
            self.replay.writeImmutableBuffer(piece)
        } else {
            self.isReplayWhole = false
            self.replay = ByteBuffer()
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
