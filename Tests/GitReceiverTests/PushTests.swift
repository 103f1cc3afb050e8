import Foundation
import GitReceiver
import Synchronization
import SystemPackage
import TestSupport
import Testing

@Suite(.needsGit, .timeLimit(.minutes(2)))
struct `A push` {
    @Test func `is handed over, shown live and stored`() async throws {
        let handler = ScriptedHandler { push, progress in
            try await progress.write("-----> Building \(push.repository)\n")
            let info = try await push.commitInfo(try #require(push.updates.first?.new))
            try await progress.write("       \(info.subject) by \(info.author)\n")
            return .accept
        }
        try await withFixture(handler: handler) { fixture in
            let work = try await fixture.workTree()
            let output = try await fixture.push("slipway", "main", in: work)
            #expect(output.status == 0, "\(output.stderr)")
            #expect(output.stderr.contains("remote: -----> Building app"))
            #expect(output.stderr.contains("remote:        first commit by Ada"))
            #expect(output.stderr.contains("[new branch]      main -> main"))
            let head = try await fixture.git("rev-parse", "HEAD", in: work)
            #expect(try await fixture.server.branches(of: "app") == ["refs/heads/main": head])
            let update = try #require(handler.pushes.first?.updates.first)
            #expect(update == RefUpdate(name: "refs/heads/main", old: nil, new: head))
            #expect(update.branchName == "main")
            #expect(handler.pushes.first?.pusher == "tester")
            #expect(fixture.quarantines.isEmpty)
            #expect(try await fixture.git.run(["fsck", "--strict"], in: fixture.repository).status == 0)
        }
    }

    @Test func `that is rejected leaves nothing behind`() async throws {
        let handler = ScriptedHandler { _, _ in .reject(reason: "pre-receive hook declined") }
        try await withFixture(handler: handler) { fixture in
            let work = try await fixture.workTree()
            let output = try await fixture.push("slipway", "main", in: work)
            #expect(output.status == 1)
            #expect(output.stderr.contains(" ! [remote rejected] main -> main (pre-receive hook declined)\n"))
            #expect(try await fixture.server.branches(of: "app").isEmpty)
            #expect(fixture.packs.isEmpty)
            #expect(fixture.quarantines.isEmpty)
        }
    }

    @Test func `whose handler fails tells no server secret`() async throws {
        struct Secret: Error {}
        let handler = ScriptedHandler { _, _ in throw Secret() }
        try await withFixture(handler: handler) { fixture in
            let output = try await fixture.push("slipway", "main", in: try await fixture.workTree())
            #expect(output.stderr.contains("(the server failed to process the push; its log says why)"))
            #expect(!output.stderr.contains("Secret"))
        }
    }

    @Test func `of several references gets a verdict for each`() async throws {
        let handler = ScriptedHandler { _, _ in
            .perRef(["refs/heads/main": String?.none, "refs/heads/side": "not today"])
        }
        try await withFixture(handler: handler) { fixture in
            let work = try await fixture.workTree()
            let output = try await fixture.push("slipway", "main", "main:side", "main:other", in: work)
            #expect(output.stderr.contains("main -> main\n"))
            #expect(output.stderr.contains("! [remote rejected] main -> side (not today)"))
            #expect(output.stderr.contains("main -> other (the server did not decide about this reference)"))
            #expect(try await fixture.server.branches(of: "app").keys.sorted() == ["refs/heads/main"])
            let atomic = try await fixture.push("--atomic", "slipway", "main:a", "main:side", in: work)
            #expect(atomic.status != 0)
            #expect(try await fixture.server.branches(of: "app").keys.sorted() == ["refs/heads/main"])
        }
    }

    @Test func `can force, delete and tag`() async throws {
        try await withFixture { fixture in
            let work = try await fixture.workTree()
            try await fixture.git("tag", "-a", "v1", "-m", "one", in: work)
            try await fixture.git("tag", "light", in: work)
            let first = try await fixture.push("slipway", "main", "main:topic", "v1", "light", in: work)
            #expect(first.status == 0, "\(first.stderr)")
            try await fixture.git("commit", "-q", "--amend", "-m", "other", in: work)
            let behind = try await fixture.push("slipway", "main", in: work)
            #expect(behind.stderr.contains("non-fast-forward"))
            let forced = try await fixture.push("--force", "slipway", "main", in: work)
            #expect(forced.status == 0, "\(forced.stderr)")
            #expect(fixture.handler.pushes.last?.updates.first?.isForced == true)
            let deleted = try await fixture.push("slipway", ":topic", ":v1", in: work)
            #expect(deleted.status == 0, "\(deleted.stderr)")
            #expect(fixture.handler.pushes.last?.updates.map(\.new) == [nil, nil])
            let current = try await fixture.push("slipway", ":main", in: work)
            #expect(current.stderr.contains("(deletion of the current branch prohibited)"))
            #expect(try await fixture.server.branches(of: "app").keys.sorted() == ["refs/heads/main"])
        }
    }

    @Test func `carries its options`() async throws {
        try await withFixture { fixture in
            let work = try await fixture.workTree()
            let output = try await fixture.push("-o", "no-cache", "-o", "why=because", "slipway", "main", in: work)
            #expect(output.status == 0, "\(output.stderr)")
            #expect(fixture.handler.pushes.first?.options == ["no-cache", "why=because"])
        }
    }

    @Test func `of more than a mebibyte is probed, chunked and complete`() async throws {
        try await withFixture { fixture in
            var random = SystemRandomNumberGenerator()
            let noise = (0..<300_000).map { _ in String(random.next(), radix: 36) }.joined(separator: "\n")
            let work = try await fixture.workTree(files: ["noise.txt": noise])
            let output = try await fixture.push("slipway", "main", in: work)
            #expect(output.status == 0, "\(output.stderr)")
            let head = try await fixture.git("rev-parse", "HEAD", in: work)
            let target = fixture.directory.appending("export")
            let report = try await fixture.server.export("app", commit: head, to: target)
            #expect(report.files == 1)
            #expect(FileManager.default.contents(atPath: target.appending("noise.txt").string) == Data(noise.utf8))
        }
    }

    @Test func `may be thin`() async throws {
        try await withFixture { fixture in
            let lines = (0..<2000).map { "line \($0) of many" }
            let work = try await fixture.workTree(files: ["long.txt": lines.joined(separator: "\n")])
            #expect(try await fixture.push("slipway", "main", in: work).status == 0)
            try await fixture.commit(["long.txt": (lines + ["more"]).joined(separator: "\n")], "more", in: work)
            let output = try await fixture.push("--thin", "slipway", "main", in: work)
            #expect(output.status == 0, "\(output.stderr)")
            #expect(fixture.handler.pushes.last?.updates.first?.isForced == false)
        }
    }

    @Test func `from a shallow clone works while the server has the base`() async throws {
        try await withFixture { fixture in
            let work = try await fixture.workTree()
            for number in 0..<3 { try await fixture.commit(["n": "\(number)"], "commit \(number)", in: work) }
            #expect(try await fixture.push("slipway", "main", in: work).status == 0)
            let shallow = fixture.directory.appending("shallow")
            try await fixture.git("clone", "-q", "--depth=1", "file://\(work)", shallow.string, in: fixture.directory)
            try await fixture.commit(["n": "shallow"], "on top", in: shallow)
            let output = try await fixture.push(fixture.url, "main", in: shallow)
            #expect(output.status == 0, "\(output.stderr)")
            try await fixture.server.createRepository("empty")
            let other = try await fixture.push("http://127.0.0.1:\(fixture.port)/git/empty.git", "main", in: shallow)
            #expect(other.status != 0)
            #expect(other.stderr.contains("shallow update not allowed"))
        }
    }

    @Test func `cannot put a branch where a directory of branches is`() async throws {
        try await withFixture { fixture in
            let work = try await fixture.workTree()
            #expect(try await fixture.push("slipway", "main", "main:a/b", in: work).status == 0)
            let output = try await fixture.push("slipway", "main:a", "main:main/x", in: work)
            #expect(output.stderr.contains("main -> a ('refs/heads/a/b' exists; cannot create 'refs/heads/a')"))
            #expect(
                output.stderr.contains("main -> main/x ('refs/heads/main' exists; cannot create 'refs/heads/main/x')"))
        }
    }

    @Test func `to master makes master the branch that is cloned`() async throws {
        try await withFixture { fixture in
            let work = try await fixture.workTree()
            #expect(try await fixture.push("slipway", "main:master", in: work).status == 0)
            let clone = fixture.directory.appending("clone")
            try await fixture.git("clone", "-q", fixture.url, clone.string, in: fixture.directory)
            #expect(try await fixture.git("branch", "--show-current", in: clone) == "master")
        }
    }

    @Test func `of a SHA-256 repository is refused`() async throws {
        try await withFixture { fixture in
            let path = fixture.directory.appending("sha256")
            try await fixture.git("init", "-q", "--object-format=sha256", path.string, in: fixture.directory)
            try await fixture.commit(["a": "a"], "one", in: path)
            #expect(try await fixture.push(fixture.url, "main", in: path).status != 0)
            #expect(fixture.handler.pushes.isEmpty)
        }
    }

    @Test func `to a repository that is not there says so`() async throws {
        try await withFixture { fixture in
            let work = try await fixture.workTree()
            let output = try await fixture.push("http://127.0.0.1:\(fixture.port)/git/nope.git", "main", in: work)
            #expect(output.stderr.contains("remote: There is no repository nope."))
        }
    }
}
