import Foundation
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import GitReceiver

/// Work that a few bytes of a request can ask for any amount of.
@Suite(.needsGit, .timeLimit(.minutes(1)))
struct `Work without an end of its own` {
    /// A clock on which a millisecond passes whenever somebody looks at it: who looks often enough sees that it is late.
    struct TickingClock: Clock {
        struct Instant: InstantProtocol {
            var elapsed: Duration
            func advanced(by duration: Duration) -> Self { Self(elapsed: self.elapsed + duration) }
            func duration(to other: Self) -> Duration { other.elapsed - self.elapsed }
            static func < (one: Self, other: Self) -> Bool { one.elapsed < other.elapsed }
        }

        private final class Ticks: Sendable { let count = Atomic(0) }
        private let ticks = Ticks()
        var minimumResolution: Duration { .zero }
        var now: Instant {
            Instant(elapsed: .milliseconds(self.ticks.count.add(1, ordering: .relaxed).newValue))
        }
        func sleep(until deadline: Instant, tolerance: Duration?) async throws { try await waitForCancellation() }
    }

    @Test func `is what thousands of histories take to be compared`() async throws {
        try await withFixture {
            $0.clock = TickingClock()
            $0.limits.checkingTime = .milliseconds(500)
        } _: { fixture in
            var writer = PackWriter()
            let commit = writer.commit(writer.tree([]))
            let client = RawClient(server: fixture.server)
            func commands(_ count: Int) -> [UInt8] {
                (0..<count).flatMap { number in
                    PktLine.encode(
                        "\(ObjectID.zero) \(PackWriter.hex(commit)) refs/heads/\(count)-\(number)"
                            + (number == 0 ? "\0report-status side-band-64k" : ""))
                }
            }
            let few = try await client.send(
                "POST", "/app.git/git-receive-pack", body: commands(3) + PktLine.flush + writer.finished())
            #expect(few.report.first == "unpack ok")
            let many = try await client.send(
                "POST", "/app.git/git-receive-pack", body: commands(1000) + PktLine.flush + PackWriter().finished(),
                chunk: 100_000)
            #expect(many.report.first?.contains("took longer than") == true, "\(many.report.prefix(3))")
        }
    }

    @Test func `is what thousands of unknown ends of a history take to be looked for`() async throws {
        try await withFixture {
            $0.clock = TickingClock()
            $0.limits.fetchTime = .milliseconds(500)
        } _: { fixture in
            var writer = PackWriter()
            let commit = writer.commit(writer.tree([]))
            _ = try await RawClient(server: fixture.server).push(commit, writer.finished())
            func fetch(_ count: Int) async throws -> RawFetch.Answer {
                let ends = (0..<count).map { "shallow \(String(repeating: "a", count: 36))\(1000 + $0)" }
                return try await RawFetch(wants: [PackWriter.hex(commit)], options: ends).run(fixture.server)
            }
            #expect(try await fetch(3).error == "")
            #expect(try await fetch(1000).error.contains("took longer than"))
        }
    }

    @Test(arguments: [false, true])
    func `is no reason to hold a file open for each reference`(atomic: Bool) async throws {
        try await withFixture { fixture in
            let work = try await fixture.workTree()
            let head = try await fixture.git("rev-parse", "HEAD", in: work)
            let refs = (0..<500).map { "\(head) refs/heads/b\(1000 + $0)\n" }
            try ("# pack-refs with: peeled fully-peeled sorted \n" + refs.joined())
                .write(toFile: work.appending(".git/packed-refs").string, atomically: true, encoding: .utf8)
            // A reference that is locked has a file of that name, and it is open.
            let heads = fixture.repository.appending("refs").appending("heads")
            let most = Mutex(0)
            let watch = Task { @concurrent in
                while !Task.isCancelled {
                    let locked = Files.list(heads).count { $0.hasSuffix(".lock") }
                    most.withLock { $0 = max($0, locked) }
                    await Task.yield()
                }
            }
            let output = try await fixture.git.run(
                ["push", "slipway", "--all"] + (atomic ? ["--atomic"] : []), in: work)
            watch.cancel()
            await watch.value
            #expect(output.status == 0, "\(output.stderr)")
            #expect(try await fixture.server.branches(of: "app").count == 501)
            #expect(most.withLock { $0 } <= 100)
        }
    }
}
