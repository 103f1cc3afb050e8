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
    /// Says once that the routes are set, for a router that takes over from another one.
    let readiness = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

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

    /// Waits until it accepts connections, and returns where, in the order of ``Configuration/listeners``: `["127.0.0.1:8080"]`.
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
}
