import NIOCore

/// Requests on their way through the router, one after the other: feeds the exchange machine and does what it says.
///
/// Everything happens on one loop, and an instance's connection is always on the same one. No action calls back before
/// it is done, except that a connection to an instance may be there at once.
final class Exchange {
    let worker: Worker
    /// Owns this exchange, and therefore outlives it; set by it before anything happens.
    unowned(unsafe) var client: (any ClientSide)!
    private let ownedMachine: Owned<ExchangeMachine>
    private let ownedAttempt = Owned(UpstreamAttempt())
    private let ownedTiming = Owned(RequestTiming())
    private let ownedSummary = Owned(RequestSummary())

    private var isPumping = false
    private var clientNeedsFlush = false
    private var upstreamNeedsFlush = false
    private(set) var isClosing = false
    /// The client's side has more to read, and was told that it is not wanted yet.
    private var isReadHeld = false

    /// What of the machine's bytes the loop's ledger knows.
    private var counted = 0

    // Time limits.
    var watch: ExchangeWatch
    /// From when on an idle connection is closed, because the router stops.
    private(set) var leaveBy = UInt64.max

    init(_ worker: Worker, facts: ConnectionFacts, dialect: ExchangeMachine.Dialect = .http1) {
        self.worker = worker
        self.watch = ExchangeWatch(now: worker.loop.now())
        self.ownedMachine = Owned(
            ExchangeMachine(
                settings: worker.settings, facts: facts, random: LoopRandom(seed: worker.random.next()),
                clientDialect: dialect))
    }

    deinit { self.worker.ledger.change(by: -self.counted) }

    var machine: ExchangeMachine {
        @inline(__always) unsafeAddress { UnsafePointer(self.ownedMachine.pointer) }
        @inline(__always) unsafeMutableAddress { self.ownedMachine.pointer }
    }
    var attempt: UpstreamAttempt {
        @inline(__always) unsafeAddress { UnsafePointer(self.ownedAttempt.pointer) }
        @inline(__always) unsafeMutableAddress { self.ownedAttempt.pointer }
    }
    var timing: RequestTiming {
        @inline(__always) unsafeAddress { UnsafePointer(self.ownedTiming.pointer) }
        @inline(__always) unsafeMutableAddress { self.ownedTiming.pointer }
    }
    var summary: RequestSummary {
        @inline(__always) unsafeAddress { UnsafePointer(self.ownedSummary.pointer) }
        @inline(__always) unsafeMutableAddress { self.ownedSummary.pointer }
    }

    /// The instance that is being used.
    var instanceID: BackendID? { self.attempt.instance?.id }

    // MARK: The loop of actions

    func pump() {
        guard !self.isPumping else { return }
        self.isPumping = true
        let client: any ClientSide = self.client
        self.machine.seconds = self.worker.seconds
        while !self.isHeldBack(client), let action = self.machine.nextAction() {
            switch action {
            case .toClient(let bytes):
                client.send(bytes)
                self.clientNeedsFlush = true
            case .toUpstream(let bytes):
                self.attempt.upstream?.send(bytes)
                self.upstreamNeedsFlush = true
            case .headToClient(let head, let ends):
                client.sendHead(head, ends: ends)
                self.clientNeedsFlush = true
            case .headToUpstream(let head, let ends):
                self.attempt.upstream?.sendHead(head, ends: ends)
                self.upstreamNeedsFlush = true
            case .endToClient(let trailers):
                client.sendEnd(trailers: trailers)
                self.clientNeedsFlush = true
            case .endToUpstream(let trailers):
                self.attempt.upstream?.sendEnd(trailers: trailers)
                self.upstreamNeedsFlush = true
            case .route: self.route()
            case .acquire(let acquisition): self.acquire(acquisition)
            case .streaming, .tunnel: self.becomeStream()
            case .ended(let ending):
                // What the client is sent is sent before anything is looked at in peace.
                self.flush(client)
                self.finish(ending)
            case .halfCloseUpstream: self.attempt.upstream?.endOutput()
            case .halfCloseClient: client.endOutput()
            case .closeClient: self.closeClient()
            }
        }
        self.isPumping = false
        self.flush(client)
        if self.upstreamNeedsFlush {
            self.upstreamNeedsFlush = false
            self.attempt.upstream?.flush()
        }
        self.watch.lastEvent = self.worker.loop.now()
        self.count()
        self.resumeClient()
    }

    /// A client that asks and asks without reading is answered no further than it reads.
    @inline(__always)
    private func isHeldBack(_ client: any ClientSide) -> Bool { self.machine.isBeforeRequest && !client.canTakeMore }

    private func becomeStream() {
        self.attempt.becomeStream()
        if let code = self.client.becomeStream() { self.machine.refuse(OwnAnswer(code, retryAfter: 5)) }
    }

    /// Tells the ledger what is kept of the request, and of both sides' input.
    @inline(__always)
    private func count() {
        let held = self.machine.heldBytes
        self.worker.ledger.change(by: held &- self.counted)
        self.counted = held
    }

    /// What it keeps, and what waits on the way to its instance.
    var allHeldBytes: Int { self.counted + (self.attempt.upstream?.bufferedBytes ?? 0) }

    private func resumeClient() {
        guard self.isReadHeld, self.canReadMore else { return }
        self.isReadHeld = false
        self.client.resumeReading()
    }

    private func flush(_ client: any ClientSide) {
        guard self.clientNeedsFlush else { return }
        self.clientNeedsFlush = false
        client.flush()
    }

    private func closeClient() {
        guard !self.isClosing else { return }
        self.isClosing = true
        self.client.closeAfterWriting()
    }

    // MARK: What the client's side says

    func clientBytes(_ bytes: consuming ByteBuffer) {
        self.machine.clientBytes(bytes)
        self.pump()
        self.machine.releaseInput()
    }

    func clientHead(_ head: ExchangeMachine.FramedHead) {
        self.machine.clientHead(head)
        self.pump()
    }

    func clientTrailers(_ lines: ByteBuffer) {
        self.machine.clientTrailers(lines)
        self.pump()
    }

    /// Answers a request whose head is not even looked at.
    func refuseHead(_ refusal: OwnAnswer) {
        self.timing = RequestTiming(start: self.worker.loop.now())
        self.machine.refuseHead(refusal)
        self.pump()
    }

    func clientEnded() {
        self.machine.clientEOF()
        self.pump()
    }

    func clientClosed() {
        self.machine.clientClosed()
        self.pump()
    }

    /// Whether more from the client can be used now. If not, it is called when it can.
    func wantsClientBytes() -> Bool {
        self.isReadHeld = !self.canReadMore
        return !self.isReadHeld
    }

    /// A client that sends requests without reading the answers waits, like one whose instance is not reading.
    private var canReadMore: Bool {
        self.machine.wantsClientBytes && self.attempt.upstream?.canTakeMore != false
            && (self.client.canTakeMore || self.machine.isExchanging)
    }

    /// The client takes bytes again.
    func clientBecameWritable() {
        self.watch.lastEvent = self.worker.loop.now()
        self.attempt.upstream?.resumeReading()
        if self.machine.isBeforeRequest {
            self.pump()
            self.machine.releaseInput()
        }
        self.resumeClient()
    }

    // MARK: What the instance's connection says

    func upstreamBytes(_ bytes: consuming ByteBuffer) {
        if self.timing.firstByte == 0 { self.timing.firstByte = self.worker.loop.now() }
        self.machine.upstreamBytes(bytes)
        self.pump()
        self.machine.releaseInput()
    }

    func upstreamHead(_ head: ExchangeMachine.FramedHead) {
        if self.timing.firstByte == 0 { self.timing.firstByte = self.worker.loop.now() }
        self.machine.upstreamHead(head)
        self.pump()
    }

    func upstreamTrailers(_ lines: ByteBuffer) {
        self.machine.upstreamTrailers(lines)
        self.pump()
    }

    /// - Parameter isProcessed: false when the instance has certainly not looked at the request.
    func upstreamEnded(broke: Bool, isProcessed: Bool = true) {
        self.machine.upstreamEOF(broke: broke, isProcessed: isProcessed)
        self.pump()
    }

    /// Its connection is gone. After an orderly end that is no news, except for a tunnel, which has no other end.
    func upstreamClosed(broke: Bool) {
        self.machine.upstreamEOF(broke: broke || self.machine.isTunnel)
        self.pump()
    }

    func upstreamBecameWritable() {
        self.watch.lastEvent = self.worker.loop.now()
        self.resumeClient()
    }

    // MARK: The end

    func timeOut() {
        self.machine.timedOut()
        self.pump()
    }

    func answer(_ refusal: OwnAnswer) {
        self.machine.refuse(refusal)
        self.pump()
    }

    /// Since when the connection has waited for a request; nil when it does not.
    var idleSince: UInt64? {
        guard !self.isClosing, self.machine.waiting == .nextRequest, self.client.canTakeMore else { return nil }
        return self.watch.lastEvent
    }

    /// It has waited for long enough: the connection ends as it does when its time is over.
    func giveUp() { self.timeOut() }

    /// The next answer is the last one. A client that is between two requests is given so many nanoseconds to ask once
    /// more: its request may be on its way.
    func shutDown(idleGrace: UInt64) {
        self.machine.shutDown()
        self.leaveBy = self.worker.loop.now() &+ idleGrace
        self.pump()
    }

    /// Answers if that is still possible, else breaks off.
    ///
    /// - Parameter closes: whether the client's connection is closed at once, whatever may still be on its way.
    func abort(_ refusal: OwnAnswer, closes: Bool) {
        if self.machine.isExchanging { self.machine.refuse(refusal) }
        self.pump()
        if closes { self.client.close() }
    }

    /// Whether it is an upgraded connection or an event stream, of one of these instances if any are named.
    func isStream(to backends: Set<BackendID>?) -> Bool {
        guard self.attempt.isStream, let id = self.instanceID else { return false }
        return backends?.contains(id) ?? true
    }
}
