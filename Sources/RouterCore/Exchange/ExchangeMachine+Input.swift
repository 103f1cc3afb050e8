import NIOCore

/// What the machine is told.
extension ExchangeMachine {
    mutating func clientBytes(_ bytes: consuming ByteBuffer) {
        switch self.phase {
        case .closed, .closing, .lingering: return
        default: break
        }
        if self.input.readableBytes == 0 {
            self.input = bytes
        } else {
            self.input.writeBuffer(&bytes)
        }
    }

    /// A request's head from a client that speaks in frames.
    mutating func clientHead(_ head: FramedHead) {
        self.framedRequest = head
        self.clientEnded = head.ends
    }

    /// A request's head that could not be taken.
    mutating func refuseHead(_ refusal: OwnAnswer) {
        self.beginExchange(ByteBuffer())
        self.phase = .routing
        self.refuse(refusal)
    }

    /// The trailers of the request, from a client that speaks in frames: the request ends with them.
    mutating func clientTrailers(_ lines: ByteBuffer) {
        self.requestTrailers = lines
        self.clientEnded = true
    }

    /// The client will send no more, but may still read. Where it speaks in frames, the request ends here.
    mutating func clientEOF() { self.clientEnded = true }

    /// The client's connection is gone.
    mutating func clientClosed() { self.clientVanished = true }

    /// The router stops: this exchange, or the next one, is the connection's last.
    mutating func shutDown() { self.isClosing = true }

    /// Connected; what follows goes to this instance.
    mutating func upstreamReady(reused: Bool) {
        guard case .acquiring = self.upstream else { return }
        self.upstream = .open
        self.isReused = reused
        self.replayStep = .whole
        self.sentAnything = false
        self.sentRequestEnd = false
        self.wasRefused = false
        self.upstreamEnded = false
        self.upstreamBroke = false
        self.upstreamInput.letGo()
    }

    mutating func upstreamBytes(_ bytes: consuming ByteBuffer) {
        guard case .open = self.upstream else { return }
        if self.upstreamInput.readableBytes == 0 {
            self.upstreamInput = bytes
        } else {
            self.upstreamInput.writeBuffer(&bytes)
        }
    }

    /// A response's head, final or interim, from an instance that speaks in frames.
    mutating func upstreamHead(_ head: FramedHead) {
        guard case .open = self.upstream else { return }
        guard self.framedResponse == nil else {
            return self.refuse(OwnAnswer(.upstreamInvalid, reason: "The instance sent two heads at once."))
        }
        self.framedResponse = head
        self.upstreamEnded = head.ends
    }

    /// The trailers of the response, from an instance that speaks in frames: the response ends with them.
    mutating func upstreamTrailers(_ lines: ByteBuffer) {
        guard case .open = self.upstream else { return }
        self.responseTrailers = lines
        self.upstreamEnded = true
    }

    /// The instance will send no more. When its connection `broke` rather than ended, a body without a length is
    /// not taken for a whole one.
    ///
    /// - Parameter isProcessed: false when the instance has certainly not looked at the request.
    mutating func upstreamEOF(broke: Bool, isProcessed: Bool = true) {
        guard case .open = self.upstream else { return }
        if !isProcessed { self.wasRefused = true }
        self.upstreamEnded = true
        self.upstreamBroke = self.upstreamBroke || broke
    }

    /// No connection to the chosen instance. Nothing was sent: it is safe to try another one.
    mutating func connectFailed() {
        guard case .exchanging = self.phase, case .acquiring = self.upstream else { return }
        if self.retries < self.settings.retries {
            self.retries += 1
            self.upstream = .unassigned
        } else {
            self.refuse(OwnAnswer(.connectFailed, retryAfter: 1))
        }
    }

    /// Answers the request in the router's own name.
    mutating func refuse(_ refusal: OwnAnswer) { self.pendingAnswer = refusal }

    /// What it waited for (``waiting``) did not come in time.
    mutating func timedOut() {
        switch self.waiting {
        case .nothing: break
        case .nextRequest: self.phase = self.clientDialect == .http1 ? .lingering(announced: false) : .closing
        case .requestHead:
            self.beginExchange(ByteBuffer())
            self.refuse(OwnAnswer(.requestTimeout))
        case .requestBody: self.refuse(OwnAnswer(.requestTimeout))
        case .instance: self.refuse(OwnAnswer(.connectFailed, retryAfter: 1))
        case .firstByte, .response: self.refuse(OwnAnswer(.upstreamTimeout))
        case .tunnel: self.refuse(OwnAnswer(.idleTimeout))
        case .lingering: self.phase = .closing
        }
    }
}
