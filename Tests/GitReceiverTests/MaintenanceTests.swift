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
struct `Maintaining a repository` {
    /// Pushes a few times, the last time by force, so that there are packs, loose references and lost commits. Returns
    /// the commits that no reference reaches.
    private func history(_ fixture: Fixture) async throws -> [String] {
        let work = try await fixture.workTree(files: ["a/b.txt": "one", "c.txt": "two"])
        try await fixture.git("tag", "-a", "v1", "-m", "one", in: work)
        #expect(try await fixture.push("slipway", "main", "v1", in: work).status == 0)
        for number in 0..<5 {
            try await fixture.commit(["a/b.txt": "\(number)"], "commit \(number)", in: work)
            #expect(try await fixture.push("slipway", "main", "main:side\(number)", in: work).status == 0)
        }
        let lost = try await fixture.git("rev-parse", "HEAD", in: work)
        try await fixture.commit(["a/b.txt": "other"], "other", in: work)
        try await fixture.git("reset", "-q", "--soft", "HEAD~2", in: work)
        try await fixture.git("commit", "-q", "-m", "rewritten", in: work)
        #expect(try await fixture.push("--force", "slipway", "main", ":side4", in: work).status == 0)
        return [lost]
    }

    private func has(_ commit: String, _ fixture: Fixture) async throws -> Bool {
        try await fixture.git.run(["cat-file", "-e", commit], in: fixture.repository).status == 0
    }

    @Test func `makes one pack of many and keeps for a while what nothing reaches`() async throws {
        let now = Mutex(Date(timeIntervalSince1970: 1_800_000_000))
        try await withFixture {
            $0.now = { now.withLock { $0 } }
        } _: { fixture in
            let lost = try await self.history(fixture)
            let refs = try await fixture.git("show-ref", in: fixture.repository)
            let report = try await fixture.server.maintain("app")
            #expect(report.packsBefore == 7 && report.packsAfter == 2, "\(report)")
            #expect(report.keptObjects == 4 && report.prunedObjects == 0, "\(report)")
            #expect(try await fixture.faults() == "")
            #expect(try await fixture.git("show-ref", in: fixture.repository) == refs)
            #expect(try await fixture.git("count-objects", "-v", in: fixture.repository).contains("garbage: 0"))
            for commit in lost { #expect(try await self.has(commit, fixture)) }

            // Nothing to do: nothing is written.
            let packs = fixture.packs.sorted()
            let second = try await fixture.server.maintain("app")
            #expect(fixture.packs.sorted() == packs)
            #expect(second.prunedObjects == 0, "\(second)")

            now.withLock { $0 += 15 * 86_400 }
            let third = try await fixture.server.maintain("app")
            #expect(third.prunedObjects == 4 && third.packsAfter == 1, "\(third)")
            for commit in lost { #expect(try await !self.has(commit, fixture)) }
            #expect(try await fixture.faults() == "")
            #expect(try await fixture.git("show-ref", in: fixture.repository) == refs)
            let clone = fixture.directory.appending("clone")
            try await fixture.git("clone", "-q", fixture.url, clone.string, in: fixture.directory)
            #expect(try await fixture.git.run(["fsck", "--strict"], in: clone).status == 0)
        }
    }

    @Test func `brings back nothing, but keeps what is pushed again`() async throws {
        let now = Mutex(Date(timeIntervalSince1970: 1_800_000_000))
        try await withFixture {
            $0.now = { now.withLock { $0 } }
        } _: { fixture in
            let lost = try await self.history(fixture)
            try await fixture.server.maintain("app")
            // The commit is there, so git sends a reference and no object.
            let work = fixture.directory.appending("work")
            #expect(try await fixture.push("slipway", "\(lost[0]):refs/heads/again", in: work).status == 0)
            now.withLock { $0 += 15 * 86_400 }
            let report = try await fixture.server.maintain("app")
            #expect(report.prunedObjects == 0, "\(report)")
            #expect(try await fixture.faults() == "")
            #expect(try await fixture.git("rev-parse", "again", in: fixture.repository) == lost[0])
        }
    }

    @Test func `takes in loose objects and leaves what a git program keeps`() async throws {
        try await withFixture {
            $0.maintenance.grace = .zero
        } _: { fixture in
            let work = try await fixture.workTree()
            #expect(try await fixture.push("slipway", "main", in: work).status == 0)
            let keep = fixture.repository.appending("objects").appending("pack")
                .appending(fixture.packs[0].replacingOccurrences(of: ".pack", with: ".keep"))
            #expect(FileManager.default.createFile(atPath: keep.string, contents: nil))
            let tree = try await fixture.git("rev-parse", "HEAD^{tree}", in: work)
            let commit = try await fixture.git("commit-tree", "-m", "by hand", tree, in: fixture.repository)
            _ = try await fixture.git("commit-tree", "-m", "lost", tree, in: fixture.repository)
            try await fixture.git("update-ref", "refs/heads/hand", commit, in: fixture.repository)
            let report = try await fixture.server.maintain("app")
            #expect(report.packsAfter == 2, "\(report)")
            #expect(report.prunedObjects == 1, "\(report)")
            #expect(try await fixture.git("count-objects", in: fixture.repository).hasPrefix("0 objects"))
            #expect(try await fixture.faults() == "")
        }
    }

    @Test func `of an empty repository does nothing`() async throws {
        try await withFixture { fixture in
            let report = try await fixture.server.maintain("app")
            #expect(report == MaintenanceReport())
            await #expect { try await fixture.server.maintain("nope") } throws: {
                ($0 as? GitReceiverError)?.code == .notFound
            }
        }
    }

    @Test func `removes what was never finished, unless a git program may be at it`() async throws {
        try await withFixture { fixture in
            _ = try await self.history(fixture)
            let packs = fixture.repository.appending("objects").appending("pack")
            let old = packs.appending("pack-\(String(repeating: "0", count: 40)).pack")
            let new = packs.appending("tmp_pack_new")
            for file in [old, new] { try Data("PACK".utf8).write(to: URL(filePath: file.string)) }
            try Files.setTime(old, to: Int((Date().timeIntervalSince1970 - 7200) * 1e9))
            #expect(try await fixture.server.maintain("app").leftovers == 1)
            #expect(!Files.exists(old) && Files.exists(new))
        }
    }

    @Test func `that takes too long or finds too much changes nothing`() async throws {
        try await withFixture {
            $0.maintenance.time = .zero
        } _: { fixture in
            _ = try await self.history(fixture)
            let packs = fixture.packs.sorted()
            await #expect { try await fixture.server.maintain("app") } throws: {
                ($0 as? GitReceiverError)?.code == .deadlineExceeded
            }
            #expect(fixture.packs.sorted() == packs && fixture.quarantines.isEmpty)
        }
        try await withFixture {
            $0.maintenance.objects = 5
        } _: { fixture in
            _ = try await self.history(fixture)
            await #expect { try await fixture.server.maintain("app") } throws: {
                ($0 as? GitReceiverError)?.code == .limitExceeded
            }
            #expect(try await fixture.faults() == "")
        }
    }

    @Test func `goes on while others push and fetch`() async throws {
        try await withFixture {
            $0.maintenance.grace = .zero
        } _: { fixture in
            _ = try await self.history(fixture)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for pusher in 0..<3 {
                    group.addTask {
                        let work = try await fixture.workTree("pusher\(pusher)", files: ["p": "\(pusher)"])
                        for number in 0..<4 {
                            try await fixture.git("commit", "-q", "--amend", "-m", "\(number)", in: work)
                            let output = try await fixture.push(
                                "--force", "slipway", "main:refs/heads/p\(pusher)", in: work)
                            #expect(output.status == 0, "\(output.stderr)")
                        }
                    }
                }
                group.addTask {
                    for number in 0..<6 {
                        let clone = fixture.directory.appending("clone\(number)")
                        let output = try await fixture.git.run(
                            ["clone", "-q", "--bare", "--single-branch", fixture.url, clone.string],
                            in: fixture.directory)
                        #expect(output.status == 0, "\(output.stderr)")
                        #expect(try await fixture.git.run(["fsck", "--strict"], in: clone).status == 0)
                    }
                }
                group.addTask {
                    for _ in 0..<12 {
                        do { try await fixture.server.maintain("app") } catch let error as GitReceiverError {
                            #expect(error.code == .busy, "\(error) \(String(describing: error.cause))")
                        }
                    }
                }
                try await group.waitForAll()
            }
            try await fixture.server.maintain("app")
            #expect(try await fixture.faults() == "")
            #expect(fixture.packs.count == 1 && fixture.quarantines.isEmpty)
        }
    }

    @Test func `waits for readers, and leaves the old packs if they do not end`() async throws {
        try await withFixture {
            $0.maintenance.patience = .zero
        } _: { fixture in
            _ = try await self.history(fixture)
            let before = fixture.packs.count
            let reader = try HeldLock(fixture.repository.appending(Repository.readersLock), shared: true)
            let report = try await fixture.server.maintain("app")
            #expect(report.notes == ["the old packs are being read and were not removed"])
            // One new pack; what was put aside are the objects of one push, whose pack is there.
            #expect(fixture.packs.count == before + 1)
            #expect(try await fixture.faults() == "")
            withExtendedLifetime(reader) {}
        }
    }

    @Test func `runs in the background once a repository has many packs`() async throws {
        try await withFixture {
            $0.maintenance.packs = 3
            $0.maintenance.grace = .zero
        } _: { fixture in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await fixture.server.runMaintenance() }
                _ = try await self.history(fixture)
                while fixture.packs.count > 3 { try await Task.sleep(for: .milliseconds(5)) }
                group.cancelAll()
            }
            #expect(try await fixture.faults() == "")
        }
    }

    /// What is on the disk at each step in turn is what a process that is killed there leaves: it is sound each time.
    @Test(arguments: Maintenance.Step.allCases)
    func `that is killed anywhere leaves a sound repository`(step: Maintenance.Step) async throws {
        try await withFixture {
            $0.maintenance.grace = .zero
        } _: { fixture in
            _ = try await self.history(fixture)
            let refs = try await fixture.git("show-ref", in: fixture.repository)
            let root = fixture.directory.appending("repositories")
            let left = fixture.directory.appending("left")
            _ = try? await fixture.server.core.maintain(RepositoryName("app")) { (current) throws(GitReceiverError) in
                guard current == step, !FileManager.default.fileExists(atPath: left.string) else { return }
                try? FileManager.default.copyItem(atPath: root.string, toPath: left.string)
                throw GitReceiverError(.cancelled, "The process ends here.")
            }
            // Out of the way: what has not ended yet may still be cleaning up there.
            try FileManager.default.moveItem(atPath: root.string, toPath: fixture.directory.appending("gone").string)
            try FileManager.default.moveItem(atPath: left.string, toPath: root.string)
            #expect(try await fixture.faults() == "")
            #expect(try await fixture.git("show-ref", in: fixture.repository) == refs)
            // The next process pushes, clones and tidies up.
            let next = try GitServer(
                configuration: .init(root: root), handler: fixture.handler,
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            _ = try await next.maintain("app")
            #expect(try await fixture.faults() == "")
            #expect(try await fixture.git("show-ref", in: fixture.repository) == refs)
            #expect(try await fixture.git("count-objects", "-v", in: fixture.repository).contains("garbage: 0"))
            let work = fixture.directory.appending("work")
            try await fixture.commit(["later": "later"], "later", in: work)
            #expect(try await fixture.push("slipway", "main", in: work).status == 0)
            #expect(try await fixture.faults() == "")
        }
    }
}
