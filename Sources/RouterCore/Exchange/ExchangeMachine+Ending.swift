import NIOCore

extension ExchangeMachine {
    /// Answers in the router's own name, or, when the response has begun, breaks it off so that nobody takes it for
    /// a whole one.
    mutating func answer(_ answer: OwnAnswer, keeping: Bool = true) -> ExchangeAction? {
        switch self.phase {
        case .ending, .closing, .lingering, .closed: return self.nextAction()
        case .head, .routing, .exchanging, .tunnel: break
        }
        var answer = answer
        if let policy = self.policy {
            if let code = answer.code, answer.html == nil { answer.html = policy.errorPage(for: code) }
            answer.fields += self.responseFields
        }
        if self.responseHeadSent {
            let upgraded = self.response.status == 101
            // To close at once would be a reset when the client has sent more, and destroy the answers before this one.
            let hasUnread = !self.requestBody.isComplete || self.input.readableBytes > 0
            let lingers = hasUnread && !upgraded && self.clientDialect == .http1 && !self.clientEnded
            self.end(
                status: self.response.status, code: answer.code, reuses: false, upgraded: upgraded,
                then: lingers ? .linger : .drop)
            return self.nextAction()
        }
        let hasUnread: Bool
        switch self.phase {
        // Before the body's reader is set up, the head says whether there is one.
        case .routing: hasUnread = self.request.framing != .none
        case .exchanging: hasUnread = !self.requestBody.isComplete
        default: hasUnread = true
        }
        let keeps =
            keeping && !hasUnread && self.request.isPersistent && !self.isClosing && self.clientMayContinue
        if self.clientDialect == .frames { return self.answerInFrames(answer) }
        let connection: StaticString
        if keeps {
            connection = self.request.minorVersion == 0 ? "Connection: keep-alive\r\n" : ""
        } else {
            connection = "Connection: close\r\n"
        }
        let page = ErrorPage.response(
            answer, id: self.requestID, date: HTTPDate(seconds: self.seconds), connection: connection,
            withBody: self.request.method != .head)
        self.responseBytes += page.readableBytes
        self.end(
            status: answer.status, code: answer.code, reuses: false, upgraded: false,
            then: keeps ? .keep : (self.clientEnded ? .close : .linger))
        return .toClient(page)
    }

    private mutating func answerInFrames(_ answer: OwnAnswer) -> ExchangeAction? {
        var head = ErrorPage.response(
            answer, id: self.requestID, date: HTTPDate(seconds: self.seconds), connection: "",
            withBody: self.request.method != .head)
        let end = head.readableBytesView.firstRange(of: [13, 10, 13, 10])?.upperBound ?? head.writerIndex
        let page = head.getSlice(at: end, length: head.writerIndex - end) ?? ByteBuffer()
        head.moveWriterIndex(to: end)
        self.responseBytes += head.readableBytes + page.readableBytes
        self.end(status: answer.status, code: answer.code, reuses: false, upgraded: false, then: .close)
        if page.readableBytes > 0 { self.followingActions = [.toClient(page), .endToClient(trailers: ByteBuffer())] }
        return .headToClient(head, ends: page.readableBytes == 0)
    }

    /// The client is gone, or will never send the rest of what it began.
    mutating func vanish() -> ExchangeAction? {
        switch self.phase {
        case .closed: return nil
        case .ending(let ending, _):
            self.phase = .ending(ending, then: .drop)
            return nil
        case .head, .closing, .lingering:
            self.phase = .closed
            return .closeClient
        case .routing, .exchanging, .tunnel:
            let upgraded = self.responseHeadSent && self.response.status == 101
            self.end(
                status: self.responseHeadSent ? self.response.status : RouterErrorCode.clientClosed.status,
                code: upgraded ? nil : .clientClosed, reuses: false, upgraded: upgraded, then: .drop)
            return self.nextAction()
        }
    }

    mutating func end(
        status: Int, code: RouterErrorCode?, reuses: Bool, upgraded: Bool, then afterwards: Afterwards
    ) {
        self.upstream = .finished
        self.forgetReplay()
        self.upstreamInput.letGo()
        self.framedResponse = nil
        self.headBytes.letGo()
        self.phase = .ending(
            ExchangeEnding(
                reusesUpstream: reuses, status: status, code: code, requestBytes: self.requestBytes,
                responseBytes: self.responseBytes, retries: self.retries, upgraded: upgraded),
            then: afterwards)
    }

    mutating func leave(_ afterwards: Afterwards) {
        switch afterwards {
        case .keep: self.phase = .head
        case .close, .drop: self.phase = .closing
        case .linger: self.phase = .lingering(announced: false)
        }
    }

    /// Both sides speak a protocol that is none of the router's business.
    mutating func nextTunnel() -> ExchangeAction? {
        if self.announcesStream {
            self.announcesStream = false
            return .tunnel
        }
        if self.input.readableBytes > 0, !self.upstreamEnded || !self.upstreamBroke {
            let bytes = self.input
            self.input.letGo()
            self.requestBytes += bytes.readableBytes
            return .toUpstream(bytes)
        }
        if self.upstreamInput.readableBytes > 0 {
            let bytes = self.upstreamInput
            self.upstreamInput.letGo()
            self.responseBytes += bytes.readableBytes
            return .toClient(bytes)
        }
        if self.clientEnded, !self.sentHalfCloseUpstream, !self.upstreamEnded {
            self.sentHalfCloseUpstream = true
            return .halfCloseUpstream
        }
        // Where the client has ended its side, too, closing says the same; but a stream of frames has an end of its own,
        // without which it would look broken off.
        let ownEnd = !self.clientEnded || self.clientDialect == .frames
        if self.upstreamEnded, !self.sentHalfCloseClient, ownEnd, !self.upstreamBroke {
            self.sentHalfCloseClient = true
            return .halfCloseClient
        }
        guard self.upstreamBroke || (self.clientEnded && self.upstreamEnded) else { return nil }
        self.end(status: 101, code: nil, reuses: false, upgraded: true, then: .close)
        return self.nextAction()
    }
}
