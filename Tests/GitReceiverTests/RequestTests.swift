import TestSupport
import Testing

@testable import GitReceiver

@Suite(.timeLimit(.minutes(1)))
struct `A request` {
    @Test(arguments: [
        ("GET", "/app.git/info/refs", "service=git-receive-pack", 200),
        ("GET", "/app.git/info/refs", "service=git-upload-pack", 200),
        ("GET", "/app.git/info/refs", "", 403), ("GET", "/app.git/info/refs", "service=other", 403),
        ("POST", "/app.git/info/refs", "service=git-upload-pack", 405), ("GET", "/app.git/git-upload-pack", "", 405),
        ("GET", "/nope.git/info/refs", "service=git-upload-pack", 404),
        ("GET", "/app/info/refs", "service=git-upload-pack", 404),
        ("GET", "/../app.git/info/refs", "service=git-upload-pack", 404),
        ("GET", "/.git/info/refs", "service=git-upload-pack", 404),
        ("GET", "/app.git/HEAD", "", 404), ("GET", "/", "", 404), ("GET", "", "", 404),
        ("POST", "/app.git/git-receive-pack", "", 400),
    ])
    func `is routed or refused`(method: String, path: String, query: String, status: Int) async throws {
        try await withFixture { fixture in
            let answer = try await RawClient(server: fixture.server).send(method, path, query: query)
            #expect(answer.status == status, "\(answer.text)")
            #expect(!answer.text.contains("/tmp"))
        }
    }

    @Test func `of a flush alone is the probe before a large push`() async throws {
        try await withFixture { fixture in
            let answer = try await RawClient(server: fixture.server)
                .send("POST", "/app.git/git-receive-pack", body: PktLine.flush)
            #expect(answer.status == 200)
            #expect(answer.body.isEmpty)
        }
    }

    @Test func `may be gzipped, but not without end`() async throws {
        try await withFixture {
            $0.limits.requestBytes = 10_000
        } _: { fixture in
            let client = RawClient(server: fixture.server)
            let list =
                PktLine.encode("command=ls-refs\n") + PktLine.delimiter + PktLine.encode("symrefs\n")
                + PktLine.encode("unborn\n") + PktLine.flush
            func send(_ body: [UInt8]) async throws -> RawClient.Answer {
                try await client.send(
                    "POST", "/app.git/git-upload-pack",
                    headers: [("content-encoding", "gzip"), ("Git-Protocol", "version=2")], body: body, chunk: 5)
            }
            let answer = try await send(PackWriter.gzip(list))
            #expect(
                answer.text == "0033unborn HEAD symref-target:refs/heads/main\n0000"
                    || answer.text.contains("unborn HEAD"))
            #expect(try await send(PackWriter.gzip([UInt8](repeating: 48, count: 20_000))).status == 413)
            #expect(try await send(Array(PackWriter.gzip(list).dropLast(10))).status == 400)
            #expect(try await send(list).status == 400)
            // What follows the end would only fill the memory.
            let trailed = try await send(PackWriter.gzip(list) + [UInt8](repeating: 0, count: 10))
            #expect(trailed.status == 400 && trailed.text.contains("follows the end"), "\(trailed.text)")
        }
    }

    @Test func `for references with more prefixes than is sensible gets all of them, as from git`() async throws {
        try await withFixture { fixture in
            var writer = PackWriter()
            let commit = writer.commit(writer.tree([]))
            let client = RawClient(server: fixture.server)
            _ = try await client.push(commit, writer.finished())
            func list(_ count: Int) async throws -> String {
                let prefixes = (0..<count).flatMap { PktLine.encode("ref-prefix refs/tags/\($0)") }
                return try await client.send(
                    "POST", "/app.git/git-upload-pack", headers: [("Git-Protocol", "version=2")],
                    body: PktLine.encode("command=ls-refs") + PktLine.delimiter + prefixes + PktLine.flush
                ).text
            }
            #expect(try await list(1000) == "0000")
            #expect(try await list(1001).contains("refs/heads/main"))
        }
    }

    @Test func `for SHA-256 is answered in words`() async throws {
        try await withFixture { fixture in
            let client = RawClient(server: fixture.server)
            let zero = String(repeating: "0", count: 64)
            let push = PktLine.encode("\(zero) \(zero) refs/heads/main\0report-status object-format=sha256")
            let answer = try await client.send("POST", "/app.git/git-receive-pack", body: push + PktLine.flush)
            #expect(answer.status == 400)
            #expect(answer.text.contains("stores SHA-1 repositories"))
            let fetch = PktLine.encode("command=fetch") + PktLine.encode("object-format=sha256") + PktLine.flush
            let other = try await client.send(
                "POST", "/app.git/git-upload-pack", headers: [("Git-Protocol", "version=2")], body: fetch)
            #expect(other.text.contains("ERR This server stores SHA-1 repositories"))
        }
    }

    @Test func `that a transport breaks off leaves nothing`() async throws {
        struct Broken: AsyncSequence, Sendable {
            struct Gone: Error {}
            let bytes: [UInt8]
            struct AsyncIterator: AsyncIteratorProtocol {
                var bytes: [UInt8]?
                mutating func next() async throws -> [UInt8]? {
                    guard let bytes = self.bytes else { throw Gone() }
                    self.bytes = nil
                    return bytes
                }
            }
            func makeAsyncIterator() -> AsyncIterator { AsyncIterator(bytes: self.bytes) }
        }
        try await withFixture { fixture in
            var writer = PackWriter()
            let commit = writer.commit(writer.tree([]))
            let command = "\(ObjectID.zero) \(PackWriter.hex(commit)) refs/heads/main\0report-status"
            let body = PktLine.encode(command) + PktLine.flush + writer.finished().dropLast(25)
            let request = GitRequest(method: "POST", path: "/app.git/git-receive-pack")
            await #expect(throws: Broken.Gone.self) {
                _ = try await fixture.server.respond(to: request, body: Broken(bytes: body))
            }
            #expect(fixture.quarantines.isEmpty)
            // A response that is dropped without being streamed cleans up as well, once its last thread lets go of it.
            _ = try await fixture.server.respond(
                to: request,
                body: RawClient.Chunks(PktLine.encode(command) + PktLine.flush + writer.finished(), size: 99))
            while !fixture.quarantines.isEmpty { await Task.yield() }
        }
    }
}
