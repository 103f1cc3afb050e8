import Logging
import ServiceLifecycle
import Synchronization
import TestSupport
import Testing

@testable import RouterCore

@Suite struct `A stagger` {
    private func ends(_ count: Int, over span: Duration) -> [(at: Duration, count: Int)] {
        var stagger = Stagger(count: count, over: span)
        var (ends, now): ([(Duration, Int)], Duration) = ([], .zero)
        while let (wait, count) = stagger.next() {
            now += wait
            ends.append((now, count))
        }
        return ends
    }

    @Test func `spreads evenly`() {
        #expect(self.ends(0, over: .seconds(1)).isEmpty)
        #expect(self.ends(1, over: .seconds(10)).map(\.at) == [.seconds(5)])
        #expect(self.ends(4, over: .seconds(8)).map(\.at) == [.seconds(1), .seconds(3), .seconds(5), .seconds(7)])
        #expect(self.ends(4, over: .seconds(8)).map(\.count) == [1, 1, 1, 1])
    }

    @Test(arguments: [1, 7, 100, 2345, 100_000]) func `ends everything, within its time`(count: Int) {
        let span = Duration.seconds(15)
        let ends = self.ends(count, over: span)
        #expect(ends.reduce(0) { $0 + $1.count } == count)
        #expect(ends.last.map { $0.at <= span } == true)
        #expect(ends.count <= 1501, "a timer for each ten milliseconds at most")
        // In no second are there more than a second's worth, and a step's.
        for second in 0..<15 {
            let here = ends.filter { $0.at >= .seconds(second) && $0.at < .seconds(second + 1) }.reduce(0) {
                $0 + $1.count
            }
            #expect(here <= count / 15 + count / 1000 + 2)
        }
        #expect(self.ends(count, over: .zero).map(\.count) == [count])
    }
}

@Suite(.timeLimit(.minutes(1))) struct `A drain of streams` {
    private static let upgrade = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n"
    private static let events = "GET /events HTTP/1.1\r\nHost: a\r\n\r\n"
    private static let count = 10

    /// In which order clients lost their streams.
    private final class Order: Sendable {
        private let ended = Mutex<[Int]>([])
        var clients: [Int] { self.ended.withLock { $0 } }
        var count: Int { self.clients.count }
        func append(_ client: Int) { self.ended.withLock { $0.append(client) } }
    }

    private func origin() async throws -> TestOrigin {
        try await TestOrigin { request in
            switch request.path {
            case "/ws": .tunnel
            case "/events": .bytes("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: x\n\n")
            default: .echo
            }
        }
    }

    /// Connects clients of tunnels and of event streams in turn.
    private func connect(_ port: Int) async throws -> [RawClient] {
        var clients: [RawClient] = []
        for index in 0..<Self.count {
            let client = try await RawClient(port: port)
            client.send(index % 2 == 0 ? Self.upgrade : Self.events)
            _ = await client.receive(endingWith: index % 2 == 0 ? "\r\n\r\n" : "x\n\n\r\n")
            clients.append(client)
        }
        return clients
    }

    /// Drains, a second after the other, and returns in which order the clients lost their streams.
    private func drain(_ driver: Driver, seed: UInt64) async throws -> [Int] {
        let origin = try await self.origin()
        let clock = ManualClock()
        let order = Order()
        try await withRouter(driver, clock: clock, seed: seed) { router, port in
            try router.setOrigins([origin])
            let kept = try await RawClient(port: port)
            kept.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(await kept.response()?.status == 200)
            let clients = try await self.connect(port)
            router.removeRoute(application: "app")
            let instance = router.state.withLock { $0.instances([BackendID("web.1")]) }[0]
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    let report = await router.drain([BackendID("web.1")], grace: .seconds(2 * Self.count))
                    #expect(report == DrainReport(remaining: 0, endedStreams: Self.count))
                }
                for (index, client) in clients.enumerated() {
                    group.addTask {
                        _ = await client.receiveAll()
                        order.append(index)
                    }
                }
                await clock.sleepers(atLeast: 1)
                clock.advance(by: .seconds(Self.count))
                for ended in 1...Self.count {
                    await clock.sleepers(atLeast: 1)
                    #expect(instance.inFlight == Self.count - ended + 1)
                    clock.advance(by: ended == 1 ? .milliseconds(500) : .seconds(1))
                    #expect(await eventually { order.count == ended })
                    #expect(instance.inFlight == Self.count - ended)
                }
                await group.waitForAll()
            }
            // A client's connection is not its application's.
            kept.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(await kept.response()?.status == 404)
            await kept.close()
            for client in clients { await client.close() }
        }
        await origin.stop()
        return order.clients
    }

    @Test(arguments: Driver.allCases) func `ends them one by one, in an order of chance`(driver: Driver) async throws {
        let first = try await self.drain(driver, seed: 1)
        #expect(first.sorted() == Array(0..<Self.count))
        let second = try await self.drain(driver, seed: 2)
        #expect(second.sorted() == first.sorted())
        #expect(first != second)
    }

    @Test(arguments: Driver.allCases) func `happens also when the router stops`(driver: Driver) async throws {
        let origin = try await self.origin()
        let clock = ManualClock()
        let order = Order()
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        var configuration = Router.Configuration(host: "127.0.0.1", port: 0)
        configuration.prefersChannels = driver == .channels
        configuration.shutdownGrace = .seconds(2 * Self.count)
        let router = Router(configuration: configuration, clock: clock, random: LoopRandom(seed: 1), logger: logger)
        try router.setOrigins([origin])
        let services = ServiceGroup(services: [router], logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await services.run() }
            let port = Int(try await router.listening()[0].split(separator: ":")[1]) ?? 0
            let clients = try await self.connect(port)
            for (index, client) in clients.enumerated() {
                group.addTask {
                    _ = await client.receiveAll()
                    order.append(index)
                }
            }
            await services.triggerGracefulShutdown()
            await clock.sleepers(atLeast: 1)
            clock.advance(by: .seconds(Self.count))
            for ended in 1...Self.count {
                await clock.sleepers(atLeast: 1)
                #expect(order.count == ended - 1)
                clock.advance(by: ended == 1 ? .milliseconds(500) : .seconds(1))
                #expect(await eventually { order.count == ended })
            }
            try await group.waitForAll()
            for client in clients { await client.close() }
        }
        await origin.stop()
    }
}
