import Foundation
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import GitReceiver

/// The ways to push that a git client has.
@Suite(.needsGit, .timeLimit(.minutes(2)))
struct `A push of every kind` {
    @Test(arguments: ["0", "2"])
    func `brings tags on tags, and tags of anything`(version: String) async throws {
        try await withFixture { fixture in
            let work = try await fixture.workTree()
            try await fixture.git("tag", "-a", "inner", "-m", "inner", in: work)
            try await fixture.git("tag", "-a", "outer", "-m", "outer", "inner", in: work)
            try await fixture.git("tag", "-a", "tree", "-m", "tree", "HEAD^{tree}", in: work)
            try await fixture.git("tag", "blob", "HEAD:Procfile", in: work)
            let output = try await fixture.push("slipway", "main", "outer", "inner", "tree", "blob", in: work)
            #expect(output.status == 0, "\(output.stderr)")
            #expect(try await fixture.faults() == "")
            let clone = fixture.directory.appending("clone")
            let cloned = try await fixture.git.run(
                ["-c", "protocol.version=\(version)", "clone", "--mirror", fixture.url, clone.string],
                in: fixture.directory)
            #expect(cloned.status == 0, "\(cloned.stderr)")
            #expect(try await fixture.git("show-ref", in: clone) == fixture.git("show-ref", in: fixture.repository))
            #expect(try await fixture.git.run(["fsck", "--strict"], in: clone).status == 0)
            // Only what the branch has is followed.
            let second = fixture.directory.appending("second")
            try await fixture.git(
                "-c", "protocol.version=\(version)", "clone", "-q", "--single-branch", fixture.url, second.string,
                in: fixture.directory)
            #expect(try await fixture.git("tag", in: second).split(separator: "\n").contains("outer"))
        }
    }

    @Test func `mirrors a repository, and what was deleted in it`() async throws {
        try await withFixture { fixture in
            func refs(_ path: FilePath) async throws -> String {
                try await fixture.git("for-each-ref", "refs/heads", "refs/tags", "refs/notes", in: path)
            }
            let work = try await fixture.workTree()
            try await fixture.git("branch", "topic", in: work)
            try await fixture.git("notes", "add", "-m", "a note", in: work)
            try await fixture.git("tag", "v1", in: work)
            let first = try await fixture.push("--mirror", "slipway", in: work)
            #expect(first.status == 0, "\(first.stderr)")
            #expect(try await refs(work) == refs(fixture.repository))
            try await fixture.git("branch", "-D", "topic", in: work)
            try await fixture.git("tag", "-d", "v1", in: work)
            let second = try await fixture.push("--mirror", "slipway", in: work)
            #expect(second.status == 0, "\(second.stderr)")
            #expect(try await refs(work) == refs(fixture.repository))
            #expect(try await fixture.faults() == "")
        }
    }

    @Test func `is atomic when asked to be`() async throws {
        try await withFixture { fixture in
            let work = try await fixture.workTree()
            let first = try await fixture.push("--atomic", "slipway", "main", "main:one", in: work)
            #expect(first.status == 0, "\(first.stderr)")
            let base = try await fixture.git("rev-parse", "main", in: work)
            try await fixture.git("commit", "-q", "--allow-empty", "-m", "more", in: work)
            // The server refuses one of them: a branch below a branch.
            let output = try await fixture.push("--atomic", "slipway", "main", "main:one/below", in: work)
            #expect(output.status != 0)
            #expect(output.stderr.contains("atomic push failure"), "\(output.stderr)")
            #expect(
                try await fixture.server.branches(of: "app") == ["refs/heads/main": base, "refs/heads/one": base])
        }
    }

    @Test func `that is too large is refused in words, however large`() async throws {
        try await withFixture {
            $0.limits.packBytes = 2 << 20
        } _: { fixture in
            var random = SeededRandom(seed: 1)
            let noise = (0..<400_000).map { _ in String(random.next(), radix: 36) }.joined()
            let work = try await fixture.workTree(files: ["noise": noise])
            let output = try await fixture.push("slipway", "main", in: work)
            #expect(output.status != 0)
            #expect(
                output.stderr.contains("the pack is larger than 2 MiB, the limit of this server"), "\(output.stderr)")
            #expect(fixture.quarantines.isEmpty)
        }
        try await withFixture {
            $0.limits.commands = 3
        } _: { fixture in
            let work = try await fixture.workTree()
            let output = try await fixture.push("slipway", "main:a", "main:b", "main:c", "main:d", in: work)
            #expect(output.stderr.contains("The push updates more than 3 references; push fewer at once."))
        }
    }

    @Test func `names pointers and submodules, and says what to do`() async throws {
        let handler = ScriptedHandler { push, progress in
            let directory = FilePath(NSTemporaryDirectory()).appending("slipway-test-\(push.id)")
            defer { try? FileManager.default.removeItem(atPath: directory.string) }
            let report = try await push.export(commit: push.updates[0].new ?? "", to: directory)
            #expect(report.pointers.count == 12 && report.pointers.first == "img/10.png")
            #expect(report.submodules == ["vendor/one"])
            for note in report.notes { try await progress.write(note + "\n") }
            return .accept
        }
        try await withFixture(handler: handler) { fixture in
            let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
            let work = try await fixture.workTree(
                files: Dictionary(uniqueKeysWithValues: (10..<22).map { ("img/\($0).png", pointer) }))
            let head = try await fixture.git("rev-parse", "HEAD", in: work)
            try await fixture.git("update-index", "--add", "--cacheinfo", "160000,\(head),vendor/one", in: work)
            try await fixture.git("commit", "-q", "-m", "submodule", in: work)
            let output = try await fixture.push("slipway", "main", in: work)
            #expect(output.status == 0, "\(output.stderr)")
            #expect(output.stderr.contains("img/19.png and 2 more"), "\(output.stderr)")
            #expect(output.stderr.contains("git lfs migrate export"))
            #expect(output.stderr.contains("vendor/one will be empty"))
        }
    }

    @Test(.needsGit) func `holds nothing of its objects while its handler decides`() async throws {
        let seen = Mutex<[Bool]>([])
        let handler = ScriptedHandler { push, _ in
            let source = push.source as? QuarantineSource
            if case .received(let intake)? = source?.session.intake {
                seen.withLock { $0.append(intake.takeNeeds() != nil) }
            }
            return .accept
        }
        try await withFixture(handler: handler) { fixture in
            let output = try await fixture.push("slipway", "main", in: try await fixture.workTree())
            #expect(output.status == 0)
        }
        #expect(seen.withLock { $0 } == [false])
    }

    @Test func `holds of its objects only what it lacks while it waits`() throws {
        let oids = (1...6).map { number in (0..<20).map { _ in UInt8(number) } }.compactMap { ObjectID(raw: $0) }
        var table = ObjectTable(objects: 10)
        let commit = try table.add(oids[0], .commit)
        let tree = try table.add(oids[1], .tree)
        try table.want(oids[1], .tree, by: commit)
        try table.want(oids[2], .commit, by: commit)
        try table.want(oids[3], .blob, by: tree)
        _ = try table.add(oids[3], .blob)
        #expect(try table.needs().map(\.oid) == [oids[2]])
        try table.want(oids[4], .blob, by: tree)
        _ = try table.add(oids[4], .tree)
        #expect(throws: GitReceiverError.self) { try table.needs() }
    }
}
