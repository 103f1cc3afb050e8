#if os(Linux)
    import Foundation
    import Logging
    import SystemPackage
    import TestSupport
    import Testing

    @testable import RouterCore

    /// A router that runs until it ends by itself or is stopped.
    struct StartedRouter: Sendable {
        let router: Router
        let clock: ManualClock
        let log = LogWatch()
        private let task: Task<Void, any Error>

        /// - Parameter origin: whom the host `a` is routed to; the router takes over at once. Nil to do both later.
        init(
            _ driver: Driver, at path: FilePath, listeners: [Router.Listener] = [.init(host: "127.0.0.1", port: 0)],
            origin: TestOrigin? = nil, change: (inout Router.Configuration) -> Void = { _ in }
        ) throws {
            var configuration = Router.Configuration()
            configuration.threads = 2
            configuration.prefersChannels = driver == .channels
            configuration.listeners = listeners
            configuration.handover = Router.Handover(path: path)
            change(&configuration)
            let log = self.log
            let clock = ManualClock()
            let router = Router(
                configuration: configuration, clock: clock, logger: Logger(label: "test") { _ in log })
            self.router = router
            self.clock = clock
            if let origin {
                try router.setOrigins([origin])
                router.takeOver()
            }
            self.task = Task { try await router.run() }
        }

        /// Waits until it accepts, and returns its ports.
        func ports() async throws -> [Int] {
            try await self.router.listening().compactMap { Int($0.split(separator: ":").last ?? "") }
        }

        func port() async throws -> Int { try #require(try await self.ports().first) }

        /// Waits until it has ended by itself.
        func ended() async throws { try await self.task.value }

        func stop() async {
            self.task.cancel()
            _ = await self.task.result
        }
    }

    extension RawClient {
        /// Asks host `a` on a connection that is kept, and returns the whole answer.
        func ask(_ line: String = "PUT / HTTP/1.1", _ body: String = "hi") async -> (
            status: Int, head: String, body: String
        )? {
            self.send("\(line)\r\nHost: a\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
            return await self.response()
        }
    }

    private func withOrigins(_ body: (TestOrigin, TestOrigin, FilePath) async throws -> Void) async throws {
        func origin(_ name: String) async throws -> TestOrigin {
            try await TestOrigin {
                $0.path == "/ws" ? .tunnel : .bytes("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n\(name)")
            }
        }
        let (old, new) = (try await origin("old"), try await origin("new"))
        try await withTemporaryDirectory { try await body(old, new, $0.appending("router.sock")) }
        await old.stop()
        await new.stop()
    }

    @Suite(.timeLimit(.minutes(1))) struct `A hand-over` {
        @Test(arguments: Driver.allCases) func `refuses no connection and ends none in the middle`(driver: Driver)
            async throws
        {
            try await withOrigins { oldOrigin, newOrigin, path in
                let old = try StartedRouter(driver, at: path, origin: oldOrigin)
                let port = try await old.port()
                let kept = try await RawClient(port: port)
                #expect(await kept.ask()?.body == "old")
                let socket = try await RawClient(port: port)
                socket.send("GET /ws HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
                _ = await socket.receive(endingWith: "\r\n\r\n")
                let silent = try await RawClient(port: port)
                let silentHTTP2 = try await onThread { try ScriptSocket(port: port) }
                let (bodies, body) = AsyncStream.makeStream(of: String.self)
                async let farewell = Self.stay(port, body)
                for await text in bodies { #expect(text == "old") }

                let new = try StartedRouter(driver, at: path)
                // While it has no routes, the old one serves.
                let between = try await RawClient(port: port)
                #expect(await between.ask()?.body == "old")
                try new.router.setOrigins([newOrigin])
                new.router.takeOver()
                #expect(try await new.port() == port)
                let next = try await RawClient(port: port)
                #expect(await next.ask()?.body == "new")

                // Connections without a request may have one more, and connections that were just accepted their first.
                for client in [kept, between, silent] {
                    let answer = await client.ask()
                    #expect(answer?.body == "old")
                    #expect(answer?.head.contains("Connection: close") == true)
                    #expect(await client.receiveAll() == "")
                }
                #expect(try await farewell == .noError)
                let last = try await onThread {
                    let client = ScriptHTTP2(silentHTTP2, .client(isSecure: false))
                    let body = try client.response(client.ask("GET /")).body
                    while (try? client.event()) != nil {}
                    return (body: body, farewell: client.farewell)
                }
                #expect(last.body == "old")
                #expect(last.farewell == .noError)
                socket.send("still here")
                #expect(await socket.receive(endingWith: "still here").hasSuffix("still here"))
                await socket.close()
                try await old.ended()
                #expect(await next.ask()?.body == "new")
                #expect(FileManager.default.fileExists(atPath: path.string))
                await new.stop()
                #expect(!FileManager.default.fileExists(atPath: path.string))
            }
        }

        /// A request over a connection that then has nothing to do: how the router takes leave of it.
        private static func stay(_ port: Int, _ body: AsyncStream<String>.Continuation) async throws -> HTTP2ErrorCode?
        {
            try await onThread {
                let client = ScriptHTTP2(try ScriptSocket(port: port), .client(isSecure: false))
                body.yield(try client.response(client.ask("GET /")).body)
                body.finish()
                while (try? client.event()) != nil {}
                return client.farewell
            }
        }

        @Test(arguments: Driver.allCases) func `closes what is idle, and then what lasts, when its time is over`(
            driver: Driver
        ) async throws {
            try await withOrigins { oldOrigin, newOrigin, path in
                let old = try StartedRouter(driver, at: path, origin: oldOrigin) {
                    $0.handover?.idleGrace = .milliseconds(20)
                    $0.lingerTimeout = .milliseconds(10)
                    $0.timerResolution = .milliseconds(10)
                }
                let port = try await old.port()
                let idle = try await RawClient(port: port)
                #expect(await idle.ask() != nil)
                let socket = try await RawClient(port: port)
                socket.send("GET /ws HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
                _ = await socket.receive(endingWith: "\r\n\r\n")
                let new = try StartedRouter(driver, at: path, origin: newOrigin)
                _ = try await new.port()
                #expect(await idle.receiveAll() == "")
                socket.send("on")
                #expect(await socket.receive(endingWith: "on").hasSuffix("on"))
                // Streams have the first half of the grace for themselves, and are ended one by one in the second.
                for _ in 0..<2 {
                    await old.clock.sleepers(atLeast: 1)
                    old.clock.advance(by: .seconds(15))
                }
                _ = await socket.receiveAll()
                try await old.ended()
                await new.stop()
            }
        }

        @Test(arguments: Driver.allCases) func `that comes to nothing changes nothing`(driver: Driver) async throws {
            try await withOrigins { oldOrigin, newOrigin, path in
                let old = try StartedRouter(driver, at: path, origin: oldOrigin)
                let port = try await old.port()
                let kept = try await RawClient(port: port)
                for times in 1...3 {
                    let failing = try StartedRouter(driver, at: path)
                    await failing.log.message("router takes over")
                    let third = try StartedRouter(driver, at: path, origin: newOrigin)
                    let error = await #expect(throws: RouterError.self) { try await third.ended() }
                    #expect(error?.code == .handoverRefused)
                    #expect(error?.message.contains("Process \(getpid()) is taking over already") == true)
                    await failing.stop()
                    await old.log.message("the router that was to take over has gone; this one goes on", times: times)
                    #expect(await kept.ask()?.body == "old")
                }
                let new = try StartedRouter(driver, at: path, origin: newOrigin)
                #expect(try await new.port() == port)
                let last = await kept.ask()
                #expect(last?.body == "old")
                #expect(last?.head.contains("Connection: close") == true)
                try await old.ended()
                await new.stop()
            }
        }

        @Test func `is off when the new router takes too long`() async throws {
            try await withOrigins { oldOrigin, newOrigin, path in
                let old = try StartedRouter(.own, at: path, origin: oldOrigin) {
                    $0.handover?.offerTimeout = .milliseconds(1)
                }
                let port = try await old.port()
                let slow = try StartedRouter(.own, at: path)
                await old.log.message("a router is not handed over to")
                slow.router.takeOver()
                let error = await #expect(throws: RouterError.self) { try await slow.ended() }
                #expect(error?.code == .handoverRefused)
                #expect(error?.message.contains("took too long") == true)
                #expect(try await RawClient(port: port).ask()?.body == "old")
                await old.stop()
            }
        }

        @Test func `goes on when the old router is stopped meanwhile`() async throws {
            try await withOrigins { oldOrigin, newOrigin, path in
                let old = try StartedRouter(.own, at: path, origin: oldOrigin)
                let port = try await old.port()
                let new = try StartedRouter(.own, at: path)
                await new.log.message("router takes over")
                await old.stop()
                // Nobody accepts, and still nobody is refused.
                let client = try await RawClient(port: port)
                async let answer = client.ask()
                try new.router.setOrigins([newOrigin])
                new.router.takeOver()
                #expect(await answer?.body == "new")
                await new.stop()
            }
        }

        @Test(arguments: Driver.allCases) func `leaves out what the new router is not to listen on`(driver: Driver)
            async throws
        {
            func listeners(_ hosts: String...) -> [Router.Listener] { hosts.map { .init(host: $0, port: 0) } }
            try await withOrigins { oldOrigin, newOrigin, path in
                let old = try StartedRouter(
                    driver, at: path, listeners: listeners("127.0.0.2", "127.0.0.1"), origin: oldOrigin)
                let before = try await old.router.listening()
                let new = try StartedRouter(
                    driver, at: path, listeners: listeners("127.0.0.1", "127.0.0.3"), origin: newOrigin)
                let after = try await new.router.listening()
                try await old.ended()
                #expect(after[0] == before[1])
                #expect(after[1].hasPrefix("127.0.0.3:"))
                #expect(try await RawClient(port: try await new.port()).ask()?.body == "new")
                // Nobody listens there any more, so the port is free.
                let free = Router.Listener(before[0])
                let socket = try ListeningSocket(try #require(free), backlog: 1)
                #expect(socket.address.description == before[0])
                await new.stop()
            }
        }

        @Test(arguments: Driver.allCases) func `fails no request of a steady load, twenty times in a row`(
            driver: Driver
        )
            async throws
        {
            let origin = try await TestOrigin { _ in .echo }
            try await withTemporaryDirectory { directory in
                let path = directory.appending("router.sock")
                var current = try StartedRouter(driver, at: path, origin: origin)
                let port = try await current.port()
                let load = SteadyLoad(port: port)
                let problems = try await load.run {
                    for _ in 1...20 where !load.hasFailed {
                        await load.progress()
                        let next = try StartedRouter(driver, at: path, origin: origin)
                        #expect(try await next.port() == port)
                        await load.progress()
                        try await current.ended()
                        current = next
                    }
                }
                #expect(problems == [])
                await current.stop()
            }
            await origin.stop()
        }

        @Test func `between loops of its own and those of SwiftNIO works both ways`() async throws {
            try await withOrigins { oldOrigin, newOrigin, path in
                let first = try StartedRouter(.own, at: path, origin: oldOrigin)
                let port = try await first.port()
                let second = try StartedRouter(.channels, at: path, origin: newOrigin)
                #expect(try await second.port() == port)
                try await first.ended()
                #expect(try await RawClient(port: port).ask()?.body == "new")
                let third = try StartedRouter(.own, at: path, origin: oldOrigin)
                #expect(try await third.port() == port)
                #expect(try await RawClient(port: port).ask()?.body == "old")
                await second.stop()
                await third.stop()
            }
        }
    }

    @Suite(.timeLimit(.minutes(1))) struct `The path of a hand-over` {
        @Test func `is for its user alone, and replaces what a killed router has left`() async throws {
            try await withOrigins { origin, _, path in
                for _ in 0..<2 {
                    let router = try StartedRouter(.own, at: path, origin: origin)
                    _ = try await router.port()
                    let mode = try FileManager.default.attributesOfItem(atPath: path.string)[.posixPermissions]
                    #expect(mode as? Int == 0o600)
                    await router.stop()
                    #expect(!FileManager.default.fileExists(atPath: path.string))
                    // A socket on which nobody listens.
                    let left = try HandoverPath(path)
                    try left.publish()
                    #expect(link(path.string, path.string + ".kept") == 0)
                    left.remove()
                    #expect(rename(path.string + ".kept", path.string) == 0)
                }
            }
        }

        @Test func `is not taken from a file`() async throws {
            try await withOrigins { origin, _, path in
                try Data("precious".utf8).write(to: URL(fileURLWithPath: path.string))
                let router = try StartedRouter(.own, at: path, origin: origin)
                let error = await #expect(throws: RouterError.self) { try await router.ended() }
                #expect(error?.code == .handoverFailed)
                #expect(try String(contentsOfFile: path.string, encoding: .utf8) == "precious")
            }
        }

        @Test(arguments: ["relative/path", "/" + String(repeating: "x", count: 90), "/nowhere/at/all"])
        func `is refused where nothing can listen`(path: String) async throws {
            let router = try StartedRouter(.own, at: FilePath(path))
            let error = await #expect(throws: RouterError.self) { try await router.ended() }
            #expect([.invalidConfiguration, .handoverFailed].contains(error?.code))
            #expect(error?.message.contains(path) == true)
        }

        @Test func `is not answered by something else for ever`() async throws {
            try await withOrigins { origin, _, path in
                let other = try HandoverPath(path)
                try other.publish()
                let router = try StartedRouter(.own, at: path, origin: origin) {
                    $0.handover?.answerTimeout = .milliseconds(1)
                }
                let error = await #expect(throws: RouterError.self) { try await router.ended() }
                #expect(error?.code == .handoverFailed)
                #expect(error?.message.contains("did not answer") == true)
            }
        }
    }

    @Suite(.timeLimit(.minutes(1))) struct `A socket that was passed on` {
        @Test(arguments: Driver.allCases) func `is listened on`(driver: Driver) async throws {
            try await withOrigins { origin, _, path in
                let given = try ListeningSocket(Router.Listener(host: "127.0.0.1", port: 0), backlog: 16)
                let descriptor = dup(given.descriptor)
                let early = try await RawClient(port: given.port)
                let router = try StartedRouter(
                    driver, at: path, listeners: [.init(inherited: descriptor)], origin: origin)
                #expect(try await router.port() == given.port)
                #expect(await early.ask()?.body == "old")
                await router.stop()
                #expect(fcntl(descriptor, F_GETFD) == -1, "it is closed at the end")
            }
        }

        @Test func `must be one`() async throws {
            let pipe = Foundation.Pipe()
            let router = try StartedRouter(
                .own, at: FilePath("/unused"),
                listeners: [.init(inherited: pipe.fileHandleForReading.fileDescriptor)]
            ) { $0.handover = nil }
            let error = await #expect(throws: RouterError.self) { try await router.ended() }
            #expect(error?.code == .cannotListen)
            #expect(error?.message.contains("not a TCP socket that listens") == true)
        }

        @Test(
            arguments: [
                ("127.0.0.1:80", "127.0.0.1:80"), ("[::1]:80", "[::1]:80"), ("localhost:0", "localhost:0"),
                ("fd:3", ":0"),
                ("80", nil), ("fd:x", nil), ("unix:/a", nil), (":80", nil), ("", nil),
            ] as [(String, String?)])
        func `can be named beside addresses`(text: String, expected: String?) {
            let listener = Router.Listener(text)
            #expect(listener.map { BackendAddress.ip(host: $0.host, port: $0.port).description } == expected)
            #expect(listener?.descriptor == (text == "fd:3" ? 3 : nil))
        }
    }
#endif
