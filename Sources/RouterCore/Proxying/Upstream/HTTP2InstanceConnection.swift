import NIOCore

/// A connection to an instance that speaks HTTP/2: shared by the requests of one loop, a stream for each.
final class HTTP2InstanceConnection: ByteStreamHandler {
    let instance: Instance
    let stream: any ByteStream
    private let loop: any StreamLoop
    private let ledger: BufferLedger
    /// What of the machine's bytes the ledger knows.
    private var counted = 0
    private let writeLimit: Int
    private let machine: Owned<HTTP2Connection>
    private var requests: [UInt32: HTTP2InstanceStream] = [:]
    private var isDriving = false
    private var isLeaving = false
    /// Told once how many streams the instance takes is known, or with nil when it never will be.
    private var ready: ((HTTP2InstanceConnection?) -> Void)?
    /// Where it can be found by further requests.
    weak var pool: InstanceConnections?
    /// Since when it has no stream.
    private(set) var idleSince: UInt64

    /// Its pools have this connection.
    private unowned let worker: Worker
    private var hasDeparted = false

    init(_ instance: Instance, _ stream: any ByteStream, _ worker: Worker) {
        self.instance = instance
        self.stream = stream
        self.worker = worker
        self.loop = worker.loop
        self.ledger = worker.ledger
        self.writeLimit = worker.configuration.writeBufferBytes
        self.idleSince = worker.loop.now()
        self.machine = Owned(
            HTTP2Connection(role: .client(isSecure: false), limits: worker.configuration.http2InstanceLimits))
        stream.handler = self
        self.drive()
    }

    var connection: HTTP2Connection {
        @inline(__always) unsafeAddress { UnsafePointer(self.machine.pointer) }
        @inline(__always) unsafeMutableAddress { self.machine.pointer }
    }

    var isIdle: Bool { self.requests.isEmpty }
    /// Whether the instance has said how many streams it takes. It may refuse what comes before that.
    var isReady: Bool { self.connection.hasPeerSettings }
    /// Whether another request can come.
    var hasRoom: Bool {
        !self.isLeaving && self.stream.isOpen && self.isReady && self.connection.availableStreams > 0
    }

    deinit { self.ledger.change(by: -self.counted) }

    func canTakeMore(_ id: UInt32) -> Bool {
        let buffered = self.connection.bufferedBytes(stream: id)
        return buffered == 0 || buffered < self.writeLimit && !self.ledger.isTight
    }

    private func count() {
        let held = self.connection.heldBytes
        self.ledger.change(by: held - self.counted)
        self.counted = held
    }

    // MARK: What the requests ask for

    /// Calls back when requests can come, or with nil when none ever can.
    func whenReady(_ completion: @escaping (HTTP2InstanceConnection?) -> Void) {
        if self.isReady || self.isLeaving {
            completion(self.isLeaving ? nil : self)
        } else {
            self.ready = completion
        }
    }

    private func tellReady(_ connection: HTTP2InstanceConnection?) {
        let ready = self.ready
        self.ready = nil
        ready?(connection)
    }

    /// Opens a stream; nil when the instance takes no more of them.
    func open(_ request: HTTP2InstanceStream, head: ByteBuffer, ends: Bool) -> UInt32? {
        guard self.hasRoom, let id = self.connection.openStream(head: head, endsStream: ends) else { return nil }
        self.requests[id] = request
        return id
    }

    /// What the exchange that lets go of a stream knows about it.
    enum Ending {
        /// Both sides have sent all.
        case complete
        /// The response is whole, and only its last frame is to come.
        case whole
        case brokenOff
    }

    func close(_ id: UInt32, _ ending: Ending) {
        self.requests[id] = nil
        switch ending {
        case .complete: break
        // To reset it would look to the instance as if its client had left in the last moment.
        case .whole: self.connection.stopReceiving(stream: id)
        case .brokenOff: self.connection.reset(stream: id, code: .cancel)
        }
        if self.requests.isEmpty {
            self.idleSince = self.loop.now()
            if self.instance.isRetired { return self.leave() }
        }
        self.drive()
    }

    /// Takes no more requests, and closes when the last one has ended.
    func leave() {
        guard !self.isLeaving else { return }
        self.isLeaving = true
        self.pool?.remove(self)
        self.connection.goAway(gracefully: true)
        self.drive()
        self.tellReady(nil)
    }

    private func depart() {
        guard !self.hasDeparted else { return }
        self.hasDeparted = true
        self.worker.closeAfterWriting(self.stream)
    }

    // MARK: The loop of events

    func drive() {
        guard !self.isDriving else { return }
        self.isDriving = true
        var wrote: Bool
        repeat {
            while let event = self.connection.nextEvent() { self.handle(event) }
            wrote = false
            while self.stream.isWritable, let output = self.connection.takeOutput() {
                self.stream.write(output)
                self.stream.flushSoon()
                wrote = true
            }
        } while wrote
        self.isDriving = false
        self.count()
        if self.connection.wantsClose || (self.isLeaving && self.requests.isEmpty) {
            self.pool?.remove(self)
            self.depart()
        }
    }

    private func handle(_ event: HTTP2Event) {
        switch event {
        case .head(let id, let head):
            self.requests[id]?.received(
                ExchangeMachine.FramedHead(
                    text: head.text, ends: head.endsStream, hasLength: head.contentLength != nil))
        case .data(let id, let bytes, let ends): self.requests[id]?.received(bytes, ends: ends)
        case .trailers(let id, let lines): self.requests[id]?.receivedTrailers(lines)
        case .endOfStream(let id): self.requests[id]?.received(ByteBuffer(), ends: true)
        case .reset(let id, let code, _):
            self.requests.removeValue(forKey: id)?.lost(isProcessed: code != .refusedStream)
        case .drained(let id): self.requests[id]?.drained()
        case .goAway: self.leave()
        case .closed: self.loseAll()
        case .settings: self.tellReady(self)
        case .refusedHead, .settingsAcknowledged, .pingAnswered: break
        }
    }

    private func loseAll() {
        self.isLeaving = true
        self.pool?.remove(self)
        let requests = self.requests.values
        self.requests = [:]
        for request in requests { request.lost(isProcessed: true) }
        self.tellReady(nil)
    }

    // MARK: What the stream says

    var wantsBytes: Bool { true }

    func received(_ bytes: ByteBuffer) {
        self.connection.receive(bytes, now: self.loop.now())
        self.drive()
        self.connection.releaseInput()
    }

    func becameWritable() { self.drive() }
    func ended() { self.stream.close() }
    func closed(broke: Bool) { self.loseAll() }
}
