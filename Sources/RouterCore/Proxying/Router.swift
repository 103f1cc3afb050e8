public import Logging
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
    let certificates: CertificateStore?
    let challenges: ACMEChallenges?
    let wake: @Sendable (String) -> Void
    let observer: (any RequestObserver)?
    let logger: Logger
    let clock: any Clock<Duration>
    let state: Mutex<State>

    /// Makes a router. It does nothing until ``run()``.
    ///
    /// - Parameters:
    ///   - configuration: how it listens, and its limits.
    ///   - certificates: what listeners with TLS show; needed when there are any.
    ///   - challenges: what authorities that issue certificates are answered; none by default.
    ///   - wake: is told the name of an application without instances for which a request waits
    ///     (``ApplicationRoute/hold``); it is to return at once, and to have the application started.
    ///   - observer: is told about every request; none by default.
    ///   - clock: measures the grace of a drain and of the shutdown.
    ///   - random: decides in which order streams are ended by these.
    ///   - logger: for what happens to the router itself.
    public init(
        configuration: Configuration, certificates: CertificateStore? = nil, challenges: ACMEChallenges? = nil,
        wake: @escaping @Sendable (_ application: String) -> Void = { _ in }, observer: (any RequestObserver)? = nil,
        clock: any Clock<Duration> = ContinuousClock(),
        random: any RandomNumberGenerator & Sendable = SystemRandomNumberGenerator(), logger: Logger
    ) {
        self.configuration = configuration
        self.state = Mutex(State(seed: configuration.secretKey.low ^ configuration.secretKey.high, random: random))
        self.certificates = certificates
        self.challenges = challenges
        self.wake = wake
        self.observer = observer
        self.clock = clock
        self.logger = logger
    }

    /// Listens until the task is cancelled or a graceful shutdown begins. Then it stops accepting, lets requests end
    /// within ``Configuration/shutdownGrace``, and closes. Cancellation closes at once.
    ///
    /// An idle client connection is closed after ``Configuration/lingerTimeout``; a request that comes before is answered,
    /// with `Connection: close`. Upgraded connections and event streams are ended one by one during the second half of the
    /// grace, as in ``drain(_:grace:)``.
    ///
    /// - Throws: ``RouterError`` when the configuration makes no sense or the address cannot be had.
    public func run() async throws {
        try self.configuration.check()
        if self.certificates == nil, self.configuration.listeners.contains(where: { $0.security == .tls }) {
            throw RouterError(
                .invalidConfiguration, "A listener speaks TLS, but the router was given no store of certificates.")
        }
        try self.state.withLock { state throws(RouterError) in try state.begin() }
        do {
            let engines = try await Engines(self)
            do {
                try await self.serve(engines)
            } catch {
                await engines.stop()
                throw error
            }
            self.stopped(nil)
            await engines.stop()
        } catch {
            self.stopped(error)
            throw error
        }
    }

    /// Waits until it listens, and returns where, in the order of ``Configuration/listeners``: `["127.0.0.1:8080"]`.
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

    private func serve(_ engines: Engines) async throws {
        let workers = engines.workers
        self.state.withLock { $0.attach(workers) }
        var addresses: [String] = []
        for listener in self.configuration.listeners {
            let address = try await engines.listen(listener)
            self.logger.info(
                "router listens",
                metadata: ["router.address": "\(address)", "router.tls": "\(listener.security == .tls)"])
            addresses.append(address.description)
        }
        self.state.withLock { $0.listens(at: addresses) }
        do {
            try await gracefulShutdown()
        } catch {
            // Cancelled: nothing is waited for.
        }
        await engines.stopListening()
        for worker in workers { worker.execute { $0.shutDown() } }
        if !Task.isCancelled { await self.waitUntilEmpty(workers, grace: self.configuration.shutdownGrace) }
        for worker in workers {
            await worker.run { worker in
                worker.abort(nil, code: .shuttingDown)
                worker.stop()
            }
        }
    }

    private func waitUntilEmpty(_ workers: [WorkerHandle], grace: Duration) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                for worker in workers {
                    await withCheckedContinuation { continuation in
                        let isAccepted = worker.execute { $0.whenEmpty(continuation) }
                        if !isAccepted { continuation.resume() }
                    }
                }
            }
            group.addTask {
                guard (try? await self.clock.sleep(for: grace - grace / 2)) != nil else { return }
                _ = await self.endStreams(to: nil, code: .shuttingDown, over: grace / 2)
            }
            await group.next()
            // The wait cannot be cancelled: breaking off what is left lets it end.
            for worker in workers { worker.execute { $0.abort(nil, code: .shuttingDown) } }
            group.cancelAll()
        }
    }

    private func stopped(_ error: (any Error)?) {
        self.state.withLock { $0.stop(error) }
    }
}
