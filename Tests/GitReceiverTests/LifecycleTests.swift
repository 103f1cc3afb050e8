import Foundation
import Logging
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import GitReceiver

#if canImport(Glibc)
    import Glibc
#endif

@Suite(.needsGit, .timeLimit(.minutes(2)))
struct `While a handler decides` {
    @Test func `a client that is killed cancels it and leaves nothing`() async throws {
        let building = Event()
        let cancelled = Event()
        let handler = ScriptedHandler { _, progress in
            try await progress.write("building\n")
            building.signal()
            defer { cancelled.signal() }
            try await waitForCancellation()
            return .accept
        }
        try await withFixture(handler: handler) {
            $0.keepAliveInterval = .milliseconds(20)
        } _: { fixture in
            let work = try await fixture.workTree()
            let process = Mutex<Int32>(0)
            async let output = fixture.git.run(["push", "slipway", "main"], in: work) { pid in
                process.withLock { $0 = pid }
            }
            await building.wait()
            let pid = process.withLock { $0 }
            // The whole group: git's helper for HTTP would live on.
            if kill(-pid, SIGKILL) != 0 { kill(pid, SIGKILL) }
            await cancelled.wait()
            #expect(try await output.status != 0)
            // The next push waits until the first is cleaned up.
            try await fixture.server.removeRepository("app")
            #expect(!fixture.server.repositoryExists("app"))
        }
    }

    @Test func `silence is filled with packets that git ignores`() async throws {
        let clock = ManualClock()
        let handler = ScriptedHandler { _, progress in
            for _ in 0..<3 {
                await clock.sleepers(atLeast: 1)
                clock.advance(by: .seconds(5))
            }
            try await progress.write("done\n")
            return .accept
        }
        try await withFixture(handler: handler) {
            $0.clock = clock
        } _: { fixture in
            let output = try await fixture.push("slipway", "main", in: try await fixture.workTree())
            #expect(output.status == 0, "\(output.stderr)")
            #expect(output.stderr.contains("remote: done"))
        }
    }

    @Test func `the next push waits and is told so`() async throws {
        let (first, release, waiting) = (Event(), Event(), Event())
        let running = Mutex((now: 0, most: 0))
        let handler = ScriptedHandler { _, _ in
            running.withLock {
                $0.now += 1
                $0.most = max($0.most, $0.now)
            }
            defer { running.withLock { $0.now -= 1 } }
            first.signal()
            await release.wait()
            return .accept
        }
        try await withFixture(handler: handler) { fixture in
            let work = try await fixture.workTree()
            async let output = fixture.push("slipway", "main", in: work)
            await first.wait()
            var writer = PackWriter()
            let commit = writer.commit(writer.tree([]))
            let pack = writer.finished()
            let client = RawClient(server: fixture.server)
            async let answer = client.push(commit, pack, to: "refs/heads/two") { bytes in
                if bytes.contains("Waiting for another push".utf8) { waiting.signal() }
            }
            await waiting.wait()
            release.signal()
            let (status, report) = (try await output.status, try await answer.report)
            #expect(status == 0)
            #expect(report == ["unpack ok", "ok refs/heads/two"])
            #expect(running.withLock { $0.most } == 1)
            #expect(try await fixture.server.branches(of: "app").count == 2)
        }
    }

    @Test func `the next push does not wait for ever`() async throws {
        let clock = ManualClock()
        let (first, release) = (Event(), Event())
        let handler = ScriptedHandler { _, _ in
            first.signal()
            await release.wait()
            return .accept
        }
        try await withFixture(handler: handler) {
            $0.clock = clock
            $0.keepAliveInterval = .seconds(1_000_000)
            $0.pushWait = .seconds(60)
        } _: { fixture in
            var writer = PackWriter()
            let commit = writer.commit(writer.tree([]))
            let pack = writer.finished()
            let client = RawClient(server: fixture.server)
            async let one = client.push(commit, pack)
            await first.wait()
            async let two = client.push(commit, pack, to: "refs/heads/two")
            // Both keep-alives and the second's patience.
            await clock.sleepers(atLeast: 3)
            clock.advance(by: .seconds(61))
            let refusal = try await two.report
            #expect(refusal == ["unpack ok", "ng refs/heads/two Another push takes too long; try again later."])
            release.signal()
            let report = try await one.report
            #expect(report == ["unpack ok", "ok refs/heads/main"])
        }
    }

    @Test func `cancelling the request's task cancels it and removes the objects`() async throws {
        let building = Event()
        let handler = ScriptedHandler { _, _ in
            building.signal()
            try await waitForCancellation()
            return .accept
        }
        try await withFixture(handler: handler) { fixture in
            var writer = PackWriter()
            let commit = writer.commit(writer.tree([]))
            let pack = writer.finished()
            let client = RawClient(server: fixture.server)
            await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { _ = try await client.push(commit, pack) }
                await building.wait()
                group.cancelAll()
                await #expect(throws: (any Error).self) { try await group.next() }
            }
            #expect(fixture.packs.isEmpty && fixture.quarantines.isEmpty)
            let branches = try await fixture.server.branches(of: "app")
            #expect(branches.isEmpty)
        }
    }

    @Test func `it may accept although it was cancelled, and is believed`() async throws {
        let building = Event()
        let handler = ScriptedHandler { _, _ in
            building.signal()
            try? await waitForCancellation()
            return .accept
        }
        try await withFixture(handler: handler) { fixture in
            var writer = PackWriter()
            let commit = writer.commit(writer.tree([]))
            let pack = writer.finished()
            let client = RawClient(server: fixture.server)
            await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { _ = try? await client.push(commit, pack) }
                await building.wait()
                group.cancelAll()
            }
            let branches = try await fixture.server.branches(of: "app")
            #expect(branches == ["refs/heads/main": PackWriter.hex(commit)])
        }
    }

    @Test func `of two racing pushes to one branch the second fetches first`() async throws {
        let (first, release) = (Event(), Event())
        let handler = ScriptedHandler { _, _ in
            first.signal()
            await release.wait()
            return .accept
        }
        try await withFixture(handler: handler) { fixture in
            let (one, two) = (try await fixture.workTree("one"), try await fixture.workTree("two", files: ["b": "b"]))
            async let output1 = fixture.push("slipway", "main", in: one)
            await first.wait()
            async let output2 = fixture.git.run(["-c", "push.default=current", "push", "slipway", "main"], in: two)
            release.signal()
            let (result1, result2) = try await (output1, output2)
            #expect(result1.status == 0, "\(result1.stderr)")
            #expect(result2.status != 0)
            #expect(result2.stderr.contains("(fetch first)"))
        }
    }

    @Test func `the objects are exported from quarantine, and not afterwards`() async throws {
        let kept = Mutex<Push?>(nil)
        let handler = ScriptedHandler { push, _ in
            kept.withLock { $0 = push }
            let commit = try #require(push.updates.first?.new)
            let directory = FilePath(NSTemporaryDirectory()).appending("slipway-test-\(push.id)")
            defer { try? FileManager.default.removeItem(atPath: directory.string) }
            let report = try await push.export(commit: commit, to: directory)
            #expect(report.files == 4)
            #expect(report.notes.count == 1)
            #expect(report.notes.first?.contains("Git LFS is not supported: 1 file(s)") == true)
            let attributes = try FileManager.default.attributesOfItem(atPath: directory.appending("run").string)
            #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o755)
            #expect(
                try FileManager.default.destinationOfSymbolicLink(atPath: directory.appending("link").string) == "run")
            #expect(!FileManager.default.fileExists(atPath: directory.appending("secret.txt").string))
            return .accept
        }
        try await withFixture(handler: handler) { fixture in
            let work = try await fixture.workTree(files: [
                "run": "#!/bin/sh\n", "secret.txt": "x", ".gitattributes": "secret.txt export-ignore\n",
                "logo.png": "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
            ])
            try await fixture.git("update-index", "--chmod=+x", "run", in: work)
            try FileManager.default.createSymbolicLink(
                atPath: work.appending("link").string, withDestinationPath: "run")
            try await fixture.git("add", "link", in: work)
            try await fixture.git("commit", "-q", "-m", "modes", in: work)
            let output = try await fixture.push("slipway", "main", in: work)
            #expect(output.status == 0, "\(output.stderr)")
            let push = try #require(kept.withLock { $0 })
            await #expect(throws: GitReceiverError.self) {
                try await push.export(commit: push.updates[0].new ?? "", to: fixture.directory.appending("late"))
            }
        }
    }

    @Test func `a submodule is named and left empty`() async throws {
        let notes = Mutex<ExportReport?>(nil)
        let handler = ScriptedHandler { push, _ in
            let directory = FilePath(NSTemporaryDirectory()).appending("slipway-test-\(push.id)")
            defer { try? FileManager.default.removeItem(atPath: directory.string) }
            let report = try await push.export(commit: push.updates[0].new ?? "", to: directory)
            notes.withLock { $0 = report }
            return .accept
        }
        try await withFixture(handler: handler) { fixture in
            let work = try await fixture.workTree()
            let head = try await fixture.git("rev-parse", "HEAD", in: work)
            try await fixture.git("update-index", "--add", "--cacheinfo", "160000,\(head),vendor/lib", in: work)
            try await fixture.git("commit", "-q", "-m", "submodule", in: work)
            let output = try await fixture.push("slipway", "main", in: work)
            #expect(output.status == 0, "\(output.stderr)")
            let report = try #require(notes.withLock { $0 })
            #expect(report.submodules == ["vendor/lib"])
            #expect(report.notes.first?.contains("Git submodules are not supported: vendor/lib will be empty") == true)
        }
    }

    @Test func `leftovers of a killed process are swept at the next start`() async throws {
        try await withFixture { fixture in
            let stale = fixture.repository.appending("objects").appending("tmp_objdir-incoming-dead01")
            try FileManager.default.createDirectory(atPath: stale.string, withIntermediateDirectories: true)
            let lock = fixture.repository.appending("refs").appending("heads").appending("main.lock")
            #expect(FileManager.default.createFile(atPath: lock.string, contents: nil))
            let next = try GitServer(
                configuration: .init(root: fixture.directory.appending("repositories")), handler: fixture.handler,
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            #expect(try await next.branches(of: "app").isEmpty)
            #expect(fixture.quarantines.isEmpty)
            #expect(!FileManager.default.fileExists(atPath: lock.string))
            let output = try await fixture.push("slipway", "main", in: try await fixture.workTree())
            #expect(output.status == 0, "\(output.stderr)")
        }
    }
}

@Suite(.timeLimit(.minutes(1)))
struct `Repositories` {
    @Test(arguments: ["", "Upper", "a/b", "..", "a.b", String(repeating: "a", count: 64), "ü", "a b"])
    func `have safe names`(name: String) async throws {
        try await withFixture { fixture in
            await #expect(throws: GitReceiverError.self) { try await fixture.server.createRepository(name) }
            #expect(!fixture.server.repositoryExists(name))
        }
    }

    @Test func `are made, renamed and removed`() async throws {
        try await withFixture { fixture in
            let server = fixture.server
            await #expect { try await server.createRepository("app") } throws: {
                ($0 as? GitReceiverError)?.code == .alreadyExists
            }
            try await server.renameRepository(from: "app", to: "other")
            #expect(!server.repositoryExists("app") && server.repositoryExists("other"))
            try await server.removeRepository("other")
            #expect(!server.repositoryExists("other"))
            await #expect { try await server.branches(of: "other") } throws: {
                ($0 as? GitReceiverError)?.code == .notFound
            }
        }
    }
}
