import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import PlatformClient
import PlatformKit
import PlatformWire
import Synchronization
import SystemPackage
import Testing

@testable import PlatformAPI

@Suite(.timeLimit(.minutes(1)))
struct StreamTests {
    @Test func `sends progress as it comes, and the result last`() async throws {
        try await withServer { server in
            server.platform.state.withLock {
                $0.operation = { output in
                    try await output.line("-----> Starting")
                    try await output.line("two\nlines")
                }
            }
            let lines = Mutex<[String]>([])
            let instances = try await server.client().scale("blog", to: ["web": 3]) { line in
                lines.withLock { $0.append(line) }
            }
            #expect(instances == [FakeControlPlane.instance])
            #expect(lines.withLock { $0 } == ["-----> Starting", "two", "lines"])
            #expect(server.platform.state.withLock { $0.scaled } == [["web": 3]])
        }
    }

    @Test func `passes nulls of a config change on, and a null as the result`() async throws {
        try await withServer { server in
            let release = try await server.client().changeConfig(["A": "1", "B": nil], of: "blog") { _ in }
            #expect(release == nil)
            #expect(server.platform.state.withLock { $0.configChanges } == [["A": "1", "B": nil]])
        }
    }

    @Test func `ends with the problem when the operation fails`() async throws {
        try await withServer { server in
            server.platform.state.withLock {
                $0.operation = { output in
                    try await output.line("-----> Building")
                    throw PlatformError(.refused, "the build failed: exit status 1")
                }
            }
            let problem = await #expect(throws: Problem.self) {
                _ = try await server.client().rollback("blog", to: nil) { _ in }
            }
            #expect(problem?.detail == "the build failed: exit status 1")
            #expect(problem?.status == 422)
        }
    }

    @Test func `cancels the operation when the client goes away`() async throws {
        try await withServer { server in
            server.platform.state.withLock {
                $0.operation = { output in
                    try await output.line("begun")
                    try await Task.sleep(for: .seconds(3600))
                }
            }
            let (begun, signal) = AsyncStream<Void>.makeStream()
            await withTaskGroup(of: Void.self) { group in
                group.addTask { _ = try? await server.client().restart(nil, of: "blog") { _ in signal.yield() } }
                for await _ in begun { break }
                group.cancelAll()
            }
            for await outcome in server.platform.outcomes {
                #expect(outcome == "cancelled")
                break
            }
        }
    }

    @Test func `shows that a silent operation is alive`() async throws {
        try await withServer {
            $0.keepAliveInterval = .milliseconds(1)
        } _: { server in
            let (release, signal) = AsyncStream<Void>.makeStream()
            server.platform.state.withLock { $0.operation = { _ in for await _ in release { break } } }
            var request = HTTPClientRequest(url: server.url + "/api/v1/apps/blog/ps/restart")
            request.method = .POST
            request.headers.add(name: "Authorization", value: "Bearer admin-token")
            request.body = .bytes(ByteBuffer(string: "{}"))
            let response = try await server.httpClient.execute(request, timeout: .seconds(30))
            var text = ""
            for try await bytes in response.body {
                if text.isEmpty { signal.yield() }
                text += String(buffer: bytes)
            }
            #expect(text.hasPrefix("{\"line\":\"\"}\n"))
            #expect(text.split(separator: "\n").last?.hasPrefix("{\"result\":[") == true)
        }
    }

    @Test func `carries a one-off's output byte for byte, with its status`() async throws {
        try await withServer { server in
            let everything = (0...255).map { UInt8($0) }
            server.platform.state.withLock {
                $0.oneOff = { _, session in
                    for _ in 0..<100 { try await session.output(everything) }
                    return 3
                }
            }
            let received = Mutex<[UInt8]>([])
            let result = try await server.client().run(OneOffRequest(command: ["cat"]), of: "blog") { bytes in
                received.withLock { $0 += bytes }
            }
            #expect(result == OneOffResult(name: "run.1", status: 3))
            #expect(received.withLock { $0.count } == 25_600)
            #expect(received.withLock { Array($0.prefix(256)) } == everything)
        }
    }

    @Test func `hands out the lines of a log that were asked for`() async throws {
        try await withServer { server in
            var selection = APIClient.LogSelection()
            selection.limit = 2
            selection.sources = ["router", "app"]
            selection.process = "web.1"
            var lines: [LogLineInfo] = []
            try await server.client("read-token").logs(of: "blog", selection) { lines.append($0) }
            #expect(lines.map(\.sequence) == [2, 3])
            #expect(lines.map(\.text) == ["app+router web.1", "app+router web.1"])
        }
    }

    @Test func `follows a log until the client goes away`() async throws {
        try await withServer { server in
            struct Enough: Error {}
            var selection = APIClient.LogSelection()
            selection.tail = true
            var texts: [String] = []
            await #expect(throws: Enough.self) {
                try await server.client().logs(of: "blog", selection) { line in
                    texts.append(line.text)
                    if texts.count == 2 { throw Enough() }
                }
            }
            #expect(texts == ["first", "second"])
            for await outcome in server.platform.outcomes {
                #expect(outcome == "cancelled")
                break
            }
        }
    }

    @Test func `receives an upload into a file that is gone afterwards`() async throws {
        try await withServer { server in
            let bytes = Array((0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) })
            let seen = Mutex<(String, [String])>(("", []))
            let uploads = server.uploads
            server.platform.state.withLock {
                $0.deploy = { source in
                    let names = try FileManager.default.contentsOfDirectory(atPath: uploads.string)
                    let size = try FileManager.default.attributesOfItem(atPath: uploads.appending(names[0]).string)[
                        .size]
                    seen.withLock { $0 = (source.description, ["\(size ?? 0)"] + names.map { String($0.suffix(4)) }) }
                }
            }
            let archive = PiecesArchive(
                pieces: stride(from: 0, to: bytes.count, by: 100_000).map { Array(bytes[$0..<$0 + 100_000]) })
            let deployment = try await server.client().deploy(archive, to: "blog") { _ in }
            #expect(deployment == FakeControlPlane.deployment)
            #expect(seen.withLock { $0.0 } == "pieces")
            #expect(seen.withLock { $0.1 } == ["3000000", ".tar"])
            #expect(try FileManager.default.contentsOfDirectory(atPath: server.uploads.string).isEmpty)
        }
    }

    @Test func `refuses an upload over the limit`() async throws {
        try await withServer {
            $0.uploadLimit = 1000
        } _: { server in
            let problem = await #expect(throws: Problem.self) {
                _ = try await server.client().deploy(
                    PiecesArchive(pieces: Array(repeating: Array(repeating: 0, count: 100), count: 20)), to: "blog"
                ) { _ in }
            }
            #expect(problem?.status == 413)
            let left = try FileManager.default.contentsOfDirectory(atPath: server.uploads.string)
            #expect(left.isEmpty)
        }
    }

    @Test(arguments: [
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "Content-Length: 10\r\n\r\nhello",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhel",
    ])
    func `deploys nothing of an upload that breaks off`(rest: String) async throws {
        try await withServer { server in
            let deployed = Mutex(false)
            server.platform.state.withLock { $0.deploy = { _ in deployed.withLock { $0 = true } } }
            let answer = try await rawExchange(
                server.url,
                "POST /api/v1/apps/blog/deployments HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin-token\r\n"
                    + "Content-Type: application/x-tar\r\n" + rest, thenClose: true)
            #expect(!answer.hasPrefix("HTTP/1.1 200"))
            #expect(deployed.withLock { !$0 })
            let left = try FileManager.default.contentsOfDirectory(atPath: server.uploads.string)
            #expect(left.isEmpty)
        }
    }

    @Test func `says why an archive could not be made, not how the request broke`() async throws {
        try await withServer { server in
            struct Unreadable: Error {}
            await #expect(throws: Unreadable.self) {
                _ = try await server.client().deploy(
                    PiecesArchive(pieces: [[1, 2, 3]], failure: Unreadable()), to: "blog"
                ) { _ in }
            }
        }
    }
}

struct PiecesArchive: ArchiveSource {
    var pieces: [[UInt8]]
    var failure: (any Error)?

    var mediaType: String { "application/x-tar" }
    var description: String { "pieces" }
    var length: Int64? { nil }

    func write(to sink: @escaping @Sendable ([UInt8]) async throws -> Void) async throws {
        for piece in self.pieces { try await sink(piece) }
        if let failure { throw failure }
    }
}
