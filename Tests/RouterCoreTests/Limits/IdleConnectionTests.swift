import Logging
import ServiceLifecycle
import Testing

@testable import RouterCore

/// What becomes of kept connections that nobody needs, on a loop that is turned by hand.
@Suite struct `An idle connection` {
    private static let get = "GET / HTTP/1.1\r\nHost: nobody\r\n\r\n"

    @Test func `of a router that stops is asked for one more request`() throws {
        let world = try HandWorker()
        let (asking, idle, unread, fresh) = (world.connect(), world.connect(), world.connect(), world.connect())
        for client in [asking, idle, unread] {
            client.send(Self.get)
            #expect(client.text.hasPrefix("HTTP/1.1 404 "))
            #expect(!client.text.contains("Connection: close"))
        }
        // They have been idle for longer than they are waited for.
        world.pass(30)
        world.worker.shutDown(idleGrace: world.worker.limits.linger)
        world.pass(1)
        for client in [asking, idle, unread, fresh] { #expect(!client.isClosed && !client.hasEndedOutput) }
        for client in [asking, fresh] {
            client.send(Self.get)
            #expect(client.text.hasSuffix("</small></p>\n"))
            #expect(client.text.contains("Connection: close\r\n"))
        }
        unread.hasUnread = true
        world.pass(1.5)
        #expect(idle.hasEndedOutput && !idle.isClosed, "an end, and not a reset")
        #expect(!unread.hasEndedOutput, "a request is there and is about to be read")
        unread.send(Self.get)
        unread.hasUnread = false
        #expect(unread.text.contains("Connection: close\r\n"))
        // One that crosses with the end is not answered, and its client can tell.
        idle.send(Self.get)
        #expect(!idle.text.contains("Connection: close"))
        world.pass(3)
        #expect(idle.isClosed)
        #expect(world.worker.clients.isEmpty)
    }

    @Test func `is closed by an orderly end as well when its time is over`() throws {
        let world = try HandWorker()
        let client = world.connect()
        client.send(Self.get)
        let time = world.pass(100, until: { client.hasEndedOutput })
        #expect((60.0...61.0).contains(time), "\(time)")
        #expect(!client.isClosed)
        world.pass(3)
        #expect(client.isClosed)
    }

    @Test func `that has shown nothing yet is closed when the router stops`() throws {
        let world = try HandWorker()
        let client = world.connect()
        world.worker.shutDown(idleGrace: world.worker.limits.linger)
        let time = world.pass(100, until: { client.isClosed })
        #expect((2.0...3.0).contains(time), "\(time)")
    }
}

@Suite(.timeLimit(.minutes(1))) struct `A router that is about to stop` {
    /// Clients that ask without a pause: whatever moment the end comes in, each request is answered, and the last answer
    /// says that it is the last.
    @Test(arguments: Driver.allCases) func `answers every request`(driver: Driver) async throws {
        let origin = try await TestOrigin { _ in .echo }
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        var configuration = Router.Configuration(host: "127.0.0.1", port: 0)
        configuration.prefersChannels = driver == .channels
        for _ in 0..<10 {
            let router = Router(configuration: configuration, logger: logger)
            try router.setOrigins([origin])
            let services = ServiceGroup(services: [router], logger: logger)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await services.run() }
                let port = Int(try await router.listening()[0].split(separator: ":")[1]) ?? 0
                let begun = Tally()
                // Whoever comes after the end finds nobody.
                let connected = Tally()
                for _ in 0..<8 {
                    group.addTask {
                        let client = try await RawClient(port: port)
                        var isFirst = true
                        while true {
                            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                            let answer = await client.response()
                            #expect(answer?.status == 200)
                            begun.count()
                            if isFirst { connected.count() }
                            isFirst = false
                            if answer == nil || answer?.head.contains("Connection: close") == true { break }
                        }
                        await client.close()
                    }
                }
                await connected.wait(for: 8)
                await begun.wait(for: 100)
                await services.triggerGracefulShutdown()
                try await group.waitForAll()
            }
        }
        await origin.stop()
    }
}
