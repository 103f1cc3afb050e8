import NIOCore

/// One client connection's HTTP/1 exchanges, one after the other, with their instances: bytes and events in, actions
/// out, no sockets, no clock.
///
/// The driver tells it what happened (the methods that return nothing) and then performs ``nextAction()`` until that
/// is nil. Events may come while an action is being performed; they wait for the next call.
///
/// ```
///   head ──▶ routing ──▶ exchanging ──▶ ending ──▶ head        (the client keeps its connection)
///    │          │          │    └──▶ tunnel ─┘ └──▶ lingering ──▶ closed
///    └──────────┴──────────┴── a refusal is answered ─┘
/// ```
struct ExchangeMachine: ~Copyable {
    struct Settings {
        var requestHead: HeadScanner.Limits
        var responseHead: HeadScanner.Limits
        /// How much of a request's body is kept to be sent again.
        var replayBytes: Int
        /// How often a request may be sent again.
        var retries: Int
        /// How much client input may wait (pipelined requests, a body that cannot be sent yet).
        var backlogBytes: Int
        /// Whether a request without a trace begins one.
        var startsTraces = false
    }

    enum Phase {
        /// Between requests, or inside a request's head.
        case head
        /// The driver looks up the route.
        case routing
        case exchanging
        case tunnel
        case ending(ExchangeEnding, then: Afterwards)
        case closing
        /// The answer is out; what the client still sends is thrown away, so that a reset does not destroy the answer.
        case lingering(announced: Bool)
        case closed
    }

    enum Afterwards { case keep, close, linger, drop }

    enum Upstream {
        case unassigned
        case acquiring
        case open
        /// Nothing more will be read from it.
        case finished
    }

    enum ResponsePhase { case head, body, complete }

    /// What a side of the exchange speaks.
    enum Dialect {
        /// One stream of bytes.
        case http1
        /// Heads, data and ends one by one, as HTTP/2 frames are. Heads are written as HTTP/1's all the same.
        case frames
    }

    /// How the request's body reaches the instance.
    enum RequestDelivery {
        /// As the client framed it.
        case asIs
        /// The client ended it by a frame; the instance gets chunks.
        case intoChunks
        /// The instance is told the end by a frame.
        case data
    }

    // The connection.
    let settings: Settings
    let clientDialect: Dialect
    var facts: ConnectionFacts
    var random: LoopRandom
    var phase = Phase.head
    var input = ByteBuffer()
    var clientEnded = false
    /// The time of day, in seconds since 1970, as the driver tells it now and then; for the router's own answers.
    var seconds: UInt64 = 0
    /// Whether the connection is to be closed after this exchange, because the router stops.
    var isClosing = false

    // The request.
    /// Counts the requests of the connection.
    var number = 0
    var requestScanner = HeadScanner()
    var headBytes = ByteBuffer()
    var fields = ContiguousArray<HeadField>()
    var request = RequestHead()
    var requestBody = BodyReader(.none, output: .chunks, malformed: .badRequest)
    var requestID: RequestID
    var bodyLimit = Int.max
    var requestBytes = 0
    var requestDelivery = RequestDelivery.asIs
    /// A head that came in a frame and has not been looked at.
    var framedRequest: FramedHead?
    var requestTrailers = ByteBuffer()
    /// What the application's route says about its responses.
    var policy: PreparedPolicy?
    /// Lines to add to the response, each with its end.
    var addedFields: [UInt8] = []
    var pendingAnswer: OwnAnswer?
    var clientVanished = false

    // The attempt.
    var upstream = Upstream.unassigned
    var upstreamDialect = Dialect.http1
    var upstreamInput = ByteBuffer()
    var upstreamEnded = false
    var upstreamBroke = false
    /// The head and the start of the body, ready to be sent again.
    var replay = ByteBuffer()
    var replayHeadLength = 0
    var isReplayWhole = true
    var replayStep = ReplayStep.done
    var sentAnything = false
    /// The instance has not looked at the request, and said so.
    var wasRefused = false
    var isReused = false
    var retries = 0
    /// The instance has been told that the request ends.
    var sentRequestEnd = false

    // The response.
    var framedResponse: FramedHead?
    var responseTrailers = ByteBuffer()
    /// What is left to do of an answer that takes several steps.
    var followingActions: [ExchangeAction] = []
    var responsePhase = ResponsePhase.head
    var responseScanner = HeadScanner()
    var responseBody = BodyReader(.none, output: .chunks, malformed: .upstreamInvalid)
    var response = ResponseHead()
    var delivery = ResponseHead.BodyDelivery.asIs
    var responseStarted = false
    /// The interim responses to this request, and their bytes.
    var interimCount = 0
    var interimBytes = 0
    var responseHeadSent = false
    var sentResponseEnd = false
    var announcesStream = false
    var keepsClient = false
    var responseBytes = 0
    var out = ByteBuffer()
    var sentHalfCloseUpstream = false
    var sentHalfCloseClient = false

    /// What of the request, kept to be sent again, a new connection has not been sent yet.
    enum ReplayStep { case whole, body, done }

    struct FramedHead {
        var text: ByteBuffer
        /// Whether there is nothing behind it.
        var ends: Bool
        /// Whether it says how long the body is.
        var hasLength: Bool
    }

    init(settings: Settings, facts: ConnectionFacts, random: LoopRandom, clientDialect: Dialect = .http1) {
        self.settings = settings
        self.clientDialect = clientDialect
        self.facts = facts
        self.random = random
        self.requestID = .random(0, 0)
    }

    // MARK: What is asked of it

    /// The next thing to do, or nil until something happens.
    mutating func nextAction() -> ExchangeAction? {
        if self.clientVanished, let action = self.vanish() { return action }
        if let refusal = self.pendingAnswer {
            self.pendingAnswer = nil
            return self.answer(refusal)
        }
        if !self.followingActions.isEmpty { return self.followingActions.removeFirst() }
        switch self.phase {
        case .head: return self.nextHead()
        case .routing, .closed: return nil
        case .exchanging: return self.nextRequest() ?? self.nextResponse()
        case .tunnel: return self.nextTunnel()
        case .ending(let ending, let afterwards):
            self.leave(afterwards)
            return .ended(ending)
        case .closing:
            self.phase = .closed
            return .closeClient
        case .lingering(let announced):
            // HTTP/1 only: a frame that ends a stream cannot be lost to a reset of the connection.
            self.input.letGo()
            if !announced {
                self.phase = .lingering(announced: true)
                return .halfCloseClient
            }
            guard self.clientEnded else { return nil }
            self.phase = .closed
            return .closeClient
        }
    }

    /// Whether reading more from the client makes sense now; when not, its window fills and it waits.
    var wantsClientBytes: Bool { self.input.readableBytes < self.settings.backlogBytes }

    var isTunnel: Bool {
        if case .tunnel = self.phase { return true }
        return false
    }

    /// Whether it is being decided where the request goes.
    var isRouting: Bool {
        if case .routing = self.phase { return true }
        return false
    }

    /// What is kept of a request, of what comes behind it, and of its response.
    var heldBytes: Int {
        self.headBytes.readableBytes + self.input.readableBytes + self.replay.readableBytes
            + self.upstreamInput.readableBytes
    }

    /// Whether the request's body is a stream of gRPC messages, to an instance that speaks HTTP/2.
    var sendsMessages: Bool {
        self.request.isGRPC && self.request.framing == .delimited && self.upstreamDialect == .frames
    }

    /// Whether a request is being worked on.
    var isExchanging: Bool {
        switch self.phase {
        case .routing, .exchanging, .tunnel: return true
        case .head, .ending, .closing, .lingering, .closed: return false
        }
    }

    /// Whether what comes next is a request that is here already, at least in part.
    var isBeforeRequest: Bool {
        if case .head = self.phase { return self.input.readableBytes > 0 }
        return false
    }

    /// Whether another request can come on this connection.
    var clientMayContinue: Bool { !self.clientEnded || self.input.readableBytes > 0 }

    /// The request that is being routed, as rules see it.
    func withRequest<R>(_ body: (HeadView) -> R) -> R {
        self.headBytes.withUnsafeReadableBytes { bytes in
            self.fields.withUnsafeBufferPointer { fields in
                var client = self.facts.client
                var isSecure = self.facts.isSecure
                if self.facts.isTrusted { self.readForwarding(bytes, fields, &client, &isSecure) }
                return body(HeadView(self.request, bytes, fields: fields, isSecure: isSecure, client: client))
            }
        }
    }

    /// What a trusted proxy says about its client: the last address that it or another one wrote.
    private func readForwarding(
        _ bytes: UnsafeRawBufferPointer, _ fields: UnsafeBufferPointer<HeadField>, _ client: inout ClientAddress,
        _ isSecure: inout Bool
    ) {
        for field in fields {
            let value = bytes[field.value]
            switch field.kind {
            case .forwardedFor:
                let start = value.lastIndex(of: 0x2C).map { $0 + 1 } ?? 0
                let text = String(decoding: trim(value, from: start, to: value.count), as: UTF8.self)
                if let address = ClientAddress(text) { client = address }
            case .forwardedProto: isSecure = value.spells("https")
            default: break
            }
        }
    }

    /// The path of the request that is being routed, as it came, without the query.
    func withPath<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
        self.headBytes.withUnsafeReadableBytes { bytes in
            let target = bytes[self.request.target]
            return body(UnsafeRawBufferPointer(rebasing: target[0..<(target.firstIndex(of: 0x3F) ?? target.count)]))
        }
    }

    /// Copies method, authority and path of the request that is being routed, for its record.
    func summarize(into summary: inout RequestSummary) {
        self.headBytes.withUnsafeReadableBytes { bytes in
            summary.set(
                method: bytes[self.request.methodRange], host: bytes[self.request.host],
                target: bytes[self.request.target], trace: self.request.trace)
        }
    }

    /// Lets go of the loop's read buffer: what waits for more of its kind is kept in memory of its own.
    mutating func releaseInput() {
        if self.input.readableBytes == 0 { self.input.letGo() } else { self.input = self.input.compacted() }
        if self.upstreamInput.readableBytes == 0 {
            self.upstreamInput.letGo()
        } else {
            self.upstreamInput = self.upstreamInput.compacted()
        }
        // The head of a request that waits for its instance, or for a password to be checked.
        if self.headBytes.readableBytes > 0 { self.headBytes = self.headBytes.compacted() }
    }

    /// What the connection waits for, which decides how long it may.
    var waiting: Waiting {
        switch self.phase {
        case .head: return self.input.readableBytes == 0 ? .nextRequest : .requestHead
        case .routing, .ending, .closing, .closed: return .nothing
        case .tunnel: return .tunnel
        case .lingering: return .lingering
        case .exchanging:
            guard case .open = self.upstream else { return .instance }
            // An interim response is none: the client may still have to send its body.
            if self.responsePhase != .head { return .response }
            return self.requestBody.isComplete ? .firstByte : .requestBody
        }
    }

    enum Waiting: Equatable {
        case nothing, nextRequest, requestHead, requestBody, instance, firstByte, response, tunnel, lingering
    }
}
