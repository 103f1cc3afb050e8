#if os(Linux)
    import Foundation
    import SystemPackage
    import TestSupport
    import Testing

    @testable import RouterCore

    @Suite(.timeLimit(.minutes(1))) struct `An upgrade of the router's process` {
        private static func withSetting(
            _ body: (_ arguments: [String]) async throws -> Void
        ) async throws {
            let origin = try await TestOrigin { $0.path == "/ws" ? .tunnel : .echo }
            try await withTemporaryDirectory { directory in
                try await body([
                    "--listen", "127.0.0.1:0", "--handover", directory.appending("router.sock").string,
                    "a=127.0.0.1:\(origin.address.port)",
                ])
            }
            await origin.stop()
        }

        /// Starts one and waits until it accepts: its port.
        private static func start(_ arguments: [String]) async throws -> (RouterProcess, port: Int) {
            let process = try RouterProcess(arguments)
            try #require(await process.said("router listens"), "\(process.text)")
            let address = try #require(process.text.firstMatch(of: /router\.address=127\.0\.0\.1:(\d+)/))
            return (process, try #require(Int(address.1)))
        }

        @Test func `refuses no connection and fails no request, twenty times in a row`() async throws {
            try await Self.withSetting { arguments in
                let (first, port) = try await Self.start(arguments)
                let socket = try await RawClient(port: port)
                socket.send("GET /ws HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
                _ = await socket.receive(endingWith: "\r\n\r\n")
                let load = SteadyLoad(port: port)
                var current = first
                let problems = try await load.run {
                    for number in 1...20 where !load.hasFailed {
                        await load.progress()
                        let (next, nextPort) = try await Self.start(arguments)
                        #expect(nextPort == port)
                        await load.progress()
                        // Only the first one still has something to do.
                        if number > 1 { #expect(await current.ended() == 0, "\(current.text)") }
                        current = next
                        socket.send("[\(number)]")
                        #expect(await socket.receive(endingWith: "[\(number)]").hasSuffix("[\(number)]"))
                    }
                }
                #expect(problems == [])
                #expect(load.answered.count == SteadyLoad.Kind.allCases.count)
                #expect(load.answered.values.allSatisfy { $0 >= 40 })
                await socket.close()
                #expect(await first.ended() == 0)
                await current.kill()
            }
        }

        @Test func `needs nothing of a process that was killed`() async throws {
            try await Self.withSetting { arguments in
                let (old, oldPort) = try await Self.start(arguments)
                let client = try await RawClient(port: oldPort)
                #expect(await client.ask()?.status == 200)
                await old.kill()
                let (new, port) = try await Self.start(arguments)
                #expect(try await RawClient(port: port).ask()?.status == 200)
                await new.kill()
            }
        }
    }
#endif
