import Foundation
import Logging
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import GitReceiver

/// What becomes of objects that no reference reaches, over days.
@Suite(.needsGit, .timeLimit(.minutes(1)))
struct `An object that nothing reaches` {
    /// The time of day, which a test moves.
    final class Days: Sendable {
        private let date = Mutex(Date(timeIntervalSince1970: 1_800_000_000))
        var now: Date { self.date.withLock { $0 } }
        func pass(_ days: Double) { self.date.withLock { $0 += days * 86_400 } }
    }

    private func withDays(
        configure: (inout GitServer.Configuration) -> Void = { _ in },
        _ body: (Fixture, Days, FilePath) async throws -> Void
    ) async throws {
        let days = Days()
        try await withFixture {
            $0.now = { days.now }
            configure(&$0)
        } _: { fixture in
            let work = try await fixture.workTree()
            try await fixture.push(work, "main")
            try await body(fixture, days, work)
        }
    }

    @Test func `has all of its time again when it was pushed again`() async throws {
        try await self.withDays { fixture, days, work in
            try await fixture.commit(["a": "b"], "side", in: work)
            let lost = try await fixture.git("rev-parse", "HEAD", in: work)
            for _ in 0..<3 {
                try await fixture.push(work, "main:side")
                try await fixture.push(work, ":side")
                let report = try await fixture.server.maintain("app")
                #expect(report.keptObjects == 3 && report.prunedObjects == 0, "\(report)")
                #expect(try await fixture.has(lost))
                days.pass(13)
            }
            days.pass(2)
            #expect(try await fixture.server.maintain("app").prunedObjects == 3)
            #expect(try await !fixture.has(lost))
        }
    }

    @Test func `stays as long as another builds on it`() async throws {
        try await self.withDays { fixture, days, work in
            try await fixture.commit(["a": "b"], "old", in: work)
            let old = try await fixture.git("rev-parse", "HEAD", in: work)
            try await fixture.push(work, "main:old")
            try await fixture.push(work, ":old")
            try await fixture.server.maintain("app")

            // As from a client that has seen the references before they went.
            days.pass(5)
            var writer = PackWriter()
            let oid = try #require(ObjectID(old))
            let new = writer.commit(writer.tree([]), parents: [(0..<20).map { oid.byte(at: $0) }])
            let client = RawClient(server: fixture.server)
            let answer = try await client.push(new, writer.finished(), to: "refs/heads/new")
            #expect(answer.report == ["unpack ok", "ok refs/heads/new"])
            try await fixture.push(work, ":new")
            try await fixture.server.maintain("app")

            days.pass(10)
            let report = try await fixture.server.maintain("app")
            #expect(report.prunedObjects == 0 && report.keptObjects == 3, "\(report)")
            #expect(try await fixture.has(old))
            #expect(try await fixture.faults() == "")
            // Who has it says so, and then the server reads the history below it.
            let main = try await fixture.git("rev-parse", "main", in: fixture.repository)
            let fetched = try await RawFetch(wants: [main], haves: [PackWriter.hex(new)]).run(fixture.server)
            #expect(fetched.error == "")

            days.pass(15)
            #expect(try await fixture.server.maintain("app").prunedObjects == 5)
            #expect(try await !fixture.has(old))
            #expect(try await fixture.faults() == "")
        }
    }

    @Test func `has all of its time again when it was reached meanwhile, in a pack of the same name`() async throws {
        try await self.withDays { fixture, days, work in
            // What is put aside, and is later all that there is.
            try await fixture.commit(["a": "1"], "one", in: work)
            try await fixture.commit(["a": "2"], "two", in: work)
            let first = try await fixture.git("rev-list", "--max-parents=0", "HEAD", in: work)
            let last = try await fixture.git("rev-parse", "HEAD", in: work)
            try await fixture.push(work, "main")
            let other = try await fixture.workTree("other", files: ["x": "y"])
            try await fixture.push(other, "+main:main")
            #expect(try await fixture.server.maintain("app").keptObjects > 0)
            let aside = fixture.packs
            try await fixture.push(work, "+\(first):refs/heads/main")
            try await fixture.push(work, "\(last):refs/heads/main")
            try await fixture.server.maintain("app")
            #expect(!Set(aside).isDisjoint(with: fixture.packs))
            days.pass(13)
            try await fixture.push(other, "+main:main")
            days.pass(2)
            #expect(try await fixture.server.maintain("app").prunedObjects == 0)
            #expect(try await fixture.has(last))
        }
    }

    @Test func `makes no repository due for maintenance again and again`() async throws {
        try await self.withDays {
            $0.maintenance.packs = 3
        } _: { fixture, _, work in
            for number in 0..<4 {
                try await fixture.commit(["a": "\(number)"], "\(number)", in: work)
                try await fixture.push(work, "HEAD:side")
                try await fixture.push(work, ":side")
                try await fixture.server.maintain("app")
                try await fixture.git("reset", "-q", "--hard", "HEAD~1", in: work)
            }
            #expect(fixture.packs.count == 5)
            try await fixture.commit(["a": "b"], "next", in: work)
            try await fixture.push(work, "main")
            #expect(fixture.server.core.maintenance.ask(for: try RepositoryName("app")))
        }
    }

    @Test func `stays if another process has taken it up while the old packs were read`() async throws {
        try await self.withDays {
            $0.maintenance.grace = .zero
        } _: { fixture, _, work in
            try await fixture.commit(["a": "a"], "second", in: work)
            try await fixture.push(work, "main")
            try await fixture.commit(["a": "b"], "side", in: work)
            let side = try #require(ObjectID(try await fixture.git("rev-parse", "HEAD", in: work)))
            try await fixture.push(work, "main:side")
            try await fixture.push(work, ":side")
            var reader = try HeldLock(fixture.repository.appending(Repository.readersLock), shared: true)
            let replaced = Event()
            async let maintained = fixture.server.core.maintain(try RepositoryName("app")) { step in
                if step == .referencesPacked { replaced.signal() }
            }
            await replaced.wait()
            let next = try GitServer(
                configuration: .init(root: fixture.directory.appending("repositories")), handler: fixture.handler,
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            let answer = try await RawClient(server: next)
                .push((0..<20).map { side.byte(at: $0) }, PackWriter().finished(), to: "refs/heads/again")
            #expect(answer.report == ["unpack ok", "ok refs/heads/again"])
            withExtendedLifetime(reader) { reader = nil }
            let report = try await maintained
            #expect(report.notes == ["references have changed and the old packs were not removed"])
            #expect(try await fixture.faults() == "")
            #expect(try await fixture.server.maintain("app").prunedObjects == 0)
            #expect(try await fixture.faults() == "")
        }
    }

    @Test func `is found anew if the list of what was put aside is damaged`() async throws {
        try await self.withDays { fixture, _, work in
            try await fixture.commit(["a": "b"], "side", in: work)
            try await fixture.push(work, "main:side")
            try await fixture.push(work, ":side")
            try await fixture.server.maintain("app")
            let pack = try #require(fixture.packs.first).dropLast(5)
            try "\(pack) inf\n\(pack) nan\n\(pack) 1e99\n".write(
                toFile: fixture.repository.appending("unreachable-packs").string, atomically: true, encoding: .utf8)
            #expect(try await fixture.server.maintain("app").prunedObjects == 0)
            #expect(try await fixture.faults() == "")
        }
    }

    @Test func `is in nothing that a git program has noted of all packs`() async throws {
        try await self.withDays {
            $0.maintenance.grace = .zero
        } _: { fixture, _, work in
            try await fixture.commit(["a": "b"], "second", in: work)
            try await fixture.push(work, "main:side")
            try await fixture.git("multi-pack-index", "write", in: fixture.repository)
            try await fixture.git("commit-graph", "write", "--reachable", "--split", in: fixture.repository)
            try await fixture.push(work, ":side")
            let report = try await fixture.server.maintain("app")
            #expect(report.packsAfter == 1 && report.prunedObjects == 3, "\(report)")
            #expect(try await fixture.faults() == "")
        }
    }
}

extension Fixture {
    fileprivate func push(_ work: FilePath, _ spec: String) async throws {
        let output = try await self.push("slipway", spec, in: work)
        #expect(output.status == 0, "\(output.stderr)")
    }

    fileprivate func has(_ commit: String) async throws -> Bool {
        try await self.git.run(["cat-file", "-e", commit], in: self.repository).status == 0
    }
}
