import Foundation
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import GitReceiver

/// More clients than the server serves at once, and clients that take nothing.
@Suite(.needsGit, .timeLimit(.minutes(2)))
struct `A crowd` {
    /// A client that does with what comes to it as a test says.
    struct Writer: GitBodyWriter {
        let take: @Sendable ([UInt8]) async throws -> Void
        func write(_ bytes: [UInt8]) async throws { try await self.take(bytes) }
    }

    private func fetch(
        _ fixture: Fixture, _ commit: String, _ take: @escaping @Sendable ([UInt8]) async throws -> Void
    ) async throws {
        let body =
            PktLine.encode("command=fetch") + PktLine.delimiter + PktLine.encode("want \(commit)\n")
            + PktLine.encode("done\n") + PktLine.flush
        let request = GitRequest(
            method: "POST", path: "/app.git/git-upload-pack", headers: [("Git-Protocol", "version=2")])
        let response = try await fixture.server.respond(to: request, body: RawClient.Chunks(body, size: 100))
        switch response.body {
        case .bytes(let bytes): try await take(bytes)
        case .stream(let stream): try await stream(Writer(take: take))
        }
    }

    private func pushed(_ fixture: Fixture) async throws -> String {
        let work = try await fixture.workTree()
        #expect(try await fixture.push("slipway", "main", in: work).status == 0)
        return try await fixture.git("rev-parse", "HEAD", in: work)
    }

    private func clone(_ fixture: Fixture, _ name: String, version: String = "2") async throws -> GitClient.Output {
        try await fixture.git.run(
            ["-c", "protocol.version=\(version)", "clone", fixture.url, name], in: fixture.directory)
    }

    @Test(arguments: ["0", "2"])
    func `of fetches is sent away in words, until there is a place`(version: String) async throws {
        try await withFixture {
            $0.limits.fetches = 1
            $0.limits.waitingFetches = 0
        } _: { fixture in
            let commit = try await self.pushed(fixture)
            let (taken, release) = (Event(), Event())
            async let slow: Void = self.fetch(fixture, commit) { _ in
                taken.signal()
                await release.wait()
            }
            await taken.wait()
            let refused = try await self.clone(fixture, "refused", version: version)
            #expect(refused.status != 0)
            #expect(
                refused.stderr.contains(
                    "503: the git server has too many fetches at once (1); try again in a minute."),
                "\(refused.stderr)")
            // A request that comes all the same is answered in the protocol.
            let late = Mutex("")
            try await self.fetch(fixture, commit) { bytes in
                late.withLock { $0 += String(decoding: bytes, as: UTF8.self) }
            }
            #expect(late.withLock { $0 }.contains("ERR 503: the git server has too many fetches"))
            release.signal()
            try await slow
            let accepted = try await self.clone(fixture, "accepted", version: version)
            #expect(accepted.status == 0, "\(accepted.stderr)")
        }
    }

    @Test func `member that vanishes gives its place back`() async throws {
        struct Gone: Error {}
        try await withFixture {
            $0.limits.fetches = 1
            $0.limits.waitingFetches = 0
        } _: { fixture in
            let commit = try await self.pushed(fixture)
            for _ in 0..<3 {
                await #expect(throws: (any Error).self) { try await self.fetch(fixture, commit) { _ in throw Gone() } }
            }
            // A response that nobody asks the body of holds nothing either.
            let request = GitRequest(
                method: "POST", path: "/app.git/git-upload-pack", headers: [("Git-Protocol", "version=2")])
            let body = PktLine.encode("command=fetch") + PktLine.delimiter + PktLine.encode("want \(commit)\n")
            _ = try await fixture.server.respond(
                to: request, body: RawClient.Chunks(body + PktLine.encode("done\n") + PktLine.flush, size: 100))
            let accepted = try await self.clone(fixture, "accepted")
            #expect(accepted.status == 0, "\(accepted.stderr)")
        }
    }

    /// From the reply, which may be long, to the flush at the end.
    @Test(arguments: 0..<4)
    func `member that takes nothing loses its place`(taken: Int) async throws {
        let clock = ManualClock()
        try await withFixture {
            $0.clock = clock
            $0.limits.fetches = 1
            $0.limits.waitingFetches = 0
            $0.limits.stallTime = .seconds(60)
            $0.keepAliveInterval = .seconds(30)
        } _: { fixture in
            // Pushed without the real client, whose keep-alives would wait for the clock as well.
            var writer = PackWriter()
            let commit = writer.commit(writer.tree([]))
            _ = try await RawClient(server: fixture.server).push(commit, writer.finished())
            let writes = Mutex(0)
            let stuck = Event()
            let slow = Task {
                try await self.fetch(fixture, PackWriter.hex(commit)) { _ in
                    guard
                        writes.withLock({
                            $0 += 1; return $0
                        }) > taken
                    else { return }
                    stuck.signal()
                    try await waitForCancellation()
                }
            }
            await stuck.wait()
            for _ in 0..<2 {
                await clock.sleepers(atLeast: 1)
                clock.advance(by: .seconds(30))
            }
            await #expect { try await slow.value } throws: { error in
                (error as? GitReceiverError)?.code == .clientGone
            }
            let place = try await fixture.server.core.fetches.enter()
            withExtendedLifetime(place) {}
        }
    }

    @Test func `of a thousand fetches waits its turn`() async throws {
        /// How many fetches have begun and not ended.
        final class Count: Sendable {
            let state = Mutex((now: 0, most: 0, bytes: 0))
            func begin() { self.state.withLock { $0 = ($0.now + 1, max($0.most, $0.now + 1), $0.bytes) } }
            func end() { self.state.withLock { $0.now -= 1 } }
            func add(_ bytes: Int) { self.state.withLock { $0.bytes += bytes } }
        }
        let count = Count()
        try await withFixture {
            $0.limits.fetches = 8
            $0.limits.waitingFetches = 1000
        } _: { fixture in
            let commit = try await self.pushed(fixture)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<1000 {
                    group.addTask {
                        try await self.fetch(fixture, commit) { bytes in
                            if bytes == PktLine.encode("packfile\n") { count.begin() }
                            if bytes == PktLine.flush { count.end() }
                            count.add(bytes.count)
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
        let seen = count.state.withLock { $0 }
        #expect((1...8).contains(seen.most) && seen.now == 0 && seen.bytes > 1000 * 100, "\(seen)")
    }

    @Test func `of pushes waits its turn, and is sent away in words beyond that`() async throws {
        try await withFixture {
            $0.limits.pushes = 2
            $0.limits.waitingPushes = 20
        } _: { fixture in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<20 {
                    group.addTask {
                        let work = try await fixture.workTree("work\(number)", files: ["n": "\(number)"])
                        let output = try await fixture.push(
                            "slipway", number == 0 ? "main" : "main:refs/heads/b\(number)", in: work)
                        #expect(output.status == 0, "\(output.stderr)")
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await fixture.server.branches(of: "app").count == 20)
            #expect(try await fixture.faults() == "" && fixture.quarantines.isEmpty)
        }
        try await withFixture {
            $0.limits.pushes = 1
            $0.limits.waitingPacks = 0
        } _: { fixture in
            let place = try await fixture.server.core.packs.enter()
            let work = try await fixture.workTree()
            let refused = try await fixture.push("slipway", "main", in: work)
            #expect(refused.stderr.contains("503: the git server has too many pushes at once (1)"), "\(refused.stderr)")
            var writer = PackWriter()
            let commit = writer.commit(writer.tree([]))
            let late = try await RawClient(server: fixture.server).push(commit, writer.finished())
            #expect(late.text.contains("503: the git server has too many pushes"))
            withExtendedLifetime(place) {}
        }
    }

    /// A body whose end comes a byte at a time, each after something a test does.
    struct Dribble: AsyncSequence, Sendable {
        let first: [UInt8]
        let before: @Sendable () throws -> Void
        struct AsyncIterator: AsyncIteratorProtocol {
            var first: [UInt8]?
            var left = 1000
            let before: @Sendable () throws -> Void
            mutating func next() async throws -> [UInt8]? {
                if let first = self.first {
                    self.first = nil
                    return first
                }
                try self.before()
                self.left -= 1
                return self.left < 0 ? nil : [0]
            }
        }
        func makeAsyncIterator() -> AsyncIterator { AsyncIterator(first: self.first, before: self.before) }
    }

    private func text(_ response: GitResponse) async throws -> String {
        switch response.body {
        case .bytes(let bytes): return String(decoding: bytes, as: UTF8.self)
        case .stream(let stream):
            let collector = RawClient.Collector { _ in }
            try await stream(collector)
            return String(decoding: collector.bytes.withLock { $0 }, as: UTF8.self)
        }
    }

    @Test(arguments: [GitRoute.Service.uploadPack, .receivePack])
    func `member that sends a byte now and then loses its place`(service: GitRoute.Service) async throws {
        let clock = ManualClock()
        try await withFixture {
            $0.clock = clock
        } _: { fixture in
            let pieces = Mutex(0)
            let command = "\(ObjectID.zero) \(String(repeating: "a", count: 40)) refs/heads/main\0report-status"
            let push = PktLine.encode(command) + PktLine.flush + Array("PACK".utf8) + [0, 0, 0, 2, 0, 0]
            let body = Dribble(first: service == .receivePack ? push : Array("00".utf8)) {
                pieces.withLock { $0 += 1 }
                clock.advance(by: .seconds(30))
            }
            let request = GitRequest(method: "POST", path: "/app.git/\(service.rawValue)")
            let answer = try await self.text(try await fixture.server.respond(to: request, body: body))
            #expect(answer.contains("The client sends fewer than 8192 bytes a second"), "\(answer)")
            #expect(pieces.withLock { $0 } < 10)
        }
    }

    @Test func `member whose pack is empty holds no place while its push is decided`() async throws {
        let gate = Mutex<Gate?>(nil)
        let rooms = Mutex<[Bool]>([])
        let handler = ScriptedHandler { _, _ in
            rooms.withLock { $0.append((try? gate.withLock { $0 }?.requireRoom()) != nil) }
            return .accept
        }
        try await withFixture(handler: handler) {
            $0.limits.pushes = 1
            $0.limits.waitingPacks = 0
        } _: { fixture in
            gate.withLock { $0 = fixture.server.core.packs }
            var writer = PackWriter()
            let commit = writer.commit(writer.tree([]))
            for (branch, pack) in [("main", writer), ("again", PackWriter())] {
                let answer = try await RawClient(server: fixture.server).push(
                    commit, pack.finished(), to: "refs/heads/\(branch)")
                #expect(answer.report == ["unpack ok", "ok refs/heads/\(branch)"])
            }
            #expect(rooms.withLock { $0 } == [true, true])
        }
    }

    @Test func `member that sends what is refused holds no place`() async throws {
        try await withFixture {
            $0.limits.pushes = 1
            $0.limits.waitingPacks = 0
        } _: { fixture in
            let command = "\(ObjectID.zero) \(String(repeating: "a", count: 40)) refs/heads/main\0report-status"
            let pieces = Mutex(0)
            let free = Mutex(0)
            let body = Dribble(first: PktLine.encode(command) + PktLine.flush + Array("no pack at all".utf8)) {
                pieces.withLock { $0 += 1 }
                if (try? fixture.server.core.packs.requireRoom()) != nil { free.withLock { $0 += 1 } }
            }
            let request = GitRequest(method: "POST", path: "/app.git/git-receive-pack")
            let answer = try await self.text(try await fixture.server.respond(to: request, body: body))
            #expect(answer.contains("not a pack"), "\(answer)")
            #expect(pieces.withLock { $0 } == 1001 && free.withLock { $0 } == 1001)
        }
    }
}
