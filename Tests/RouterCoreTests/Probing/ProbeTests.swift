import Logging
import SystemPackage
import TestSupport
import Testing

@testable import RouterCore

@Suite(.timeLimit(.minutes(1))) struct `A probe` {
    private func check(_ probe: some HealthProbe, _ address: BackendAddress) async -> HealthReport {
        await probe.check(Backend(id: BackendID("x"), address: address))
    }

    @Test func `asks over TCP and at a Unix socket`() async throws {
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nready"
        let tcp = try await TestOrigin { $0.path == "/health" ? .bytes(answer) : .bytes("HTTP/1.1 404 No\r\n\r\n") }
        let address = BackendAddress.ip(host: "127.0.0.1", port: tcp.address.port)
        var probe = HTTPHealthProbe(path: "/health")
        probe.bodyPrefix = "rea"
        #expect(await self.check(probe, address) == .passed)
        #expect(await self.check(HTTPHealthProbe(path: "/"), address) == .failed("answered 404"))
        #expect(await self.check(TCPHealthProbe(), address) == .passed)
        await tcp.stop()
        try await withTemporaryDirectory { directory in
            let path = directory.appending("x.sock").string
            let unix = try await TestOrigin(path: path) { _ in .bytes(answer) }
            #expect(await self.check(probe, .unix(path: path)) == .passed)
            #expect(await self.check(TCPHealthProbe(), .unix(path: path)) == .passed)
            #expect(unix.requests.first?.head.contains("Host: localhost\r\n") == true)
            await unix.stop()
        }
    }

    @Test func `fails where nobody listens, and where the connection is closed`() async throws {
        let port = try await closedPort()
        for probe in [HTTPHealthProbe() as any HealthProbe, TCPHealthProbe()] {
            guard let reason = await self.check(probe, .ip(host: "127.0.0.1", port: port)).reason else {
                Issue.record("it passed")
                continue
            }
            #expect(reason.contains("did not accept a connection"))
        }
        let origin = try await TestOrigin { _ in .close }
        let report = await self.check(HTTPHealthProbe(), .ip(host: "127.0.0.1", port: origin.address.port))
        #expect(report == .failed("closed the connection before it had answered"))
        await origin.stop()
    }

    @Test func `returns when it is cancelled, whatever the instance does`() async throws {
        let origin = try await TestOrigin { _ in .hold }
        let address = BackendAddress.ip(host: "127.0.0.1", port: origin.address.port)
        let task = Task { await self.check(HTTPHealthProbe(), address) }
        await origin.requests(atLeast: 1)
        task.cancel()
        #expect(await task.value == .failed("was given up"))
        await origin.stop()
    }
}

/// Answers as a test says, and tells when it was asked.
final class ScriptedProbe: HealthProbe {
    let asked: AsyncStream<BackendID>
    private let ask: AsyncStream<BackendID>.Continuation
    private let answer: @Sendable (Backend) -> HealthReport?

    /// - Parameter answer: nil for none until the probe is cancelled.
    init(_ answer: @escaping @Sendable (Backend) -> HealthReport?) {
        self.answer = answer
        (self.asked, self.ask) = AsyncStream.makeStream(of: BackendID.self)
    }

    func check(_ backend: Backend) async -> HealthReport {
        self.ask.yield(backend.id)
        if let report = self.answer(backend) { return report }
        while !Task.isCancelled { try? await Task.sleep(for: .seconds(3600)) }
        return .failed("cancelled")
    }

    static func == (lhs: ScriptedProbe, rhs: ScriptedProbe) -> Bool { lhs === rhs }
    func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}

extension Router {
    /// Returns once every loop knows the routes that were set before.
    func heard() async { _ = await self.drain([], grace: .seconds(50)) }
}

@Suite(.timeLimit(.minutes(1))) struct `A health monitor` {
    private static let settings = { @Sendable (probe: ScriptedProbe) in
        var settings = ProbeSettings(probe)
        settings.jitter = 0
        settings.fall = 2
        settings.rise = 2
        return settings
    }

    /// Runs a monitor beside a router until `body` returns.
    private func withMonitor(
        _ body: (Router, ManualClock, LogWatch) async throws -> Void
    ) async throws {
        let (clock, log) = (ManualClock(), LogWatch())
        try await withRouter { router, _ in
            let monitor = HealthMonitor(
                router: router, clock: clock, random: FixedRandom(), logger: Logger(label: "test") { _ in log })
            let task = Task { try await monitor.run() }
            do { try await body(router, clock, log) } catch {
                task.cancel()
                throw error
            }
            task.cancel()
            try await task.value
            // It leaves nothing out.
            let all = router.route(for: "app")?.backends.map(\.id) ?? []
            #expect(router.healthyBackends(application: "app") == Set(all))
        }
    }

    private static let left = "instance fails its probe: it gets no requests"
    private static let back = "instance passes its probe: it gets requests"

    @Test func `has an instance that fails get no requests until it passes`() async throws {
        let origins = [
            try await TestOrigin { _ in .bytes("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n0") },
            try await TestOrigin { _ in .bytes("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1") },
        ]
        let isSick = Tally()
        let isWell = Tally()
        let probe = ScriptedProbe { backend in
            backend.id == BackendID("web.1") && isSick.value > 0 && isWell.value == 0 ? .failed("it is sick") : .passed
        }
        let (clock, log) = (ManualClock(), LogWatch())
        try await withRouter { router, port in
            let monitor = HealthMonitor(
                router: router, clock: clock, random: FixedRandom(), logger: Logger(label: "test") { _ in log })
            let task = Task { try await monitor.run() }
            try router.setOrigins(origins) {
                $0.selection = .roundRobin
                $0.probe = Self.settings(probe)
            }
            let client = try await RawClient(port: port)
            #expect(Set([await client.ask()?.body, await client.ask()?.body]) == ["0", "1"])
            isSick.count()
            await self.move(clock, until: log, Self.left)
            #expect(router.healthyBackends(application: "app") == [BackendID("web.2")])
            await router.heard()
            for _ in 0..<4 { #expect(await client.ask()?.body == "1") }
            isWell.count()
            await self.move(clock, until: log, Self.back)
            await router.heard()
            #expect(Set([await client.ask()?.body, await client.ask()?.body]) == ["0", "1"])
            task.cancel()
            try await task.value
        }
        for origin in origins { await origin.stop() }
    }

    /// Moves the clock from one probe to the next until something is logged.
    private func move(_ clock: ManualClock, until log: LogWatch, _ message: String) async {
        let done = Task { await log.message(message) }
        let moving = Task {
            while !Task.isCancelled {
                if clock.sleeperCount > 0 { clock.advance(by: .seconds(1)) }
                await Task.yield()
            }
        }
        await done.value
        moving.cancel()
        await moving.value
    }

    @Test func `gives up on a probe that takes too long`() async throws {
        let probe = ScriptedProbe { _ in nil }
        try await self.withMonitor { router, clock, log in
            try router.setRoute(self.route(probe))
            await self.move(clock, until: log, Self.left)
            #expect(router.healthyBackends(application: "app") == [])
        }
    }

    private func route(
        _ probe: ScriptedProbe, _ names: [String] = ["x"], change: (inout ApplicationRoute) -> Void = { _ in }
    ) -> ApplicationRoute {
        let backends = names.map { Backend(id: BackendID($0), address: .ip(host: "127.0.0.1", port: 1)) }
        var route = ApplicationRoute(application: "app", hosts: ["a"], backends: backends)
        route.probe = Self.settings(probe)
        change(&route)
        return route
    }

    @Test func `sees routes that change, and lets go of those without a probe`() async throws {
        let probe = ScriptedProbe { $0.id == BackendID("x") ? .failed("it is sick") : .passed }
        try await self.withMonitor { router, clock, log in
            var asked = probe.asked.makeAsyncIterator()
            try router.setRoute(self.route(probe))
            #expect(await asked.next() == BackendID("x"))
            await self.move(clock, until: log, Self.left)
            #expect(router.healthyBackends(application: "app") == [])
            try router.setRoute(self.route(probe, ["x", "y"]))
            while await asked.next() != BackendID("y") {}
            #expect(router.healthyBackends(application: "app") == [BackendID("y")])
            try router.setRoute(self.route(probe, ["x"]) { $0.probe = nil })
            let watch = router.watchRoutes()
            for await _ in watch.signals where router.healthyBackends(application: "app") == [BackendID("x")] { break }
            router.unwatch(watch)
        }
    }

    @Test func `must be allowed to probe`() async throws {
        var configuration = HealthMonitor.Configuration()
        configuration.maxConcurrentProbes = 0
        let monitor = HealthMonitor(
            router: Router(configuration: .init(), logger: Logger(label: "test")), configuration: configuration,
            logger: Logger(label: "test"))
        let error = await #expect(throws: RouterError.self) { try await monitor.run() }
        #expect(error?.code == .invalidConfiguration)
    }
}

@Suite(.timeLimit(.minutes(1))) struct `A route whose instances are unhealthy` {
    @Test func `says so only of those that it has`() throws {
        let router = Router(configuration: .init(), logger: Logger(label: "test"))
        var backend = Backend(id: BackendID("x"), address: .unix(path: "/x"))
        #expect(!router.setHealth(of: backend, application: "app", isHealthy: false))
        try router.setRoute(ApplicationRoute(application: "app", hosts: ["a"], backends: [backend]))
        // What is no news is known all the same.
        for _ in 0..<2 { #expect(router.setHealth(of: backend, application: "app", isHealthy: false)) }
        backend.address = .unix(path: "/y")
        #expect(!router.setHealth(of: backend, application: "app", isHealthy: true))
        #expect(router.healthyBackends(application: "app") == [])
    }

    private func say(_ isHealthy: Bool, _ name: String, _ origin: TestOrigin, _ router: Router) async {
        let address = BackendAddress.ip(host: origin.address.host, port: origin.address.port)
        router.setHealth(
            of: Backend(id: BackendID(name), address: address), application: "app", isHealthy: isHealthy)
        await router.heard()
    }

    @Test(arguments: [0, 60]) func `is answered 503 when all are, unless there is panic`(percent: Int) async throws {
        let origins = [try await TestOrigin { _ in .echo }, try await TestOrigin { _ in .echo }]
        try await withRouter { router, port in
            try router.setOrigins(origins) {
                $0.probe = ProbeSettings(TCPHealthProbe())
                $0.probe?.panicPercent = percent
            }
            let client = try await RawClient(port: port)
            #expect(await client.ask()?.status == 200)
            await self.say(false, "web.1", origins[0], router)
            #expect(await client.ask()?.status == 200)
            await self.say(false, "web.2", origins[1], router)
            let answer = await client.ask()
            #expect(answer?.status == (percent > 0 ? 200 : 503))
            #expect(answer?.head.contains("X-Slipway-Error: no-healthy-instance") == (percent == 0))
            await self.say(true, "web.2", origins[1], router)
            #expect(await client.ask()?.status == 200)
        }
        for origin in origins { await origin.stop() }
    }

    @Test func `keeps what is in flight to them`() async throws {
        let origin = try await TestOrigin { _ in .hold }
        try await withRouter { router, port in
            try router.setOrigins([origin])
            let client = try await RawClient(port: port)
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await origin.requests(atLeast: 1)
            await self.say(false, "web.1", origin, router)
            #expect(router.inFlight(application: "app") == 1)
            origin.release()
            #expect(await client.response()?.body == "held")
        }
        await origin.stop()
    }

    @Test func `gives a new instance no request before it has passed, if asked to`() throws {
        let router = Router(configuration: .init(), logger: Logger(label: "test"))
        let backends = ["x", "y"].map { Backend(id: BackendID($0), address: .unix(path: "/\($0)")) }
        var route = ApplicationRoute(application: "app", hosts: ["a"], backends: [backends[0]])
        try router.setRoute(route)
        route.probe = ProbeSettings(TCPHealthProbe())
        route.probe?.startsHealthy = false
        route.backends = backends
        try router.setRoute(route)
        #expect(router.healthyBackends(application: "app") == [BackendID("x")])
        router.setHealth(of: backends[1], application: "app", isHealthy: true)
        #expect(router.healthyBackends(application: "app") == [BackendID("x"), BackendID("y")])
        #expect(router.healthyBackends(application: "other") == nil)
    }
}
