import NIOCore

extension ExchangeMachine {
    /// Bodies up to this size are copied behind their head, because one write of a few KiB costs less than a write of
    /// two buffers.
    private static var inlineBodyBytes: Int { 8192 }

    /// So many responses before the response are passed on; together they may be as large as its header section.
    private static var interimLimit: Int { 16 }

    /// Moves the instance's response towards the client.
    mutating func nextResponse() -> ExchangeAction? {
        guard case .open = self.upstream else { return nil }
        if self.announcesStream {
            self.announcesStream = false
            return .streaming
        }
        while true {
            switch self.responsePhase {
            case .head:
                guard self.upstreamInput.readableBytes > 0 || self.framedResponse != nil else {
                    return self.upstreamEnded ? self.upstreamLost() : nil
                }
                if !self.responseStarted {
                    self.responseStarted = true
                    self.forgetReplay()
                }
                do throws(HeadRefusal) {
                    guard try self.readResponseHead() else {
                        guard self.upstreamEnded else { return nil }
                        return self.answer(OwnAnswer(.upstreamBroke), keeping: false)
                    }
                } catch {
                    return self.answer(OwnAnswer(error.code, reason: String(describing: error.reason)), keeping: false)
                }
                if self.response.status < 200 {
                    if let action = self.interim() { return action }
                } else {
                    return self.finalHead()
                }
            case .body:
                if let piece = self.nextResponsePiece() {
                    self.responseBytes += piece.readableBytes
                    return .toClient(piece)
                }
                if self.pendingAnswer != nil { return self.nextAction() }
                guard case .complete = self.responsePhase else { return nil }
            case .complete:
                return self.endResponse()
            }
        }
    }

    mutating func forgetReplay() {
        // A usual head's buffer is kept for the next request; a large one is not worth its memory.
        if self.replay.capacity > 16384 { self.replay.letGo() } else { self.replay.clear() }
        self.isReplayWhole = false
    }

    /// False while the head is incomplete.
    private mutating func readResponseHead() throws(HeadRefusal) -> Bool {
        var hasEnded = false
        let head: ByteBuffer
        if self.upstreamDialect == .frames {
            guard let framed = self.framedResponse else { return false }
            self.framedResponse = nil
            head = framed.text
            hasEnded = framed.ends
        } else {
            let length = try self.responseScanner.scan(self.upstreamInput, limits: self.settings.responseHead)
            guard let length, let text = self.upstreamInput.readSlice(length: length) else { return false }
            self.responseScanner = HeadScanner()
            head = text
        }
        self.headBytes = head
        let toHead = self.request.method == .head
        var fields = ContiguousArray<HeadField>()
        swap(&fields, &self.fields)
        defer { swap(&fields, &self.fields) }
        self.response = try head.withUnsafeReadableBytes { bytes -> Result<ResponseHead, HeadRefusal> in
            do throws(HeadRefusal) {
                return .success(try ResponseHead.parse(bytes, toHead: toHead, fields: &fields))
            } catch {
                return .failure(error)
            }
        }.get()
        // An HTTP/1 client is not told by a frame that there is no body; chunks tell it.
        if hasEnded, self.clientDialect == .frames || self.response.framing != .untilClose {
            self.response.framing = .none
        }
        return true
    }

    /// A response before the response: 100, 103, or 101, which ends HTTP on this connection.
    private mutating func interim() -> ExchangeAction? {
        guard self.response.status == 101 else {
            self.interimCount += 1
            self.interimBytes += self.headBytes.readableBytes
            guard self.interimCount <= Self.interimLimit, self.interimBytes <= self.settings.responseHead.fields else {
                return self.answer(
                    OwnAnswer(.upstreamInvalid, reason: "The instance sent too many interim responses."),
                    keeping: false)
            }
            // HTTP/1.0 does not know interim responses.
            guard self.request.minorVersion >= 1 else { return nil }
            self.writeHead(connection: "")
            return self.sendHead(ends: false)
        }
        guard self.request.upgrade, self.upstreamDialect == .http1 else {
            return self.answer(
                OwnAnswer(.upstreamInvalid, reason: "The instance switched protocols without being asked."),
                keeping: false)
        }
        self.writeHead(connection: "Connection: upgrade\r\n")
        self.responseHeadSent = true
        self.phase = .tunnel
        self.sentHalfCloseUpstream = false
        self.sentHalfCloseClient = false
        self.announcesStream = true
        return self.sendHead(ends: false)
    }

    private mutating func sendHead(ends: Bool) -> ExchangeAction {
        self.clientDialect == .frames ? .headToClient(self.takeOut(), ends: ends) : .toClient(self.takeOut())
    }

    private mutating func finalHead() -> ExchangeAction {
        if self.clientDialect == .frames { return self.finalFramedHead() }
        let speaksChunks = self.request.minorVersion >= 1
        self.delivery = .asIs
        var output = ChunkedScanner.Output.chunks
        switch self.response.framing {
        case .untilClose where speaksChunks: self.delivery = .intoChunks
        case .chunked where !speaksChunks:
            self.delivery = .outOfChunks
            output = .payload
        default: break
        }
        let endsByClosing =
            self.delivery == .outOfChunks || (self.response.framing == .untilClose && self.delivery == .asIs)
        self.keepsClient =
            self.request.isPersistent && self.requestBody.isComplete && !self.isClosing
            && self.clientMayContinue && !endsByClosing
        self.responseBody = BodyReader(self.response.framing, output: output, malformed: .upstreamInvalid)
        if self.keepsClient {
            self.writeHead(connection: self.request.minorVersion == 0 ? "Connection: keep-alive\r\n" : "")
        } else {
            self.writeHead(connection: "Connection: close\r\n")
        }
        self.responseHeadSent = true
        self.responsePhase = self.responseBody.isComplete ? .complete : .body
        self.announcesStream = self.response.isEventStream
        if self.upstreamInput.readableBytes <= Self.inlineBodyBytes {
            while case .body = self.responsePhase, var piece = self.nextResponsePiece() {
                self.out.writeBuffer(&piece)
            }
        }
        return .toClient(self.takeOut())
    }

    /// The lines that the route's rules and the choice of an instance add to a response.
    var responseFields: [UInt8] {
        guard let rules = self.policy?.responseRules else { return self.addedFields }
        return self.addedFields + rules.lines(isSecure: self.facts.isSecure)
    }

    private mutating func finalFramedHead() -> ExchangeAction {
        self.delivery = .outOfChunks
        self.keepsClient = false
        self.responseBody = BodyReader(self.response.framing, output: .payload, malformed: .upstreamInvalid)
        self.writeHead(connection: "")
        self.responseHeadSent = true
        self.announcesStream = self.response.isEventStream
        guard self.responseBody.isComplete else {
            self.responsePhase = .body
            return self.sendHead(ends: false)
        }
        self.responsePhase = .complete
        self.sentResponseEnd = true
        return self.sendHead(ends: true)
    }

    private mutating func writeHead(connection: StaticString) {
        // Taken out rather than copied, because a copy counts references.
        var out = exchange(&self.out, with: ByteBuffer())
        out.clear()
        let head = exchange(&self.headBytes, with: ByteBuffer())
        let fields = exchange(&self.fields, with: [])
        let (response, delivery, seconds) = (self.response, self.delivery, self.seconds)
        let rules = self.policy?.responseRules
        // What is added is for the response, not for those before it.
        let added = response.status < 200 ? [] : self.responseFields
        head.withUnsafeReadableBytes { bytes in
            out.writeHead(limit: bytes.count + added.count + ResponseHead.addedLimit) { out in
                response.write(
                    bytes, fields: fields, delivery: delivery, connection: connection, rules: rules, added: added,
                    seconds: seconds, into: &out)
            }
        }
        self.fields = fields
        self.out = out
    }

    private mutating func takeOut() -> ByteBuffer {
        self.responseBytes += self.out.readableBytes
        return self.out
    }

    /// The next part of the body. Sets the response phase at its end, and a refusal when it broke.
    private mutating func nextResponsePiece() -> ByteBuffer? {
        let piece: ByteBuffer?
        do throws(HeadRefusal) {
            piece = try self.responseBody.next(from: &self.upstreamInput)
        } catch {
            self.pendingAnswer = OwnAnswer(error.code)
            return nil
        }
        if self.responseBody.isComplete { self.responsePhase = .complete }
        if self.responseBody.isComplete, self.responseTrailers.readableBytes == 0,
            let trailers = self.responseBody.trailers
        {
            self.responseTrailers = Self.closed(trailers)
        }
        if let piece { return self.delivery == .intoChunks ? Self.chunk(piece) : piece }
        guard !self.responseBody.isComplete, self.upstreamEnded else { return nil }
        guard self.response.framing == .untilClose, !self.upstreamBroke else {
            self.pendingAnswer = OwnAnswer(.upstreamBroke)
            return nil
        }
        self.responsePhase = .complete
        guard self.delivery == .intoChunks else { return nil }
        return Self.chunk(nil, last: Self.allowedTrailers(self.responseTrailers))
    }

    private mutating func endResponse() -> ExchangeAction? {
        if self.clientDialect == .frames, !self.sentResponseEnd {
            self.sentResponseEnd = true
            return .endToClient(trailers: Self.allowedTrailers(self.responseTrailers))
        }
        let reuses =
            self.response.isPersistent && self.response.framing != .untilClose && self.requestBody.isComplete
            && self.replayStep == .done && !self.upstreamEnded && self.upstreamInput.readableBytes == 0
        let afterwards: Afterwards
        if self.keepsClient {
            afterwards = .keep
        } else {
            let hasUnread = !self.requestBody.isComplete || self.input.readableBytes > 0
            afterwards = hasUnread && !self.clientEnded ? .linger : .close
        }
        self.end(status: self.response.status, code: nil, reuses: reuses, upgraded: false, then: afterwards)
        return self.nextAction()
    }

    /// The connection to the instance closed before a byte of the response.
    private mutating func upstreamLost() -> ExchangeAction? {
        let canReplay =
            !self.sentAnything || (self.isReplayWhole && (self.request.isReplayable || self.wasRefused))
        guard canReplay, self.retries < self.settings.retries else {
            return self.answer(OwnAnswer(.upstreamBroke), keeping: self.requestBody.isComplete)
        }
        self.retries += 1
        self.upstream = .acquiring
        self.upstreamInput.letGo()
        // An instance that refuses says that it is well: the connection was at its end, or full. Another one is asked
        // with the last try.
        let staysThere = self.wasRefused ? self.retries < self.settings.retries : self.isReused
        return .acquire(staysThere ? .freshConnection : .anotherInstance)
    }
}
