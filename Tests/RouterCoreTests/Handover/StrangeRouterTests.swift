#if os(Linux)
    import Foundation
    import SystemPackage
    import TestSupport
    import Testing

    @testable import RouterCore

    /// What answers at the path as a router would, but not like this one.
    @Suite(.timeLimit(.minutes(1))) struct `A router that is handed something else` {
        /// Plays the old router on a thread.
        private static func offer(
            _ path: HandoverPath, _ message: HandoverMessage, _ descriptors: [Int32], released: Bool = true
        ) async throws {
            try await onThread {
                var waiting = pollfd(fd: path.descriptor, events: Int16(POLLIN), revents: 0)
                poll(&waiting, 1, 20_000)
                let connection = HandoverConnection(accept(path.descriptor, nil, nil))
                _ = try connection.receive(within: .seconds(20))
                try connection.send(message, descriptors)
                _ = try? connection.receive(within: .seconds(20))
                if released { try? connection.send(.released) }
            }
        }

        /// Whether nobody has the other end any more.
        private static func isAlone(_ pipe: Foundation.Pipe) -> Bool {
            try? pipe.fileHandleForWriting.close()
            var waiting = pollfd(fd: pipe.fileHandleForReading.fileDescriptor, events: 0, revents: 0)
            return poll(&waiting, 1, 20_000) == 1 && waiting.revents & Int16(POLLHUP) != 0
        }

        @Test func `closes surplus descriptors, and listens on the others`() async throws {
            let origin = try await TestOrigin { _ in .bytes("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") }
            try await withTemporaryDirectory { directory in
                let path = try HandoverPath(directory.appending("router.sock"))
                try path.publish()
                let socket = try ListeningSocket(Router.Listener(host: "127.0.0.1", port: 0), backlog: 8)
                let pipe = Foundation.Pipe()
                async let old: Void = Self.offer(
                    path, .offer(names: ["127.0.0.1:0"]),
                    [socket.descriptor, pipe.fileHandleForWriting.fileDescriptor])
                let new = try StartedRouter(.own, at: directory.appending("router.sock"), origin: origin)
                #expect(try await new.port() == socket.port)
                try await old
                #expect(Self.isAlone(pipe))
                #expect(try await RawClient(port: socket.port).ask()?.body == "ok")
                await new.stop()
            }
            await origin.stop()
        }

        @Test func `believes a refusal that crosses with its own word`() async throws {
            try await withTemporaryDirectory { directory in
                let path = try HandoverPath(directory.appending("router.sock"))
                try path.publish()
                let socket = try ListeningSocket(Router.Listener(host: "127.0.0.1", port: 0), backlog: 8)
                async let old: Void = onThread {
                    var waiting = pollfd(fd: path.descriptor, events: Int16(POLLIN), revents: 0)
                    poll(&waiting, 1, 20_000)
                    let connection = HandoverConnection(accept(path.descriptor, nil, nil))
                    _ = try connection.receive(within: .seconds(20))
                    try connection.send(.offer(names: ["127.0.0.1:0"]), [socket.descriptor])
                    // The new one says that it is ready, which is not read any more.
                    waiting = pollfd(fd: connection.descriptor, events: Int16(POLLIN), revents: 0)
                    poll(&waiting, 1, 20_000)
                    try connection.send(.refusal("Too late."))
                }
                let new = try StartedRouter(.own, at: directory.appending("router.sock"))
                new.router.takeOver()
                let error = await #expect(throws: RouterError.self) { try await new.ended() }
                #expect(error?.code == .handoverRefused)
                try await old
            }
        }

        @Test(arguments: [
            HandoverMessage.offer(names: ["127.0.0.1:0"]), .released, .refusal("Not today."), .hello,
        ]) func `ends, and leaves nothing open`(message: HandoverMessage) async throws {
            try await withTemporaryDirectory { directory in
                let path = try HandoverPath(directory.appending("router.sock"))
                try path.publish()
                let pipe = Foundation.Pipe()
                async let old: Void = Self.offer(path, message, [pipe.fileHandleForWriting.fileDescriptor])
                let new = try StartedRouter(.own, at: directory.appending("router.sock"))
                let error = await #expect(throws: RouterError.self) { try await new.ended() }
                let expected: RouterError.Code =
                    switch message {
                    case .offer: .cannotListen
                    case .refusal: .handoverRefused
                    default: .handoverFailed
                    }
                #expect(error?.code == expected)
                try await old
                #expect(Self.isAlone(pipe))
            }
        }
    }
#endif
