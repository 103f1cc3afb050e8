import AsyncHTTPClient
import Foundation
import GitReceiver
import NIOCore
import NIOHTTP1
import PlatformKit
import Synchronization
import Testing

@testable import PlatformAPI

@Suite(.timeLimit(.minutes(1)))
struct GitEndpointTests {
    @Test func `asks git for a password, and shows refusals as text`() async throws {
        try await withServer { server in
            let path = "/git/blog.git/info/refs?service=git-receive-pack"
            let answer = try await server.send("GET", path, token: nil)
            #expect(answer.status == 401)
            #expect(answer.headers["www-authenticate"]?.hasPrefix("Basic realm=\"slipway\"") == true)
            #expect(answer.headers["content-type"] == "text/plain; charset=utf-8")
            #expect(try await server.send("GET", path, token: "read-token").status == 403)
            #expect(
                try await server.send("GET", "/git/blog.git/info/refs?service=git-upload-pack", token: "read-token")
                    .status == 200)
            #expect(try await server.send("GET", "/git/nothing.git/info/refs?service=git-receive-pack").status == 404)
            server.platform.state.withLock { $0.isReady = false }
            #expect(try await server.send("GET", path).status == 503)
        }
    }

    @Test func `streams the request in and the response out`() async throws {
        try await withServer { server in
            let seen = Mutex<GitRequest?>(nil)
            server.platform.state.withLock {
                $0.git = { request, body in
                    seen.withLock { $0 = request }
                    return GitResponse(
                        status: 200, headers: [("Content-Type", "application/x-git-receive-pack-result")],
                        body: .stream { writer in
                            try await writer.write(Array("got \(body.count)".utf8))
                            for _ in 0..<1000 { try await writer.write(Array(repeating: 0x2e, count: 1000)) }
                        })
                }
            }
            let answer = try await server.send(
                "POST", "/git/blog.git/git-receive-pack", token: "deploy-token", headers: [("X-Test", "1")],
                body: String(repeating: "x", count: 300_000))
            #expect(answer.status == 200)
            #expect(answer.headers["content-type"] == "application/x-git-receive-pack-result")
            #expect(answer.body.hasPrefix("got 300000..."))
            #expect(answer.body.utf8.count == 1_000_010)
            let request = try #require(seen.withLock { $0 })
            #expect(request.method == "POST")
            #expect(request.path == "/blog.git/git-receive-pack")
            #expect(request.pusher == "dan")
            #expect(request.headers.contains { $0.name.lowercased() == "x-test" && $0.value == "1" })
        }
    }

    @Test func `cancels a push when git goes away`() async throws {
        try await withServer { server in
            let (ended, signal) = AsyncStream<String>.makeStream()
            server.platform.state.withLock {
                $0.git = { _, _ in
                    GitResponse(
                        status: 200, headers: [],
                        body: .stream { writer in
                            try await writer.write(Array("begun".utf8))
                            do {
                                try await Task.sleep(for: .seconds(3600))
                            } catch {
                                signal.yield("cancelled")
                                throw error
                            }
                        })
                }
            }
            var request = HTTPClientRequest(url: server.url + "/git/blog.git/git-receive-pack")
            request.method = .POST
            request.headers.add(name: "Authorization", value: "Bearer admin-token")
            request.body = .bytes(ByteBuffer(string: "pack"))
            do {
                let response = try await server.httpClient.execute(request, timeout: .seconds(30))
                // Leaving the loop drops the response, and with it the connection.
                for try await _ in response.body { break }
            }
            for await outcome in ended {
                #expect(outcome == "cancelled")
                break
            }
        }
    }

    @Test func `answers Expect only to those who may come in`() async throws {
        try await withServer { server in
            func begin(_ token: String) async throws -> String {
                try await rawExchange(
                    server.url,
                    "POST /git/blog.git/git-receive-pack HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(token)\r\n"
                        + "Expect: 100-continue\r\nContent-Length: 4\r\n\r\n")
            }
            let welcome = try await begin("admin-token")
            #expect(welcome.hasPrefix("HTTP/1.1 100 Continue\r\n"))
            let refusal = try await begin("wrong")
            #expect(refusal.hasPrefix("HTTP/1.1 401 Unauthorized\r\n"))
        }
    }
}
