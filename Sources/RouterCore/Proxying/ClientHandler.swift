import NIOCore

/// The router's end of a client's connection: feeds the exchange machine and does what it says.
///
/// Everything happens on one event loop, and an instance's connection is always on the same one. Performing an action
/// can make the channel call back at once (a flush may find that the peer is gone); such a call only tells the machine,
/// and the loop in ``pump()`` takes notice.
final class ClientHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    let loop: LoopContext
    /// Where the loop's list has it.
    var position: Int?
    var machine: ExchangeMachine
    var context: ChannelHandlerContext?

    // The exchange.
    var attempt = UpstreamAttempt()
    var timing = RequestTiming()
    var summary: (method: String, host: String, path: String)?

    private var isPumping = false
    private var clientNeedsFlush = false
    private var upstreamNeedsFlush = false
    private var isReadHeld = false
    private var halfClosing: HalfClosing?
    private var isClosing = false

    // Time limits.
    private var waiting = ExchangeMachine.Waiting.nextRequest
    private var waitingSince: UInt64
    private var stalledBytes = 0

    private enum HalfClosing { case pending(thenClose: Bool), done }

    init(_ loop: LoopContext) {
        self.loop = loop
        self.waitingSince = loop.now
        self.machine = ExchangeMachine(
            settings: loop.settings,
            facts: ConnectionFacts(clientAddress: "", isTrusted: false, scheme: "http", port: 0, pseudonym: ""),
            random: LoopRandom(seed: loop.random.next()))
    }

    /// The instance that is being used.
    var instanceID: BackendID? { self.attempt.instance?.id }

    // MARK: The loop of actions

    func pump() {
        guard !self.isPumping else { return }
        self.isPumping = true
        var ended = false
        while let action = self.machine.nextAction() {
            switch action {
            case .toClient(let bytes):
                self.context?.write(self.wrapOutboundOut(bytes), promise: nil)
                self.clientNeedsFlush = true
            case .toUpstream(let bytes):
                self.attempt.upstream?.write(bytes)
                self.upstreamNeedsFlush = true
            case .route: self.route()
            case .acquire(let acquisition): self.acquire(acquisition)
            case .streaming, .tunnel: self.attempt.becomeStream()
            case .ended(let ending):
                self.finish(ending)
                ended = true
            case .halfCloseUpstream: self.attempt.upstream?.halfClose()
            case .halfCloseClient: self.halfCloseClient()
            case .closeClient: self.closeClient()
            }
        }
        self.isPumping = false
        self.noteWaiting()
        if ended { self.flush() }
        self.resumeReading()
    }

    func flush() {
        if self.clientNeedsFlush {
            self.clientNeedsFlush = false
            self.context?.flush()
        }
        if self.upstreamNeedsFlush {
            self.upstreamNeedsFlush = false
            self.attempt.upstream?.flush()
        }
    }

    private func pumpAndFlush() {
        self.pump()
        self.flush()
    }

    // MARK: The client's channel

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelActive(context: ChannelHandlerContext) {
        let address = context.channel.remoteAddress?.plainIPAddress ?? "unknown"
        self.machine.facts = ConnectionFacts(
            clientAddress: address,
            isTrusted: self.loop.configuration.trustedProxies.contains { $0.contains(address) },
            scheme: "http", port: context.channel.localAddress?.port ?? self.loop.configuration.port,
            pseudonym: self.loop.configuration.pseudonym)
        guard !self.loop.isShuttingDown, self.loop.add(self) else {
            context.close(promise: nil)
            return
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.machine.clientBytes(self.unwrapInboundIn(data))
        self.noteActivity()
        self.pump()
    }

    func channelReadComplete(context: ChannelHandlerContext) { self.flush() }

    func read(context: ChannelHandlerContext) {
        if self.canReadMore { context.read() } else { self.isReadHeld = true }
    }

    /// A client that sends requests without reading the answers waits, like one whose instance is not reading.
    private var canReadMore: Bool {
        self.machine.wantsClientBytes && self.attempt.upstream?.isWritable != false
            && (self.canTakeResponse || self.machine.isExchanging)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        guard context.channel.isWritable else { return }
        self.attempt.upstream?.resumeReading()
        self.resumeReading()
    }

    /// Goes on reading if that was held back and makes sense now.
    func resumeReading() {
        guard self.isReadHeld, self.canReadMore else { return }
        self.isReadHeld = false
        self.context?.read()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard let event = event as? ChannelEvent, event == .inputClosed else { return }
        self.machine.clientEOF()
        self.pumpAndFlush()
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.machine.clientClosed()
        self.pumpAndFlush()
        self.loop.remove(self)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func halfCloseClient() {
        guard let context = self.context, self.halfClosing == nil else { return }
        self.halfClosing = .pending(thenClose: false)
        context.flush()
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenComplete { _ in
            if case .pending(thenClose: true)? = self.halfClosing { context.close(promise: nil) }
            self.halfClosing = .done
        }
        context.close(mode: .output, promise: promise)
    }

    private func closeClient() {
        guard let context = self.context, !self.isClosing else { return }
        self.isClosing = true
        self.waitingSince = self.loop.now
        switch self.halfClosing {
        case .pending:
            self.halfClosing = .pending(thenClose: true)
        case .done:
            context.close(promise: nil)
        case nil:
            let promise = context.eventLoop.makePromise(of: Void.self)
            promise.futureResult.assumeIsolated().whenComplete { _ in context.close(promise: nil) }
            context.writeAndFlush(self.wrapOutboundOut(ByteBuffer()), promise: promise)
        }
    }

    // MARK: The instance's channel

    /// Whether reading more of the response makes sense now; when not, the instance waits.
    var canTakeResponse: Bool { self.context?.channel.isWritable ?? true }

    func upstreamRead(_ bytes: ByteBuffer) {
        if self.timing.firstByte == 0 { self.timing.firstByte = RequestTiming.now() }
        self.machine.upstreamBytes(bytes)
        self.noteActivity()
        self.pump()
    }

    func upstreamEnded(broke: Bool) {
        self.machine.upstreamEOF(broke: broke)
        self.pumpAndFlush()
    }

    /// Its channel is gone. After an orderly end that is no news, except for a tunnel, which has no other end.
    func upstreamClosed(broke: Bool) {
        self.machine.upstreamEOF(broke: broke || self.machine.isTunnel)
        self.pumpAndFlush()
    }

    func upstreamBecameWritable() { self.resumeReading() }

    // MARK: Time

    private func noteWaiting() {
        let waiting = self.machine.waiting
        guard waiting != self.waiting else { return }
        self.waiting = waiting
        self.waitingSince = self.loop.now
    }

    private func noteActivity() {
        switch self.waiting {
        case .requestBody, .response, .tunnel: self.waitingSince = self.loop.now
        default: break
        }
    }

    /// Looks whether what is waited for has taken too long.
    func check(now: UInt64) {
        let limits = self.loop.limits
        let waited = now &- min(now, self.waitingSince)
        if self.isClosing {
            if waited > limits.clientStall { self.context?.close(promise: nil) }
            return
        }
        let timeouts = self.attempt.pool?.route.timeouts ?? RouteTimeouts()
        switch self.waiting {
        case .nothing: return
        case .nextRequest: if waited > limits.keepAlive { self.timeOut() }
        case .requestHead: if waited > limits.head { self.timeOut() }
        case .lingering: if waited > limits.linger { self.timeOut() }
        case .tunnel: if waited > timeouts.upgradedIdle.nanosecondsClamped { self.timeOut() }
        case .firstByte: if waited > timeouts.firstByte.nanosecondsClamped { self.timeOut() }
        case .requestBody:
            if self.attempt.upstream?.isWritable == false {
                // It is the instance that does not take the body.
                if waited > timeouts.betweenBytes.nanosecondsClamped { self.answer(Refusal(.upstreamTimeout)) }
            } else if waited > limits.bodyIdle {
                self.timeOut()
            }
        case .response:
            if !self.canTakeResponse {
                self.checkStall(waited)
            } else if waited > timeouts.betweenBytes.nanosecondsClamped {
                self.timeOut()
            }
        case .instance:
            // A connection being made has its own time limit.
            if self.attempt.isQueued, waited > timeouts.queue.nanosecondsClamped {
                self.leaveQueue()
                self.answer(Refusal(.queueTimeout, retryAfter: 5))
            }
        }
    }

    /// The response waits for the client. As long as it takes some of it, it may take its time.
    private func checkStall(_ waited: UInt64) {
        let buffered = (try? self.context?.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
        if buffered != self.stalledBytes {
            self.stalledBytes = buffered
            self.waitingSince = self.loop.now
        } else if waited > self.loop.limits.clientStall {
            self.machine.clientClosed()
            self.pumpAndFlush()
            self.context?.close(promise: nil)
        }
    }

    private func timeOut() {
        self.machine.timedOut()
        self.pumpAndFlush()
    }

    func answer(_ refusal: Refusal) {
        self.machine.refuse(refusal)
        self.pumpAndFlush()
    }

    // MARK: The end

    func shutDown() {
        self.machine.shutDown()
        self.pumpAndFlush()
    }

    /// Answers if that is still possible, and closes without waiting.
    func abort(_ refusal: Refusal) {
        if self.machine.isExchanging { self.machine.refuse(refusal) }
        self.pumpAndFlush()
        self.context?.close(promise: nil)
    }
}

extension SocketAddress {
    /// The IP address as text; an IPv4 address that came through an IPv6 socket in its own form.
    var plainIPAddress: String? {
        guard let address = self.ipAddress else { return nil }
        return address.hasPrefix("::ffff:") && address.contains(".") ? String(address.dropFirst(7)) : address
    }
}
