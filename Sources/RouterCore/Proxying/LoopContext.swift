import Logging
import NIOCore

/// Everything the requests of one event loop share. Nothing here is seen by another thread: what comes from there comes
/// as work for the loop (``LoopHandle``), so that the path of a request takes no lock.
final class LoopContext {
    let eventLoop: any EventLoop
    let configuration: Router.Configuration
    let limits: NanosecondLimits
    let settings: ExchangeMachine.Settings
    let observer: (any RequestObserver)?
    let logger: Logger

    /// This loop's view of the routes.
    var routes: RouteIndex<ApplicationPool>
    var random: LoopRandom
    var pools: [ObjectIdentifier: InstanceConnections] = [:]
    var isShuttingDown = false
    /// The time, as of the last tick: good enough for time limits, and free.
    private(set) var now: UInt64
    private(set) var wallClockOffset: UInt64 = 0
    private(set) var clients: [ClientHandler] = []
    private var waiting: [UInt64: ClientHandler] = [:]
    private var lastTicket: UInt64 = 0
    private var ticking: RepeatedTask?
    private var whenEmpty: [EventLoopPromise<Void>] = []
    private(set) weak var handle: LoopHandle?

    init(
        eventLoop: any EventLoop, configuration: Router.Configuration, routes: RouteIndex<ApplicationPool>,
        observer: (any RequestObserver)?, logger: Logger, seed: UInt64
    ) {
        self.eventLoop = eventLoop
        self.configuration = configuration
        self.limits = NanosecondLimits(configuration)
        self.settings = configuration.exchangeSettings
        self.observer = observer
        self.logger = logger
        self.routes = routes
        self.random = LoopRandom(seed: seed)
        self.now = NIODeadline.now().uptimeNanoseconds
    }

    /// Starts the clock, and makes the handle that other threads hold.
    func start() -> LoopHandle {
        let handle = LoopHandle(self)
        self.handle = handle
        self.tick()
        let interval = TimeAmount(self.configuration.timerResolution)
        self.ticking = self.eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { [weak handle] _ in
            handle?.context.tick()
        }
        return handle
    }

    /// Milliseconds since 1970, for `X-Request-Start`.
    func wallClockMilliseconds(at uptime: UInt64) -> UInt64 { (uptime &+ self.wallClockOffset) / 1_000_000 }

    // MARK: Clients

    /// False when there are too many.
    func add(_ client: ClientHandler) -> Bool {
        guard self.clients.count < max(1, self.configuration.maxConnections / self.configuration.threads) else {
            return false
        }
        client.position = self.clients.count
        self.clients.append(client)
        return true
    }

    func remove(_ client: ClientHandler) {
        guard let position = client.position else { return }
        client.position = nil
        let last = self.clients.removeLast()
        if last !== client {
            self.clients[position] = last
            last.position = position
        }
        if self.clients.isEmpty {
            let promises = self.whenEmpty
            self.whenEmpty = []
            for promise in promises { promise.succeed(()) }
        }
    }

    // MARK: The queue

    /// Queues a client's request; nil when the queue is full.
    func enqueue(_ client: ClientHandler, in pool: ApplicationPool, atFront: Bool) -> UInt64? {
        guard let handle = self.handle else { return nil }
        self.lastTicket += 1
        let id = self.lastTicket
        let ticket = ApplicationState.Ticket(loop: handle, id: id)
        let limit = self.configuration.maxQueuedPerApplication
        guard pool.application.enqueue(ticket, limit: limit, atFront: atFront) else { return nil }
        self.waiting[id] = client
        // A place that was given back in between called up nobody.
        if pool.hasRoom { pool.application.wakeNext() }
        return id
    }

    func cancelWaiting(_ id: UInt64, application: ApplicationState) {
        guard self.waiting.removeValue(forKey: id) != nil, let handle = self.handle else { return }
        application.cancel(id: id, loop: handle)
    }

    func wake(_ id: UInt64) {
        self.waiting.removeValue(forKey: id)?.calledUp()
    }

    // MARK: Connections to instances

    func connections(to instance: Instance) -> InstanceConnections {
        if let known = self.pools[ObjectIdentifier(instance)] { return known }
        let connections = InstanceConnections(instance)
        self.pools[ObjectIdentifier(instance)] = connections
        return connections
    }

    /// Keeps a connection for the next request, or closes it.
    func keep(_ upstream: UpstreamHandler, now: UInt64) {
        guard !self.isShuttingDown, !upstream.instance.isRetired, upstream.isOpen else {
            upstream.close()
            return
        }
        self.connections(to: upstream.instance).push(upstream, now: now, limit: self.configuration.maxIdlePerBackend)
    }

    func closeIdle(_ backends: Set<BackendID>) {
        for (key, connections) in self.pools where backends.contains(connections.instance.id) {
            connections.closeAll()
            self.pools[key] = nil
        }
    }

    // MARK: Time

    fileprivate func tick() {
        self.now = NIODeadline.now().uptimeNanoseconds
        self.wallClockOffset = WallClock.nanoseconds() &- self.now
        // Clients may leave while they are looked at.
        for client in Array(self.clients) { client.check(now: self.now) }
        for (key, connections) in self.pools {
            if connections.instance.isRetired {
                connections.closeAll()
                self.pools[key] = nil
            } else {
                connections.closeIdle(before: self.now &- min(self.now, self.limits.poolIdle))
            }
        }
    }

    // MARK: The end

    func shutDown() {
        self.isShuttingDown = true
        for connections in self.pools.values { connections.closeAll() }
        self.pools = [:]
        for client in Array(self.clients) { client.shutDown() }
    }

    /// Succeeds when no client is left.
    func empty() -> EventLoopFuture<Void> {
        let promise = self.eventLoop.makePromise(of: Void.self)
        if self.clients.isEmpty { promise.succeed(()) } else { self.whenEmpty.append(promise) }
        return promise.futureResult
    }

    /// Breaks off what goes to these instances, or everything.
    func abort(_ backends: Set<BackendID>?, code: RouterErrorCode) {
        for client in Array(self.clients) {
            if let backends {
                guard let id = client.instanceID, backends.contains(id) else { continue }
            }
            client.abort(Refusal(code, retryAfter: 1))
        }
    }

    func stop() {
        self.ticking?.cancel()
        self.ticking = nil
    }
}

/// The configuration's durations in the unit that deadlines are compared in.
struct NanosecondLimits {
    let head: UInt64
    let bodyIdle: UInt64
    let keepAlive: UInt64
    let clientStall: UInt64
    let linger: UInt64
    let poolIdle: UInt64
    let poolIdleForUnsafe: UInt64

    init(_ configuration: Router.Configuration) {
        self.head = configuration.headTimeout.nanosecondsClamped
        self.bodyIdle = configuration.bodyIdleTimeout.nanosecondsClamped
        self.keepAlive = configuration.keepAliveTimeout.nanosecondsClamped
        self.clientStall = configuration.clientStallTimeout.nanosecondsClamped
        self.linger = configuration.lingerTimeout.nanosecondsClamped
        self.poolIdle = configuration.poolIdle.nanosecondsClamped
        self.poolIdleForUnsafe = configuration.poolIdleForUnsafe.nanosecondsClamped
    }
}
