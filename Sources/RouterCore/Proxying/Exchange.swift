import NIOCore

/// The side of an exchange that faces the client: a connection of its own, or a stream within one.
protocol ClientSide: AnyObject {
    /// False while the client takes less than it is sent.
    var canTakeMore: Bool { get }
    /// How much waits for the client.
    var bufferedBytes: Int { get }

    func send(_ bytes: ByteBuffer)
    func flush()
    /// Ends what is sent; the client may go on sending.
    func endOutput()
    /// Closes once everything sent has left.
    func closeAfterWriting()
    /// Closes at once.
    func close()
    /// More from the client can be used now.
    func resumeReading()
}

/// Requests on their way through the router, one after the other: feeds the exchange machine and does what it says.
///
/// Everything happens on one loop, and an instance's connection is always on the same one. No action calls back before
/// it is done, except that a connection to an instance may be there at once.
final class Exchange {
    let worker: Worker
    unowned let client: any ClientSide
    var machine: ExchangeMachine

    // The request.
    var attempt = UpstreamAttempt()
    var timing = RequestTiming()
    var summary = RequestSummary()

    private var isPumping = false
    private var clientNeedsFlush = false
    private var upstreamNeedsFlush = false
    private(set) var isClosing = false

    // Time limits.
    private var waiting = ExchangeMachine.Waiting.nextRequest
    private var waitingSince: UInt64
    private var stalledBytes = 0

    init(_ worker: Worker, client: any ClientSide, facts: ConnectionFacts) {
        self.worker = worker
        self.client = client
        self.waitingSince = worker.loop.now()
        self.machine = ExchangeMachine(
            settings: worker.settings, facts: facts, random: LoopRandom(seed: worker.random.next()))
    }

    /// The instance that is being used.
    var instanceID: BackendID? { self.attempt.instance?.id }

    // MARK: The loop of actions

    func pump() {
        guard !self.isPumping else { return }
        self.isPumping = true
        while let action = self.machine.nextAction() {
            switch action {
            case .toClient(let bytes):
                self.client.send(bytes)
                self.clientNeedsFlush = true
            case .toUpstream(let bytes):
                self.attempt.upstream?.stream.write(bytes)
                self.upstreamNeedsFlush = true
            case .route: self.route()
            case .acquire(let acquisition): self.acquire(acquisition)
            case .streaming, .tunnel: self.attempt.becomeStream()
            case .ended(let ending):
                // What the client is sent is sent before anything is looked at in peace.
                self.flushClient()
                self.finish(ending)
            case .halfCloseUpstream: self.attempt.upstream?.stream.closeOutput()
            case .halfCloseClient: self.client.endOutput()
            case .closeClient: self.closeClient()
            }
        }
        self.isPumping = false
        self.flushClient()
        if self.upstreamNeedsFlush {
            self.upstreamNeedsFlush = false
            self.attempt.upstream?.stream.flush()
        }
        self.noteWaiting()
        if self.canReadMore { self.client.resumeReading() }
    }

    private func flushClient() {
        guard self.clientNeedsFlush else { return }
        self.clientNeedsFlush = false
        self.client.flush()
    }

    private func closeClient() {
        guard !self.isClosing else { return }
        self.isClosing = true
        self.waitingSince = self.worker.loop.now()
        self.client.closeAfterWriting()
    }

    // MARK: What the client's side says

    func clientBytes(_ bytes: consuming ByteBuffer) {
        self.machine.clientBytes(bytes)
        self.noteActivity()
        self.pump()
        self.machine.compactInput()
    }

    func clientEnded() {
        self.machine.clientEOF()
        self.pump()
    }

    func clientClosed() {
        self.machine.clientClosed()
        self.pump()
    }

    /// A client that sends requests without reading the answers waits, like one whose instance is not reading.
    var canReadMore: Bool {
        self.machine.wantsClientBytes && self.attempt.upstream?.stream.isWritable != false
            && (self.client.canTakeMore || self.machine.isExchanging)
    }

    /// The client takes bytes again.
    func clientBecameWritable() {
        self.attempt.upstream?.stream.resumeReading()
        if self.canReadMore { self.client.resumeReading() }
    }

    // MARK: What the instance's connection says

    func upstreamBytes(_ bytes: consuming ByteBuffer) {
        if self.timing.firstByte == 0 { self.timing.firstByte = self.worker.loop.now() }
        self.machine.upstreamBytes(bytes)
        self.noteActivity()
        self.pump()
        self.machine.compactInput()
    }

    func upstreamEnded(broke: Bool) {
        self.machine.upstreamEOF(broke: broke)
        self.pump()
    }

    /// Its connection is gone. After an orderly end that is no news, except for a tunnel, which has no other end.
    func upstreamClosed(broke: Bool) {
        self.machine.upstreamEOF(broke: broke || self.machine.isTunnel)
        self.pump()
    }

    func upstreamBecameWritable() {
        if self.canReadMore { self.client.resumeReading() }
    }

    // MARK: Time

    private func noteWaiting() {
        let waiting = self.machine.waiting
        guard waiting != self.waiting else { return }
        self.waiting = waiting
        self.waitingSince = self.worker.loop.now()
    }

    private func noteActivity() {
        switch self.waiting {
        case .requestBody, .response, .tunnel: self.waitingSince = self.worker.loop.now()
        default: break
        }
    }

    /// Looks whether what is waited for has taken too long.
    func check(now: UInt64) {
        let limits = self.worker.limits
        let waited = now &- min(now, self.waitingSince)
        if self.isClosing {
            if waited > limits.clientStall { self.client.close() }
            return
        }
        let timeouts = self.attempt.pool?.timeouts ?? NanosecondTimeouts.defaults
        switch self.waiting {
        case .nothing: return
        case .nextRequest: if waited > limits.keepAlive { self.timeOut() }
        case .requestHead: if waited > limits.head { self.timeOut() }
        case .lingering: if waited > limits.linger { self.timeOut() }
        case .tunnel: if waited > timeouts.upgradedIdle { self.timeOut() }
        case .firstByte: if waited > timeouts.firstByte { self.timeOut() }
        case .requestBody:
            if self.attempt.upstream?.stream.isWritable == false {
                // It is the instance that does not take the body.
                if waited > timeouts.betweenBytes { self.answer(Refusal(.upstreamTimeout)) }
            } else if waited > limits.bodyIdle {
                self.timeOut()
            }
        case .response:
            if !self.client.canTakeMore {
                self.checkStall(waited)
            } else if waited > timeouts.betweenBytes {
                self.timeOut()
            }
        case .instance:
            if self.attempt.isQueued {
                guard waited > timeouts.queue else { return }
                self.leaveQueue()
                self.answer(Refusal(.queueTimeout, retryAfter: 5))
            } else if self.timing.connectingSince > 0, now &- min(now, self.timing.connectingSince) > timeouts.connect {
                self.connectTimedOut()
            }
        }
    }

    /// The response waits for the client. As long as it takes some of it, it may take its time.
    private func checkStall(_ waited: UInt64) {
        let buffered = self.client.bufferedBytes
        if buffered != self.stalledBytes {
            self.stalledBytes = buffered
            self.waitingSince = self.worker.loop.now()
        } else if waited > self.worker.limits.clientStall {
            self.machine.clientClosed()
            self.pump()
            self.client.close()
        }
    }

    private func timeOut() {
        self.machine.timedOut()
        self.pump()
    }

    func answer(_ refusal: Refusal) {
        self.machine.refuse(refusal)
        self.pump()
    }

    // MARK: The end

    func shutDown() {
        self.machine.shutDown()
        self.pump()
    }

    /// Answers if that is still possible, and closes without waiting.
    func abort(_ refusal: Refusal) {
        if self.machine.isExchanging { self.machine.refuse(refusal) }
        self.pump()
        self.client.close()
    }
}
