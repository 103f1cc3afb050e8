import NIOCore
import Testing

@testable import RouterCore

/// A WebSocket whose client stops reading, while its instance goes on sending.
@Suite struct `A tunnel whose client stops reading` {
    private static let upgrade = "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
    private static let accept = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
    static let webSocket = [
        (":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":path", "/"), (":authority", "a"),
        ("sec-websocket-version", "13"),
    ]
    private static let x = [UInt8](repeating: 0x78, count: 100_000)

    /// - Parameter talks: whether the client itself goes on sending, which must not count for reading.
    @Test(arguments: [false, true]) func `ends after the time that a client may stall`(talks: Bool) throws {
        let world = try HandWorker()
        let client = world.connect()
        client.send(Self.upgrade)
        let upstream = try #require(world.loop.upstreams.first)
        upstream.send(Self.accept)
        world.pass(600)
        #expect(!client.isClosed, "nothing waits for it")
        client.take(20_000)
        let time = world.pass(600, until: { client.isClosed }) { _ in
            upstream.send(Self.x)
            if talks { client.send("ping") }
        }
        // It had taken enough to have earned the whole time.
        #expect((60.0...62.0).contains(time), "\(time)")
        #expect(upstream.isClosed)
        #expect(world.router.inFlight(application: "app") == 0)
    }

    @Test func `ends also when all that waits is in the kernel`() throws {
        let world = try HandWorker()
        let client = world.connect()
        client.send(Self.upgrade)
        let upstream = try #require(world.loop.upstreams.first)
        upstream.send(Self.accept)
        world.pass(600)
        upstream.send("small")
        client.inKernel = 5
        let time = world.pass(600, until: { client.isClosed }) { _ in client.send("ping") }
        #expect((60.0...62.0).contains(time), "\(time)")
    }

    @Test func `lives on when it reads again in time`() throws {
        let world = try HandWorker()
        let client = world.connect()
        client.send(Self.upgrade)
        let upstream = try #require(world.loop.upstreams.first)
        upstream.send(Self.accept)
        for _ in 0..<20 {
            client.take(20_000)
            world.pass(50) { _ in upstream.send(Self.x) }
        }
        #expect(!client.isClosed)
        client.take(.max)
        world.pass(3500)
        #expect(!client.isClosed)
    }

    @Test(arguments: [false, true]) func `over HTTP/2 ends as well`(talks: Bool) throws {
        let world = try HandWorker()
        let client = world.connect()
        client.send(
            Wire.preface + Wire.settings() + Wire.frame(4, 1) + Wire.headers(1, Wire.block(Self.webSocket), ends: false)
        )
        let upstream = try #require(world.loop.upstreams.first)
        upstream.send(Self.accept)
        let time = world.pass(600, until: { upstream.isClosed }) { _ in
            // The window of 64 KiB is used up, and never opened.
            upstream.send(Self.x)
            if talks { client.send(Wire.data(1, [1, 2, 3])) }
        }
        #expect((5.0...62.0).contains(time), "\(time)")
        // RST_STREAM: the connection may have other streams.
        #expect(client.output.readableBytesView.firstRange(of: [0, 0, 4, 3, 0, 0, 0, 0, 1]) != nil)
        #expect(world.router.inFlight(application: "app") == 0)
    }

    @Test func `over HTTP/2 ends with its connection when that is not read at all`() throws {
        let world = try HandWorker()
        let client = world.connect()
        client.send(
            Wire.preface + Wire.settings() + Wire.frame(4, 1) + Wire.headers(1, Wire.block(Self.webSocket), ends: false)
                + Wire.windowUpdate(0, 1 << 30) + Wire.windowUpdate(1, 1 << 30))
        let upstream = try #require(world.loop.upstreams.first)
        upstream.send(Self.accept)
        client.take(20_000)
        let time = world.pass(600, until: { client.isClosed }) { _ in upstream.send(Self.x) }
        #expect((60.0...62.0).contains(time), "\(time)")
    }
}

/// The same over sockets.
@Suite(.timeLimit(.minutes(1))) struct `A tunnel over sockets` {
    @Test(arguments: Driver.allCases) func `ends when its client stops reading`(driver: Driver) async throws {
        let instance = try ScriptedInstance { socket, _ in
            _ = try socket.read(until: "\r\n\r\n")
            try socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
            let block = [UInt8](repeating: 0x78, count: 65_536)
            while true { try socket.write(block) }
        }
        let observer = RecordingObserver()
        try await withRouter(
            driver,
            configure: {
                $0.clientStallTimeout = .milliseconds(200)
                $0.timerResolution = .milliseconds(20)
            }, observer: observer
        ) { router, port in
            try router.setPorts([instance.port])
            try await onThread {
                let client = try ScriptSocket(port: port, buffers: .init(receive: 4096))
                try client.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
                try client.waitForHangUp()
                let other = try ScriptSocket(port: port, buffers: .init(receive: 4096))
                let block = Wire.block(`A tunnel whose client stops reading`.webSocket)
                try other.write(
                    Wire.preface + Wire.settings() + Wire.frame(4, 1) + Wire.headers(1, block, ends: false)
                        + Wire.windowUpdate(0, 1 << 30) + Wire.windowUpdate(1, 1 << 30))
                try other.waitForHangUp()
            }
            let records = await observer.records(atLeast: 2)
            #expect(records.count == 2)
            #expect(router.inFlight(application: "app") == 0)
        }
        await instance.stop()
    }
}
