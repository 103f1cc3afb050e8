import NIOCore
import Synchronization
import Testing

@testable import RouterCore

/// What clients leave behind when they do not read, do not end, or just go, on a loop that is turned by hand.
@Suite struct `What a client leaves behind` {
    private static let upgrade = "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
    private static let accept = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
    private static let opening = Wire.preface + Wire.settings() + Wire.frame(4, 1)

    /// A tunnel to an instance that reads nothing, whose client has sent something and gone.
    private func leave(_ world: HandWorker) throws -> HandStream {
        let client = world.connect()
        client.send(Self.upgrade)
        let upstream = try #require(world.loop.upstreams.last)
        upstream.send(Self.accept)
        upstream.take(0)
        client.send([UInt8](repeating: 0x78, count: 10_000))
        client.close()
        world.settle()
        return upstream
    }

    @Test func `for an instance that does not read is given up after a while`() throws {
        let world = try HandWorker()
        let upstream = try self.leave(world)
        #expect(!upstream.isClosed && world.worker.departingCount == 1)
        world.pass(20)
        upstream.take(100)
        let time = world.pass(100, until: { upstream.isClosed })
        #expect((30.0...31.0).contains(time), "since it took something: \(time)")
        #expect(world.worker.departingCount == 0)
    }

    @Test func `for an instance that reads is delivered`() throws {
        let world = try HandWorker()
        let upstream = try self.leave(world)
        world.pass(20)
        upstream.take(.max)
        #expect(upstream.isClosed)
        #expect(upstream.text.hasSuffix(String(repeating: "x", count: 10_000)))
        world.pass(1)
        #expect(world.worker.departingCount == 0)
    }

    @Test func `is given up first when there is no memory, or when it is too much`() throws {
        let world = try HandWorker()
        let upstream = try self.leave(world)
        let other = world.connect()
        other.send(Self.upgrade)
        world.worker.relieve()
        #expect(upstream.isClosed)
        #expect(!other.isClosed)
        let upstreams = try (0...DepartingConnections.limit).map { _ in try self.leave(world) }
        #expect(upstreams.map(\.isClosed) == [true] + upstreams.dropFirst().map { _ in false })
    }

    @Test func `over HTTP/2 as a stream without an end does not keep the connection`() throws {
        let world = try HandWorker()
        let client = world.connect()
        let post = [(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "nobody")]
        client.send(Self.opening + Wire.headers(1, Wire.block(post), ends: false))
        world.settle()
        let time = world.pass(200, until: { client.isClosed })
        #expect((60.0...64.0).contains(time), "\(time)")
        #expect(SentFrame.parse(Array(client.output.readableBytesView)).contains { $0.type == 7 })
    }

    @Test func `over HTTP/2 does not have a router that stops wait`() throws {
        let world = try HandWorker()
        let client = world.connect()
        let post = [(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "nobody")]
        client.send(Self.opening + Wire.headers(1, Wire.block(post), ends: false))
        world.settle()
        world.worker.shutDown(idleGrace: world.worker.limits.linger)
        let time = world.pass(200, until: { client.isClosed })
        #expect((2.0...8.0).contains(time), "\(time)")
    }

    @Test func `over HTTP/2 as an answer for which there is no window is given up`() throws {
        let world = try HandWorker()
        let client = world.connect()
        let get = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a")]
        client.send(Wire.preface + Wire.settings([(4, 0)]) + Wire.frame(4, 1) + Wire.headers(1, Wire.block(get)))
        world.settle()
        world.loop.upstreams.last?.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        world.settle()
        #expect(world.router.inFlight(application: "app") == 0)
        let time = world.pass(200, until: { client.isClosed })
        #expect((60.0...64.0).contains(time), "\(time)")
    }
}

@Suite struct `A client that asks and asks without reading` {
    private static let get = "GET / HTTP/1.1\r\nHost: nobody\r\n\r\n"

    @Test func `is answered no further than it reads, and in the end completely`() throws {
        let world = try HandWorker()
        let client = world.connect()
        client.take(0)
        client.send(String(repeating: Self.get, count: 2000))
        #expect((65_536..<70_000).contains(client.bufferedBytes), "\(client.bufferedBytes)")
        client.handler?.ended()
        #expect(client.bufferedBytes < 70_000)
        for _ in 0..<1000 where !client.isClosed {
            client.take(30_000)
            #expect(client.bufferedBytes < 70_000)
            world.settle()
        }
        #expect(client.isClosed, "it had said that it would ask no more")
        #expect(client.text.ranges(of: "HTTP/1.1 404 ").count == 2000)
    }

    @Test(arguments: [false, true]) func `is closed`(ends: Bool) throws {
        let world = try HandWorker()
        let client = world.connect()
        client.take(0)
        client.send(String(repeating: Self.get, count: 2000))
        if ends { client.handler?.ended() }
        let time = world.pass(200, until: { client.isClosed })
        #expect((5.0...62.0).contains(time), "\(time)")
    }
}

@Suite struct `A router without room` {
    private static let get = "GET / HTTP/1.1\r\nHost: nobody\r\n\r\n"

    private func fill(_ world: HandWorker, _ count: Int, from address: (Int) -> String) -> [HandStream] {
        let clients = (0..<count).map { world.connect(from: address($0)) }
        for client in clients { client.send(Self.get) }
        world.pass(5)
        return clients
    }

    @Test func `looks for it once when hundreds are about to ask`() throws {
        let world = try HandWorker(configure: { $0.maxConnections = 300 })
        let clients = self.fill(world, 300) { _ in "203.0.113.7" }
        for client in clients { client.hasUnread = true }
        let late = world.connect()
        world.settle()
        #expect(late.text.hasPrefix("HTTP/1.1 503 "))
        #expect(!clients.contains { $0.hasEndedOutput })
        // Among all of them there is one that is not.
        clients[250].hasUnread = false
        world.pass(1)
        let next = world.connect()
        next.send(Self.get)
        #expect(next.text.hasPrefix("HTTP/1.1 404 "))
        #expect(clients.indices.filter { clients[$0].hasEndedOutput } == [250])
    }

    @Test func `makes none for who has its share already`() throws {
        let world = try HandWorker(configure: {
            $0.maxConnections = 4
            $0.maxConnectionsPerAddress = 2
        })
        let clients = self.fill(world, 4) { $0 < 2 ? "203.0.113.7" : "203.0.113.8" }
        let greedy = world.connect(from: "203.0.113.7")
        world.settle()
        #expect(greedy.text.hasPrefix("HTTP/1.1 429 "))
        #expect(!clients.contains { $0.hasEndedOutput })
        #expect(world.worker.census.total == 4)
        let other = world.connect(from: "203.0.113.9")
        other.send(Self.get)
        #expect(other.text.hasPrefix("HTTP/1.1 404 "))
        #expect(world.worker.census.total == 4)
    }
}

@Suite struct `A request that was held` {
    private func backend(_ limit: Int) -> Backend {
        Backend(id: BackendID("web.1"), address: .ip(host: "127.0.0.1", port: 1), maxInFlight: limit)
    }

    @Test func `has all the time in the queue that others have`() throws {
        let world = try HandWorker(change: {
            $0.backends = []
            $0.hold = HoldPolicy()
        })
        let clients = (0..<3).map { _ in world.connect() }
        for client in clients { client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n") }
        world.pass(35)
        #expect(clients.allSatisfy { $0.text.isEmpty })
        var route = try #require(world.router.route(for: "app"))
        route.backends = [self.backend(1)]
        try world.router.setRoute(route)
        world.pass(20)
        #expect(clients.allSatisfy { $0.text.isEmpty }, "one is with the instance, two wait")
        for _ in 0..<3 {
            world.loop.upstreams.last?.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            world.settle()
        }
        #expect(clients.allSatisfy { $0.text.hasPrefix("HTTP/1.1 200 ") })
    }

    @Test func `and called up in vain has no more`() throws {
        let world = try HandWorker(change: { $0.backends = [self.backend(1)] })
        let clients = (0..<2).map { _ in world.connect() }
        for client in clients { client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n") }
        let time = world.pass(100, until: { !clients[1].text.isEmpty }) { _ in
            world.worker.routes.find(application: "app")?.application.wakeNext()
        }
        #expect((30.0...31.0).contains(time), "\(time)")
        #expect(clients[1].text.hasPrefix("HTTP/1.1 503 "))
    }
}

@Suite struct `A route that is refused` {
    @Test func `leaves nothing behind`() throws {
        let world = try HandWorker()
        for _ in 0..<20 {
            let other = ApplicationRoute(
                application: "other", hosts: ["a"],
                backends: [Backend(id: BackendID("web.1"), address: .ip(host: "127.0.0.1", port: 2))])
            #expect(throws: RouterError.self) { try world.router.setRoute(other) }
        }
        #expect(world.router.state.withLock { $0.takeSlot() } == 1)
    }
}
