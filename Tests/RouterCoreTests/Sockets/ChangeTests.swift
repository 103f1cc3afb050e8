import Logging
import ServiceLifecycle
import Synchronization
import Testing

@testable import RouterCore

/// A number that tasks share.
final class Tally: Sendable {
    private let number = Atomic(0)
    private let waiters = Mutex<[(count: Int, continuation: CheckedContinuation<Void, Never>)]>([])

    var value: Int { self.number.load(ordering: .sequentiallyConsistent) }

    func count() {
        self.number.add(1, ordering: .sequentiallyConsistent)
        let due = self.waiters.withLock { waiters in
            let reached = self.value
            let due = waiters.filter { $0.count <= reached }
            waiters.removeAll { $0.count <= reached }
            return due
        }
        for waiter in due { waiter.continuation.resume() }
    }

    /// Returns when so many have been counted.
    func wait(for count: Int) async {
        await withCheckedContinuation { continuation in
            let isReached = self.waiters.withLock { waiters in
                // Whoever counts behind this looks at the waiters behind the lock.
                if self.value >= count { return true }
                waiters.append((count, continuation))
                return false
            }
            if isReached { continuation.resume() }
        }
    }
}

@Suite(.timeLimit(.minutes(1))) struct `A change of routes` {
    @Test(arguments: Driver.allCases) func `is waited for by a drain until the last request has ended`(driver: Driver)
        async throws
    {
        let old = try await TestOrigin { _ in .hold }
        let new = try await TestOrigin { _ in .echo }
        try await withRouter(driver) { router, port in
            try router.setOrigins([old], names: ["old"])
            let client = try await RawClient(port: port)
            client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
            await old.requests(atLeast: 1)
            try router.setOrigins([new], names: ["new"])

            let drained = Tally()
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    let report = await router.drain([BackendID("old")], grace: .seconds(50))
                    drained.count()
                    #expect(report == DrainReport(remaining: 0))
                }
                // New requests go elsewhere, on the same client connections too.
                if let other = try? await RawClient(port: port) {
                    other.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nnew")
                    #expect(await other.response()?.body == "new")
                    await other.close()
                }
                #expect(drained.value == 0)
                old.release()
                #expect(await client.response()?.body == "held")
            }
            client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nyes")
            #expect(await client.response()?.body == "yes")
            #expect(old.requests.count == 1)
            await client.close()
        }
        await old.stop()
        await new.stop()
    }

    @Test(arguments: Driver.allCases) func `is not waited for beyond the grace`(driver: Driver) async throws {
        let origin = try await TestOrigin { $0.path == "/ws" ? .tunnel : .hold }
        try await withRouter(driver) { router, port in
            try router.setOrigins([origin])
            let request = try await RawClient(port: port)
            request.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            let tunnel = try await RawClient(port: port)
            tunnel.send("GET /ws HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
            _ = await tunnel.receive(endingWith: "\r\n\r\n")
            await origin.requests(atLeast: 2)
            router.removeRoute(application: "app")
            #expect(router.route(for: "app") == nil)
            let report = await router.drain([BackendID("web.1")], grace: .milliseconds(20))
            #expect(report == DrainReport(remaining: 1, endedStreams: 1))
            let answer = await request.response()
            #expect(answer?.status == 503)
            #expect(answer?.head.contains("X-Slipway-Error: drained") == true)
            // The connection is its client's, and goes on.
            request.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(await request.response()?.status == 404)
            await request.close()
            #expect(await tunnel.receiveAll().hasPrefix("HTTP/1.1 101 "))
        }
        await origin.stop()
    }

    @Test(arguments: Driver.allCases) func `a thousand times under load loses no request`(driver: Driver) async throws {
        let origins = [try await TestOrigin { _ in .echo }, try await TestOrigin { _ in .echo }]
        try await withRouter(driver) { router, port in
            try router.setOrigins([origins[0]], names: ["v0"])
            let done = Tally()
            let served = Tally()
            let failed = Tally()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<6 {
                    group.addTask {
                        let client = try await RawClient(port: port)
                        while done.value == 0 {
                            client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
                            let response = await client.response()
                            if response?.status == 200, response?.body == "hi" {
                                served.count()
                            } else {
                                failed.count()
                                return
                            }
                        }
                        await client.close()
                    }
                }
                for change in 1...1000 {
                    let before = served.value
                    try router.setOrigins([origins[change % 2]], names: ["v\(change)"])
                    let report = await router.drain([BackendID("v\(change - 1)")], grace: .seconds(50))
                    #expect(report.completed)
                    // Changes and requests alternate, even on one core.
                    if change % 10 == 0 {
                        while served.value == before, failed.value == 0 {
                            await Task.yield()
                        }
                    }
                }
                done.count()
                try await group.waitForAll()
            }
            #expect(failed.value == 0)
            #expect(served.value >= 100)
            let retired = router.state.withLock { state in
                state.forgetIdle()
                return state.retired.count
            }
            #expect(retired <= 1, "what is gone is forgotten")
        }
        for origin in origins { await origin.stop() }
    }

    @Test(arguments: Driver.allCases) func `is refused, and changes nothing, when a host is taken`(driver: Driver)
        async throws
    {
        let router = Router(configuration: .init(), logger: Logger(label: "test"))
        try router.setRoute(ApplicationRoute(application: "one", hosts: ["a", "b"], backends: []))
        let error = #expect(throws: RouterError.self) {
            try router.setRoute(ApplicationRoute(application: "two", hosts: ["c", "B"], backends: []))
        }
        #expect(error?.code == .hostTaken)
        #expect(error?.message.contains("'one'") == true)
        #expect(error?.message.contains("'two'") == true)
        #expect(router.routes.map(\.application) == ["one"])
        try router.setRoute(ApplicationRoute(application: "one", hosts: ["a"], backends: []))
        try router.setRoute(ApplicationRoute(application: "two", hosts: ["c", "B"], backends: []))
    }
}

@Suite(.timeLimit(.minutes(1))) struct `A router that stops` {
    @Test(arguments: Driver.allCases) func `lets requests end, and closes idle connections`(driver: Driver) async throws
    {
        let origin = try await TestOrigin { _ in .hold }
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let router = Router(configuration: .init(host: "127.0.0.1", port: 0), logger: logger)
        try router.setOrigins([origin])
        let group = ServiceGroup(services: [router], logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            let port = Int(try await router.listening()[0].split(separator: ":")[1]) ?? 0
            let busy = try await RawClient(port: port)
            busy.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await origin.requests(atLeast: 1)
            let idle = try await RawClient(port: port)
            idle.send("GET / HTTP/1.1\r\nHost: nobody\r\n\r\n")
            #expect(await idle.response()?.status == 404)
            await group.triggerGracefulShutdown()
            #expect(await idle.receiveAll() == "")
            origin.release()
            #expect(await busy.receiveAll().contains("Connection: close"))
            try await tasks.waitForAll()
        }
        await origin.stop()
    }

    @Test(arguments: Driver.allCases) func `says why it cannot listen`(driver: Driver) async throws {
        let origin = try await TestOrigin { _ in .close }
        let router = Router(
            configuration: .init(host: "127.0.0.1", port: origin.address.port), logger: Logger(label: "test"))
        let error = await #expect(throws: RouterError.self) { try await router.run() }
        #expect(error?.code == .cannotListen)
        await #expect(throws: RouterError.self) { try await router.listening() }
        await origin.stop()
    }
}
