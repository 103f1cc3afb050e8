public import Logging
import NIOCore
import NIOPosix
public import ServiceLifecycle
import Synchronization

/// A reverse proxy for HTTP/1.1, WebSockets and streams: takes each request to a healthy instance of the application
/// whose host it names.
///
/// Routes are set at any time, before or while it runs; the next request sees the change, and none is lost to it.
///
/// ```swift
/// let router = Router(configuration: .init(host: "127.0.0.1", port: 8080), logger: logger)
/// try router.setRoute(
///     ApplicationRoute(
///         application: "shop", hosts: ["shop.example.com"],
///         backends: [Backend(id: BackendID("web.1"), address: .ip(host: "127.0.0.1", port: 5000))]))
/// try await router.run()
/// ```
///
/// To take an instance out, set a route without it, then ``drain(_:grace:)`` it, then stop it.
public final class Router: Service, Sendable {
    let configuration: Configuration
    let observer: (any RequestObserver)?
    let logger: Logger
    let clock: any Clock<Duration>
    let state = Mutex(State())

    /// Makes a router. It does nothing until ``run()``.
    ///
    /// - Parameters:
    ///   - configuration: how it listens, and its limits.
    ///   - observer: is told about every request; none by default.
    ///   - clock: measures the grace of a drain and of the shutdown.
    ///   - logger: for what happens to the router itself.
    public init(
        configuration: Configuration, observer: (any RequestObserver)? = nil,
        clock: any Clock<Duration> = ContinuousClock(), logger: Logger
    ) {
        self.configuration = configuration
        self.observer = observer
        self.clock = clock
        self.logger = logger
    }

    /// Listens until the task is cancelled or a graceful shutdown begins. Then it stops accepting, lets requests end
    /// within ``Configuration/shutdownGrace``, and closes. Cancellation closes at once.
    ///
    /// - Throws: ``RouterError`` when the configuration makes no sense or the address cannot be had.
    public func run() async throws {
        try self.configuration.check()
        try self.state.withLock { state throws(RouterError) in try state.begin() }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: self.configuration.threads)
        do {
            try await self.serve(group)
        } catch {
            self.stopped(error)
            try? await group.shutdownGracefully()
            throw error
        }
        self.stopped(nil)
        try await group.shutdownGracefully()
    }

    /// Waits until it listens, and returns where: `["127.0.0.1:8080"]`.
    ///
    /// - Throws: ``RouterError`` when it stopped before it listened; `CancellationError` when the task is cancelled.
    public func listening() async throws -> [String] {
        let id = self.state.withLock { $0.nextWaiterID() }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                self.state.withLock { $0.wait(id, continuation) }
            }
        } onCancel: {
            self.state.withLock { $0.cancelWaiter(id) }
        }
    }

    // MARK: Running

    private func serve(_ group: MultiThreadedEventLoopGroup) async throws {
        let handles = try await self.startLoops(group)
        let byLoop = Dictionary(uniqueKeysWithValues: handles.map { (ObjectIdentifier($0.eventLoop), $0) })
        let server = try await self.bind(group, byLoop)
        let address = server.localAddress.map { address in
            BackendAddress.ip(host: address.ipAddress ?? "", port: address.port ?? 0).description
        }
        self.logger.info("router listens", metadata: ["router.address": "\(address ?? "")"])
        self.state.withLock { $0.listens(at: [address].compactMap(\.self)) }
        do {
            try await gracefulShutdown()
        } catch {
            // Cancelled: nothing is waited for.
        }
        try? await server.close().get()
        for handle in handles { handle.execute { $0.shutDown() } }
        if !Task.isCancelled { await self.waitUntilEmpty(handles, grace: self.configuration.shutdownGrace) }
        for handle in handles {
            // Also when this task is cancelled: what is left must be closed before the loops stop.
            try? await handle.run { context in
                context.abort(nil, code: .shuttingDown)
                context.stop()
            }
        }
    }

    private func startLoops(_ group: MultiThreadedEventLoopGroup) async throws -> [LoopHandle] {
        let routes = self.state.withLock { $0.routes }
        let (configuration, observer, logger) = (self.configuration, self.observer, self.logger)
        var handles: [LoopHandle] = []
        for loop in group.makeIterator() {
            let seed = UInt64.random(in: .min ... .max)
            handles.append(
                try await loop.submit {
                    LoopContext(
                        eventLoop: loop, configuration: configuration, routes: routes, observer: observer,
                        logger: logger, seed: seed
                    ).start()
                }.get())
        }
        self.state.withLock { $0.attach(handles) }
        return handles
    }

    private func bind(
        _ group: MultiThreadedEventLoopGroup, _ handles: [ObjectIdentifier: LoopHandle]
    ) async throws -> any Channel {
        do {
            return try await ServerBootstrap(group: group)
                .serverChannelOption(.backlog, value: self.configuration.backlog)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelOption(.allowRemoteHalfClosure, value: true)
                .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        guard let handle = handles[ObjectIdentifier(channel.eventLoop)] else { return }
                        try channel.pipeline.syncOperations.addHandler(ClientHandler(handle.context))
                    }
                }
                .bind(host: self.configuration.host, port: self.configuration.port).get()
        } catch {
            throw RouterError(
                .cannotListen,
                "The router cannot listen on \(self.configuration.host):\(self.configuration.port). Is the port taken, "
                    + "or the address not this machine's?", cause: error)
        }
    }

    private func waitUntilEmpty(_ handles: [LoopHandle], grace: Duration) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                for handle in handles { try? await handle.eventLoop.flatSubmit { handle.context.empty() }.get() }
            }
            group.addTask { try? await self.clock.sleep(for: grace) }
            await group.next()
            // The futures cannot be cancelled: aborting what is left lets them end.
            for handle in handles { handle.execute { $0.abort(nil, code: .shuttingDown) } }
            group.cancelAll()
        }
    }

    private func stopped(_ error: (any Error)?) {
        self.state.withLock { $0.stop(error) }
    }
}
