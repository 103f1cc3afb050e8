import NIOCore
import Testing

@testable import RouterCore

/// Streams that last, on a loop that is turned by hand.
@Suite struct `An event stream over HTTP/2` {
    private static let get = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a")]
    private static let opening = Wire.preface + Wire.settings() + Wire.frame(4, 1)

    private func frames(_ client: HandStream, _ type: UInt8) -> [SentFrame] {
        SentFrame.parse(Array(client.output.readableBytesView)).filter { $0.type == type }
    }

    /// Asks on a stream and is answered.
    private func ask(_ world: HandWorker, _ client: HandStream, _ stream: UInt32, _ answer: String) {
        client.send(Wire.headers(stream, Wire.block(Self.get)))
        world.settle()
        world.loop.upstreams.last { !$0.isClosed }?.send(answer)
        world.settle()
    }

    private static let events = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: x\n\n"
    private static let short = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    @Test(arguments: [(5, 100), (100, 5)]) func `counts as a connection of its client`(perAddress: Int, total: Int)
        throws
    {
        let world = try HandWorker(configure: {
            $0.maxConnectionsPerAddress = perAddress
            $0.maxConnections = total
        })
        let client = world.connect()
        client.send(Self.opening)
        for stream in 0..<4 { self.ask(world, client, UInt32(stream * 2 + 1), Self.events) }
        #expect(world.worker.census.total == 5)
        #expect(self.frames(client, 3).isEmpty)
        // Four streams and the connection are all that it may have. What does not last it may ask as often as it likes.
        self.ask(world, client, 9, Self.events)
        #expect(self.frames(client, 3).map(\.stream) == [9])
        for stream in 5..<10 { self.ask(world, client, UInt32(stream * 2 + 1), Self.short) }
        #expect(self.frames(client, 1).count == 10)
        #expect(self.frames(client, 3).count == 1)
        // The end of one makes room for another one.
        client.send(Wire.reset(3))
        world.settle()
        #expect(world.worker.census.total == 4)
        self.ask(world, client, 21, Self.events)
        #expect(self.frames(client, 3).map(\.stream) == [9])
        #expect(world.worker.census.total == 5)
        world.loop.upstreams[0].close()
        world.settle()
        #expect(world.worker.census.total == 4)
        client.close()
        world.settle()
        #expect(world.worker.census.total == 0)
    }

    @Test func `gets the place of a connection that does nothing`() throws {
        let world = try HandWorker(configure: { $0.maxConnections = 2 })
        let (client, idle) = (world.connect(), world.connect())
        client.send(Self.opening)
        world.pass(5)
        self.ask(world, client, 1, Self.events)
        #expect(self.frames(client, 3).isEmpty)
        #expect(idle.isClosed)
        #expect(world.worker.census.total == 2)
    }
}

@Suite struct `The limit of descriptors` {
    @Test func `is raised, and never lowered`() {
        let limit = DescriptorLimit.current
        #expect(limit > 10)
        #expect(DescriptorLimit.raise(to: 1) == limit)
        #expect(DescriptorLimit.raise(to: limit) == limit)
        #expect(DescriptorLimit.current == limit)
    }
}
