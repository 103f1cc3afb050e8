import Logging
import NIOCore
import NIOPosix
import Synchronization

@testable import RouterCore

/// A loop that a test turns by hand: time stands still until the test moves it.
final class HandLoop: StreamLoop {
    private(set) var time: UInt64 = 1_000_000_000_000
    let ledger = BufferLedger()
    let executor = SimulatedExecutor()
    /// The router's ends of the connections to instances, in the order in which they were made.
    private(set) var upstreams: [HandStream] = []
    private var soon: [() -> Void] = []

    func now() -> UInt64 { self.time }
    func callSoon(_ work: @escaping () -> Void) { self.soon.append(work) }

    func connect(to instance: Instance, completion: @escaping ((any ByteStream)?) -> Void) -> any PendingConnection {
        let stream = HandStream()
        self.upstreams.append(stream)
        completion(stream)
        return HandConnecting()
    }

    /// Does what waits to be done, in any order that does not matter.
    func settle() {
        while true {
            let work = self.soon.count + self.executor.work.withLock { $0.count }
            guard work > 0 else { break }
            let soon = self.soon
            self.soon = []
            for item in soon { item() }
            let sent = self.executor.work.withLock { work in
                defer { work = [] }
                return work
            }
            for item in sent { item() }
        }
    }

    func advance(by nanoseconds: UInt64) { self.time += nanoseconds }
}

private final class HandConnecting: PendingConnection {
    func cancel() {}
}

/// The router's end of a connection whose other end is the test: says what was written, and takes as much as it is told.
final class HandStream: ByteStream {
    private static let marks = WriteMarks(high: 65_536, low: 32_768)

    var handler: (any ByteStreamHandler)?
    private(set) var isWritable = true
    private(set) var isClosed = false
    private(set) var hasEndedOutput = false
    /// What the other end has.
    private(set) var output = ByteBuffer()
    private var pending = ByteBuffer()
    /// How much more the other end takes.
    private var room = Int.max
    /// Taken by the kernel, and not by the other end.
    var inKernel = 0
    private var closesWhenEmpty = false

    var bufferedBytes: Int { self.pending.readableBytes }
    var unconfirmedBytes: Int { self.pending.readableBytes + self.inKernel }
    var isOpen: Bool { !self.isClosed }
    /// Whether something has come that the router has not read.
    var hasUnread = false
    func isQuiet() -> Bool { self.isOpen && !self.hasUnread }
    func resumeReading() {}

    var text: String { String(buffer: self.output) }

    // MARK: What the router does

    func write(_ bytes: ByteBuffer) {
        guard !self.isClosed else { return }
        self.pending.writeImmutableBuffer(bytes)
    }

    func flush() {
        let count = min(self.room, self.pending.readableBytes)
        if var taken = self.pending.readSlice(length: count) { self.output.writeBuffer(&taken) }
        if self.room != .max { self.room -= count }
        if self.bufferedBytes > Self.marks.high { self.isWritable = false }
        if self.bufferedBytes == 0, self.closesWhenEmpty { self.close() }
    }

    func flushSoon() { self.flush() }

    func closeOutput() {
        self.flush()
        self.hasEndedOutput = true
    }

    func closeAfterWriting() {
        self.closesWhenEmpty = true
        self.flush()
    }

    func close() { self.isClosed = true }

    // MARK: What the test does

    /// The other end takes so much more and then no more.
    func take(_ count: Int) {
        self.room = count
        self.flush()
        guard !self.isWritable, self.bufferedBytes <= Self.marks.low else { return }
        self.isWritable = true
        self.handler?.becameWritable()
    }

    /// Bytes from the other end; false when the router does not want any.
    @discardableResult
    func send(_ bytes: [UInt8]) -> Bool {
        guard !self.isClosed, self.handler?.wantsBytes == true else { return false }
        self.handler?.received(ByteBuffer(bytes: bytes))
        return true
    }

    @discardableResult
    func send(_ text: String) -> Bool { self.send(Array(text.utf8)) }

    /// Tells that it is gone, as a loop does after an event.
    func tellIfClosed() {
        guard self.isClosed, let handler = self.handler else { return }
        self.handler = nil
        handler.closed(broke: false)
    }
}

/// A worker on a loop that is turned by hand, with the application `app` at the host `a`.
final class HandWorker {
    let loop = HandLoop()
    let worker: Worker
    let router: Router
    private(set) var clients: [HandStream] = []

    init(
        configure: (inout Router.Configuration) -> Void = { _ in },
        change: (inout ApplicationRoute) -> Void = { _ in }
    ) throws {
        var configuration = Router.Configuration(host: "127.0.0.1", port: 0)
        configure(&configuration)
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        self.router = Router(configuration: configuration, logger: logger)
        self.worker = Worker(
            loop: self.loop, configuration: configuration, census: ConnectionCensus(configuration),
            routes: RouteIndex(), challenges: nil, wake: { _ in }, observer: nil,
            blocking: NIOThreadPool(numberOfThreads: 1), logger: logger, seed: 1)
        let handle = WorkerHandle(self.worker, self.loop.executor)
        self.worker.handle = handle
        self.router.state.withLock { $0.attach([handle]) }
        var route = ApplicationRoute(
            application: "app", hosts: ["a"],
            backends: [Backend(id: BackendID("web.1"), address: .ip(host: "127.0.0.1", port: 1))])
        change(&route)
        try self.router.setRoute(route)
        self.loop.settle()
    }

    func connect(_ security: Router.Listener.Security = .none, from address: String = "203.0.113.7") -> HandStream {
        let stream = HandStream()
        let listener = ListenerFacts(.init(host: "127.0.0.1", port: 80, security: security), port: 80)
        self.worker.serve(stream, client: ClientAddress(address) ?? .unknown, listener)
        self.clients.append(stream)
        return stream
    }

    /// Lets time pass, a tick at a time, until `isOver` or at most for so many seconds.
    ///
    /// - Parameter each: is called before every tick, with the number of seconds that have passed.
    /// - Returns: how many seconds have passed.
    @discardableResult
    func pass(_ seconds: Double, until isOver: () -> Bool, each: (Double) -> Void = { _ in }) -> Double {
        var passed = 0.0
        while passed < seconds, !isOver() {
            each(passed)
            self.settle()
            self.loop.advance(by: 250_000_000)
            passed += 0.25
            self.worker.tick()
            self.settle()
        }
        return passed
    }

    /// Lets all of the time pass.
    func pass(_ seconds: Double, each: (Double) -> Void = { _ in }) {
        self.pass(seconds, until: { false }, each: each)
    }

    func settle() {
        self.loop.settle()
        for stream in self.clients + self.loop.upstreams { stream.tellIfClosed() }
        self.loop.settle()
    }
}
