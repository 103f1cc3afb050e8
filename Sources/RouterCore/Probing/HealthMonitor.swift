public import Logging
public import ServiceLifecycle

/// Probes the instances of a router's routes, and has those that fail get no requests until they pass again.
///
/// It asks every instance of each route that has ``ApplicationRoute/probe``, and sees it when routes change. An instance
/// that fails stays in its route, keeps the requests that it has, and can be drained like any other. When all instances
/// of a route fail, its requests are answered 503 (`no-healthy-instance`), unless ``ProbeSettings/panicPercent`` says
/// otherwise.
///
/// Run it beside the router. When it ends, it leaves no instance out.
public struct HealthMonitor: Service {
    /// What it puts up with.
    public struct Configuration: Sendable {
        /// Probes at once: 32. Further ones wait until one has ended.
        public var maxConcurrentProbes = 32
        /// Probes at once for one application: 8. Its further ones wait until one of its own has ended, so that an application
        /// whose instances do not answer delays the probes of no other. Applications take turns.
        public var maxConcurrentProbesPerApplication = 8

        /// The defaults.
        public init() {}
    }

    private enum Event: Sendable {
        case routesChanged
        case time(Duration)
        case answer(ProbeSchedule.Question, HealthReport)
    }

    /// Timers are not finer than that.
    private static let resolution = Duration.milliseconds(50)

    private let router: Router
    private let configuration: Configuration
    private let clock: any Clock<Duration>
    private let random: any RandomNumberGenerator & Sendable
    private let logger: Logger

    /// Makes one. It does nothing until ``run()``.
    ///
    /// - Parameters:
    ///   - router: whose instances it asks.
    ///   - configuration: what it puts up with.
    ///   - clock: measures intervals and time limits.
    ///   - random: spreads the probes in time.
    ///   - logger: is told when an instance fails, and when it is back.
    public init(
        router: Router, configuration: Configuration = Configuration(), clock: any Clock<Duration> = ContinuousClock(),
        random: any RandomNumberGenerator & Sendable = SystemRandomNumberGenerator(), logger: Logger
    ) {
        self.router = router
        self.configuration = configuration
        self.clock = clock
        self.random = random
        self.logger = logger
    }

    /// Probes until the task is cancelled or a graceful shutdown begins.
    ///
    /// - Throws: ``RouterError`` when the configuration lets it make no probe at all.
    public func run() async throws {
        for (name, limit) in [
            ("maxConcurrentProbes", self.configuration.maxConcurrentProbes),
            ("maxConcurrentProbesPerApplication", self.configuration.maxConcurrentProbesPerApplication),
        ] where limit < 1 {
            throw RouterError(
                .invalidConfiguration, "The health monitor may make no probe: its \(name) is below 1.")
        }
        let watch = self.router.watchRoutes()
        defer { self.router.unwatch(watch) }
        let (events, sink) = AsyncStream.makeStream(of: Event.self)
        await ProbeThreads.run { threads in
            await withDiscardingTaskGroup { group in
                group.addTask { for await _ in watch.signals { sink.yield(.routesChanged) } }
                group.addTask {
                    try? await gracefulShutdown()
                    sink.finish()
                }
                await self.follow(events, sink, watch, threads, &group)
                group.cancelAll()
            }
        }
    }

    private func follow(
        _ events: AsyncStream<Event>, _ sink: AsyncStream<Event>.Continuation, _ watch: RouteWatch,
        _ threads: ProbeThreads, _ group: inout DiscardingTaskGroup
    ) async {
        let elapsed = Self.stopwatch(self.clock)
        var schedule = ProbeSchedule(
            ceiling: self.configuration.maxConcurrentProbes,
            ceilingPerApplication: self.configuration.maxConcurrentProbesPerApplication)
        var random = self.random
        var timer: Duration?
        for await event in events {
            var questions: [ProbeSchedule.Question] = []
            switch event {
            case .routesChanged:
                for application in watch.take() {
                    let route = self.router.route(for: application)
                    for left in schedule.set(application, route, now: elapsed(), random: &random) {
                        self.router.setHealth(of: left, application: application, isHealthy: true)
                    }
                }
                questions = schedule.due(now: elapsed())
            case .time(let due):
                if timer == due { timer = nil }
                questions = schedule.due(now: elapsed())
            case .answer(let question, let report):
                if let verdict = schedule.answered(question, report, now: elapsed(), random: &random) {
                    self.tell(verdict, question, report)
                }
                questions = schedule.next()
            }
            for question in questions {
                group.addTask { sink.yield(.answer(question, await self.ask(question, on: threads))) }
            }
            if let due = schedule.nextDue, timer.map({ due < $0 }) ?? true {
                timer = due
                let wait = max(due - elapsed(), Self.resolution)
                group.addTask { if (try? await self.clock.sleep(for: wait)) != nil { sink.yield(.time(due)) } }
            }
        }
        for (application, backend) in schedule.unhealthy {
            self.router.setHealth(of: backend, application: application, isHealthy: true)
        }
    }

    private func ask(_ question: ProbeSchedule.Question, on threads: ProbeThreads) async -> HealthReport {
        let timeout = question.settings.timeout
        return await withTaskGroup(of: HealthReport.self) { group in
            group.addTask {
                if let probe = question.settings.probe as? any ConnectingProbe {
                    return await probe.check(question.backend, on: threads)
                }
                return await question.settings.probe.check(question.backend)
            }
            group.addTask {
                try? await self.clock.sleep(for: timeout)
                return .failed("did not answer within \(timeout)")
            }
            defer { group.cancelAll() }
            return await group.next() ?? .failed("was not asked")
        }
    }

    private func tell(_ verdict: ProbeSchedule.Verdict, _ question: ProbeSchedule.Question, _ report: HealthReport) {
        // Each time, and not only when it is news: the instance may have left its route and come back meanwhile.
        self.router.setHealth(
            of: question.backend, application: question.application, isHealthy: verdict.isHealthy)
        guard verdict.isNews else { return }
        var metadata: Logger.Metadata = [
            "router.application": "\(question.application)", "router.backend": "\(question.backend.id)",
            "router.address": "\(question.backend.address)",
        ]
        if let reason = report.reason { metadata["router.reason"] = "\(reason)" }
        self.logger.info(
            verdict.isHealthy
                ? "instance passes its probe: it gets requests" : "instance fails its probe: it gets no requests",
            metadata: metadata)
    }

    /// What has passed on a clock since the call.
    private static func stopwatch<C: Clock<Duration>>(_ clock: C) -> @Sendable () -> Duration {
        let start = clock.now
        return { start.duration(to: clock.now) }
    }
}
