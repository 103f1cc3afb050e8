import Foundation
import PlatformClient
import PlatformKit
import PlatformWire
import Synchronization
import Testing

@testable import PlatformAPI

@Suite(.timeLimit(.minutes(1)))
struct OneOffSocketTests {
    private func pieces(_ pieces: [[UInt8]]) -> @Sendable () async -> [UInt8]? {
        let rest = Mutex(pieces[...])
        return { rest.withLock { $0.popFirst() } }
    }

    @Test func `carries input, its end, output and the status, byte for byte`() async throws {
        try await withServer { server in
            server.platform.state.withLock {
                $0.oneOff = { request, session in
                    #expect(request == OneOffRequest(command: ["cat"], environment: ["A": "b"], timeoutSeconds: 9))
                    while let bytes = await session.input?() { try await session.output(bytes) }
                    return 3
                }
            }
            let everything = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            let received = Mutex<[UInt8]>([])
            var session = AttachedSession { bytes in received.withLock { $0 += bytes } }
            session.input = self.pieces([everything, [], Array("end".utf8)])
            let result = try await server.client().run(
                OneOffRequest(command: ["cat"], environment: ["A": "b"], timeoutSeconds: 9), of: "blog",
                session: session)
            #expect(result == OneOffResult(name: "run.1", status: 3))
            #expect(received.withLock { $0 } == everything + Array("end".utf8))
        }
    }

    @Test func `carries the size of the terminal, as it changes`() async throws {
        try await withServer { server in
            server.platform.state.withLock {
                $0.oneOff = { request, session in
                    #expect(request.terminal == TerminalWindow(columns: 80, rows: 24))
                    try await session.output([1])
                    let window = await session.windows?()
                    return Int32(window?.columns ?? 0)
                }
            }
            let (windows, feed) = AsyncStream.makeStream(of: TerminalWindow.self)
            var session = AttachedSession { _ in feed.yield(TerminalWindow(columns: 132, rows: 50)) }
            session.windows = windows
            let request = OneOffRequest(command: ["vi"], terminal: TerminalWindow(columns: 80, rows: 24))
            let result = try await server.client().run(request, of: "blog", session: session)
            #expect(result.status == 132)
        }
    }

    @Test func `a client that goes away ends it`() async throws {
        struct Enough: Error {}
        try await withServer { server in
            server.platform.state.withLock {
                $0.oneOff = { _, session in
                    try await session.output([1])
                    // Until it is cancelled.
                    for await _ in AsyncStream<Never>.makeStream().stream {}
                    throw CancellationError()
                }
            }
            await #expect(throws: Enough.self) {
                _ = try await server.client().run(
                    OneOffRequest(command: ["cat"]), of: "blog", session: AttachedSession { _ in throw Enough() })
            }
            for await outcome in server.platform.outcomes {
                #expect(outcome == "cancelled")
                break
            }
        }
    }

    @Test(arguments: [("read-token", "blog", 403), ("wrong", "blog", 401), ("deploy-token", "nope", 404)])
    func `refuses as any request is refused`(token: String, application: String, status: Int) async throws {
        try await withServer { server in
            let problem = await #expect(throws: Problem.self) {
                _ = try await server.client(token).run(
                    OneOffRequest(command: ["cat"]), of: application, session: AttachedSession { _ in })
            }
            #expect(problem?.status == status)
        }
    }

    @Test func `a problem of the operation is the end`() async throws {
        try await withServer { server in
            server.platform.state.withLock { $0.oneOff = { _, _ in throw PlatformError(.refused, "no") } }
            let problem = await #expect(throws: Problem.self) {
                _ = try await server.client().run(
                    OneOffRequest(command: ["cat"]), of: "blog", session: AttachedSession { _ in })
            }
            #expect(problem?.type == "cancelled")
        }
    }

    @Test(arguments: ["nonsense\r\n\r\n", "GET /healthz HTTP/1.1\r\nContent-Length: -1\r\n\r\n"])
    func `a first request that is none is answered 400, once`(request: String) async throws {
        try await withServer { server in
            let answer = try await rawExchange(server.url, request)
            #expect(answer.hasPrefix("HTTP/1.1 400 ") && answer.split(separator: "HTTP/1.1 400 ").count == 1)
        }
    }

    @Test(arguments: [
        "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    ])
    func `whoever asks for another protocol in vain is answered all the same`(request: String) async throws {
        try await withServer { server in
            let answer = try await rawExchange(server.url, request)
            #expect(answer.hasPrefix("HTTP/1.1 200 "))
        }
    }
}
