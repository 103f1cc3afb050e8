import NIOCore
import Testing

@testable import RouterCore

/// What becomes of connections that wait for a request when there are as many as may be, on a loop that is turned by hand.
@Suite struct `A connection that waits while others want its place` {
    private static let get = "GET / HTTP/1.1\r\nHost: nobody\r\n\r\n"
    private static let opening = Wire.preface + Wire.settings() + Wire.frame(4, 1)

    private func ask(_ client: HandStream) {
        client.send(Self.get)
        #expect(client.text.hasPrefix("HTTP/1.1 404 "))
    }

    private func isRefused(_ client: HandStream) -> Bool { client.text.hasPrefix("HTTP/1.1 503 ") }

    @Test func `is closed in an orderly way, the one that has waited longest first`() throws {
        let world = try HandWorker(configure: { $0.maxConnections = 3 })
        let clients = (0..<3).map { _ in
            let client = world.connect()
            world.pass(1)
            self.ask(client)
            return client
        }
        // The first one asks again, so that it is the last.
        world.pass(1)
        self.ask(clients[0])
        world.pass(3)
        for (newcomers, closed) in [(1, [1]), (2, [1, 2]), (3, [0, 1, 2])] {
            let client = world.connect()
            self.ask(client)
            world.settle()
            #expect(clients.indices.filter { clients[$0].hasEndedOutput } == closed, "\(newcomers)")
            #expect(!clients.contains { $0.isClosed })
        }
        world.settle()
        #expect(world.worker.census.total == 3)
        // Those that say goodbye are gone soon, and count as little as before.
        world.pass(3)
        #expect(clients.allSatisfy { $0.isClosed })
        #expect(world.worker.census.total == 3)
        #expect(world.worker.clients.count == 3)
    }

    @Test func `keeps it while it is used, has just been used, or is about to be`() throws {
        let world = try HandWorker(configure: { $0.maxConnections = 4 })
        let (working, recent, sending, unread) = (world.connect(), world.connect(), world.connect(), world.connect())
        for client in [working, recent, sending, unread] { self.ask(client) }
        working.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        sending.send("GET / HTTP/1.1\r\n")
        unread.hasUnread = true
        world.pass(5)
        self.ask(recent)
        world.pass(1)
        let late = world.connect()
        world.settle()
        #expect(self.isRefused(late))
        for client in [working, recent, sending, unread] { #expect(!client.isClosed && !client.hasEndedOutput) }
    }

    @Test func `is any that has nothing to do, whatever it speaks`() throws {
        let world = try HandWorker(configure: { $0.maxConnections = 3 })
        let (silent, http2, secure) = (world.connect(), world.connect(), world.connect(.tls))
        http2.send(Self.opening)
        world.pass(5)
        for count in 1...3 {
            let client = world.connect()
            self.ask(client)
            world.settle()
            let gone = [silent.isClosed, http2.hasEndedOutput, secure.isClosed].count { $0 }
            #expect(gone == count)
        }
        // GOAWAY is the last frame.
        #expect(SentFrame.parse(Array(http2.output.readableBytesView)).last?.type == 7)
    }

    @Test func `is one of hundreds, which are looked for once`() throws {
        let world = try HandWorker(configure: { $0.maxConnections = 600 })
        let clients = (0..<600).map { _ in world.connect() }
        for client in clients { self.ask(client) }
        world.pass(5)
        for number in 1...500 {
            self.ask(world.connect())
            #expect(world.worker.census.total == 600)
            // More than some are not waited for.
            #expect(clients.count { $0.hasEndedOutput } == number)
            #expect(clients.count { $0.isClosed } == max(0, number - 128))
        }
        world.pass(3)
        #expect(clients.count { $0.isClosed } == 500)
        #expect(world.worker.census.total == 600)
    }

    @Test func `is not looked for again and again in vain`() {
        var spare = SpareConnections(pause: 250)
        var looks = 0
        for now in 0..<1000 as Range<UInt64> {
            let found = spare.next(now: 10_000 + now, least: 2000) {
                looks += 1
                return [SpareConnections.Candidate(session: nil, since: 9000)]
            }
            #expect(found == nil)
        }
        #expect(looks == 4)
    }
}

@Suite(.timeLimit(.minutes(1))) struct `A router that is full of idle connections` {
    private static let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

    @Test(arguments: Driver.allCases) func `serves new ones`(driver: Driver) async throws {
        let origin = try await TestOrigin { _ in .echo }
        try await withRouter(
            driver,
            configure: {
                $0.maxConnections = 20
                $0.lingerTimeout = .milliseconds(1)
                $0.timerResolution = .milliseconds(1)
            }
        ) { router, port in
            try router.setOrigins([origin])
            var idle: [RawClient] = []
            var served = 0
            // On either loop there may be none that has waited for long enough; then the other one is asked.
            while served < 60 {
                let client = try await RawClient(port: port)
                client.send(Self.request)
                if await client.response()?.status == 200 { served += 1 }
                idle.append(client)
            }
            // The first ones were told to go.
            #expect(await idle[0].receiveAll() == "")
            for client in idle { await client.close() }
        }
        await origin.stop()
    }
}
