import Logging
import NIOCore
import NIOPosix

/// Everything the requests of one loop share. Nothing here is seen by another thread: what comes from there comes as
/// work for the loop (``WorkerHandle``), so that the path of a request takes no lock.
final class Worker {
    let loop: any StreamLoop
    let configuration: Router.Configuration
    let limits: NanosecondLimits
    /// What the connections of this loop hold.
    let ledger: BufferLedger
    let writeBufferBytes: Int
    let settings: ExchangeMachine.Settings
    let challenges: ACMEChallenges?
    /// Has an application started.
    let wake: @Sendable (String) -> Void
    let observer: (any RequestObserver)?
    let logger: Logger

    /// This loop's view of the routes.
    var routes: RouteIndex<ApplicationPool>
    var random: LoopRandom
    var policyState = PolicyState()
    /// Connections by the instance's slot.
    private let ownedPools = Owned<[InstanceConnections?]>([])
    /// Set once the router stops: how many nanoseconds a connection without a request is given for one more.
    private var idleGrace: UInt64?
    var isShuttingDown: Bool { self.idleGrace != nil }
    private(set) var wallClockOffset: UInt64 = 0
    /// The time of day as of the last tick, in seconds since 1970.
    private(set) var seconds: UInt64 = 0
    private(set) var clients: [any ClientSession] = []
    /// What each of them is counted for, in the same places.
    private var seats: [Seat] = []
    private enum Seat {
        case counted(ClientAddress?)
        /// It has been told to go, and another one has its place.
        case givenUp
    }
    /// How many have been told to go and are still here.
    private var leaving = 0
    var spare: SpareConnections
    var nextRoomRequest: UInt64 = 0
    /// Connections given up for new ones since the last line about it in the log.
    var givenUp = 0
    var lastGivenUpLine: UInt64 = 0
    /// Told that they are too many, and not gone yet.
    private var refused: [RefusedConnection] = []
    /// Connections that were not served since the last line about it in the log.
    private var refusals = 0
    private var lastRefusalLine: UInt64 = 0
    /// Clients closed because too much was held, since the last line about it in the log.
    var relieved = 0
    var lastReliefLine: UInt64 = 0
    let census: ConnectionCensus
    /// Threads that may wait.
    let blocking: NIOThreadPool
    /// Requests that wait, by the numbers that other threads know them by.
    var waiting: [UInt64: Exchange] = [:]
    var lastTicket: UInt64 = 0
    /// Streams that are about to be ended, by their numbers.
    var numbered: [UInt64: WeakExchange] = [:]
    struct WeakExchange { weak var exchange: Exchange? }
    private var departing = DepartingConnections()
    private var whenEmpty: [CheckedContinuation<Void, Never>] = []
    private var batch = RequestBatch()
    private let ownedTraffic = Owned(TrafficCounters())
    /// What accepts connections on this loop.
    var listeners: [any ConnectionSource] = []
    /// What other threads hold of it; set once it is made.
    weak var handle: WorkerHandle?

    init(
        loop: any StreamLoop, configuration: Router.Configuration, census: ConnectionCensus,
        routes: RouteIndex<ApplicationPool>, challenges: ACMEChallenges?, wake: @escaping @Sendable (String) -> Void,
        observer: (any RequestObserver)?, blocking: NIOThreadPool, logger: Logger, seed: UInt64
    ) {
        self.loop = loop
        self.census = census
        self.ledger = loop.ledger
        self.writeBufferBytes = configuration.writeBufferBytes
        self.challenges = challenges
        self.wake = wake
        self.configuration = configuration
        self.limits = NanosecondLimits(configuration)
        self.settings = configuration.exchangeSettings
        self.spare = SpareConnections(pause: configuration.timerResolution.nanosecondsClamped)
        self.observer = observer
        self.blocking = blocking
        self.logger = logger
        self.routes = routes
        self.random = LoopRandom(seed: seed)
        self.wallClockOffset = WallClock.nanoseconds() &- loop.now()
        self.seconds = (loop.now() &+ self.wallClockOffset) / 1_000_000_000
        self.ledger.relieve = { [unowned self] in self.relieve() }
    }

    private var pools: [InstanceConnections?] {
        @inline(__always) unsafeAddress { UnsafePointer(self.ownedPools.pointer) }
        @inline(__always) unsafeMutableAddress { self.ownedPools.pointer }
    }
    var traffic: TrafficCounters {
        @inline(__always) unsafeAddress { UnsafePointer(self.ownedTraffic.pointer) }
        @inline(__always) unsafeMutableAddress { self.ownedTraffic.pointer }
    }

    /// Milliseconds since 1970, for `X-Request-Start`.
    func wallClockMilliseconds(at uptime: UInt64) -> UInt64 { (uptime &+ self.wallClockOffset) / 1_000_000 }

    // MARK: Clients

    /// What the requests of a connection are told about it.
    func facts(client: ClientAddress, _ listener: ListenerFacts) -> ConnectionFacts {
        ConnectionFacts(
            client: client, isTrusted: self.configuration.trustedProxies.contains { $0.contains(client) },
            scheme: listener.isSecure ? "https" : "http", port: listener.port,
            pseudonym: self.configuration.pseudonym)
    }

    /// Serves a connection that was accepted, or sends it away when there are too many and none can be given up for it.
    func serve(_ stream: any ByteStream, client: ClientAddress, _ listener: ListenerFacts) {
        switch self.takeSeat(for: listener.expectsProxyHeader(from: client) ? nil : client) {
        case .failure(let refusal): self.refuse(stream, refusal.code, listener)
        case .success(let network):
            let arriving = ArrivingConnection(stream, self, client: client, listener)
            stream.handler = arriving
            arriving.position = self.clients.count
            self.clients.append(arriving)
            self.seats.append(.counted(network))
            // It was accepted in time.
            if let idleGrace { arriving.shutDown(idleGrace: idleGrace) }
        }
    }

    /// Counts a connection, or what takes as much as one; another one may have to go for it.
    func takeSeat(for client: ClientAddress?) -> Result<ClientAddress?, ConnectionCensus.Refusal> {
        let entry = self.census.enter(client)
        guard case .failure(let refusal) = entry, refusal.code == .tooManyConnections else { return entry }
        if self.makeRoom() { return self.census.enter(client) }
        self.askForRoom()
        return entry
    }

    /// A proxy has said whose connection it is; false when that client has too many.
    func identify(_ arriving: ArrivingConnection, _ client: ClientAddress) -> Bool {
        guard let position = arriving.position, case .counted = self.seats[position] else { return false }
        do throws(ConnectionCensus.Refusal) {
            self.seats[position] = .counted(try self.census.identify(client))
            return true
        } catch {
            return false
        }
    }

    /// The clients that count.
    var countedClients: [any ClientSession] {
        zip(self.clients, self.seats).compactMap { client, seat in
            if case .counted = seat { client } else { nil }
        }
    }

    /// Has a client that waits for a request go, and no longer counts it. It may take a moment to say goodbye, unless many
    /// others already do.
    func giveUp(_ client: any ClientSession) {
        guard let position = client.position, case .counted(let network) = self.seats[position] else { return }
        self.census.leave(network)
        self.seats[position] = .givenUp
        self.leaving += 1
        self.givenUp += 1
        client.giveUp(atOnce: self.leaving > Self.maxLeaving)
    }

    /// So many are over the limit at most, on each loop.
    private static var maxLeaving: Int { 128 }

    /// Says in clear text why a connection is not served; one that would begin with a handshake is closed before it.
    func refuse(_ stream: any ByteStream, _ code: RouterErrorCode, _ listener: ListenerFacts) {
        self.refusals += 1
        guard !listener.isSecure, self.refused.count < Self.maxRefused else { return stream.close() }
        let refused = RefusedConnection(stream, now: self.loop.now()) { [unowned self] gone in
            self.refused.removeAll { $0 === gone }
        }
        stream.handler = refused
        self.refused.append(refused)
        let page = ErrorPage.response(
            OwnAnswer(code, retryAfter: 5), id: RequestID(using: &self.random),
            date: HTTPDate(seconds: self.seconds), connection: "Connection: close\r\n", withBody: true)
        // SwiftNIO takes nothing before a connection's handlers are complete.
        self.loop.callSoon { refused.answer(page) }
    }

    /// So many are waited for until they have read why, on each loop; more are closed at once.
    private static var maxRefused: Int { 128 }

    private func logRefusals(_ now: UInt64) {
        guard self.refusals > 0, now &- self.lastRefusalLine > 10_000_000_000 else { return }
        self.logger.info("connections refused: too many", metadata: ["router.refused": "\(self.refusals)"])
        self.refusals = 0
        self.lastRefusalLine = now
    }

    /// A connection has shown what it speaks.
    func replace(_ client: any ClientSession, with session: any ClientSession) {
        guard let position = client.position else { return }
        client.position = nil
        session.position = position
        self.clients[position] = session
        if let idleGrace { session.shutDown(idleGrace: idleGrace) }
    }

    func remove(_ client: any ClientSession) {
        guard let position = client.position else { return }
        client.position = nil
        switch self.seats[position] {
        case .counted(let network): self.census.leave(network)
        case .givenUp: self.leaving -= 1
        }
        let last = self.clients.removeLast()
        let lastSeat = self.seats.removeLast()
        if last !== client {
            self.clients[position] = last
            self.seats[position] = lastSeat
            last.position = position
        }
        if self.clients.isEmpty { self.tellEmpty() }
    }

    private func tellEmpty() {
        let waiters = self.whenEmpty
        self.whenEmpty = []
        for waiter in waiters { waiter.resume() }
    }

    /// A nonce as a WebSocket's opening has it (RFC 6455, 4.1).
    func webSocketKey() -> String {
        var bytes = ByteBuffer()
        bytes.writeMultipleIntegers(self.random.next(), self.random.next())
        return Base64.encode(bytes.readableBytesView)
    }

    // MARK: Connections to instances

    func connections(to instance: Instance) -> InstanceConnections {
        if instance.slot < self.pools.count, let known = self.pools[instance.slot] {
            if known.instance === instance { return known }
            // Another instance had the slot before.
            known.closeAll()
        }
        while self.pools.count <= instance.slot { self.pools.append(nil) }
        let connections = InstanceConnections(instance)
        self.pools[instance.slot] = connections
        return connections
    }

    /// Keeps a connection for the next request, or closes it.
    func keep(_ upstream: InstanceConnection) {
        guard !self.isShuttingDown, !upstream.instance.isRetired, upstream.stream.isOpen else {
            upstream.stream.close()
            return
        }
        self.connections(to: upstream.instance).push(
            upstream, now: self.loop.now(), limit: self.configuration.maxIdlePerBackend)
    }

    /// Closes a connection to an instance once its bytes are written, or have not moved for some time.
    func closeAfterWriting(_ stream: any ByteStream) {
        stream.closeAfterWriting()
        guard stream.bufferedBytes > 0 else { return }
        self.departing.add(stream, now: self.loop.now())?.close()
    }

    /// How many of these there are.
    var departingCount: Int { self.departing.count }

    /// Closes all of them, because there is no memory for them.
    func closeDeparting() {
        for stream in self.departing.removeAll() { stream.close() }
    }

    func closeIdle(_ backends: Set<BackendID>) {
        for case let connections? in self.pools where backends.contains(connections.instance.id) {
            connections.closeAll()
        }
    }

    // MARK: Records

    /// Tells the observer of a request.
    func report(
        _ summary: RequestSummary, _ timing: RequestTiming, _ ending: ExchangeEnding, application: ApplicationState?,
        instance: Instance?, id: RequestID, now: UInt64
    ) {
        let wasEmpty = self.batch.isEmpty
        self.batch.append(
            summary, timing, ending, application: application, instance: instance, id: id, now: now,
            wallClockOffset: self.wallClockOffset)
        if self.batch.count >= RequestBatch.limit {
            self.deliver()
        } else if wasEmpty {
            self.loop.callSoon { self.deliver() }
        }
    }

    private func deliver() {
        guard let observer = self.observer, !self.batch.isEmpty else { return }
        let batch = self.batch
        self.batch = RequestBatch()
        observer.requestsFinished(batch)
    }

    // MARK: Time

    func tick() {
        let now = self.loop.now()
        self.wallClockOffset = WallClock.nanoseconds() &- now
        self.seconds = (now &+ self.wallClockOffset) / 1_000_000_000
        for listener in self.listeners { listener.resume() }
        self.traffic.retireGone()
        // Clients may leave while they are looked at.
        for client in Array(self.clients) { client.check(now: now) }
        for refused in self.refused { refused.check(now: now, limit: self.limits.linger) }
        for stream in self.departing.overdue(now: now, limit: self.limits.sending.stall) { stream.close() }
        self.logRefusals(now)
        self.logGivenUp(now)
        self.ledger.recount()
        if self.ledger.isFull { self.relieve() }
        for (slot, connections) in self.pools.enumerated() {
            guard let connections else { continue }
            if connections.instance.isRetired {
                connections.closeAll()
                self.pools[slot] = nil
            } else {
                connections.closeIdle(before: now &- min(now, self.limits.poolIdle))
                connections.leaveShared(before: now &- min(now, self.limits.keepAlive))
            }
        }
    }

    // MARK: The end

    /// Lets what goes on end, and has no connection go on after that.
    ///
    /// - Parameter idleGrace: how many nanoseconds connections without a request are given for one more.
    func shutDown(idleGrace: UInt64) {
        self.idleGrace = idleGrace
        for case let connections? in self.pools { connections.closeAll() }
        self.pools = []
        for client in Array(self.clients) { client.shutDown(idleGrace: idleGrace) }
    }

    /// Resumes when no client is left.
    func whenEmpty(_ continuation: CheckedContinuation<Void, Never>) {
        if self.clients.isEmpty { continuation.resume() } else { self.whenEmpty.append(continuation) }
    }

    /// Breaks off what goes to these instances, or everything.
    func abort(_ backends: Set<BackendID>?, code: RouterErrorCode) {
        for client in Array(self.clients) { client.abort(backends, OwnAnswer(code, retryAfter: 1)) }
        if backends == nil { for refused in self.refused { refused.check(now: .max, limit: 0) } }
    }

    /// The last thing it does.
    func stop() {
        self.deliver()
        self.tellEmpty()
    }
}
