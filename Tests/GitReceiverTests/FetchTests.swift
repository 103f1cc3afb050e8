import Foundation
import GitReceiver
import SystemPackage
import TestSupport
import Testing

@Suite(.needsGit, .timeLimit(.minutes(2)))
struct `A fetch` {
    @Test(arguments: ["0", "1", "2"])
    func `clones and then gets only what is new`(version: String) async throws {
        try await withFixture { fixture in
            let protocolVersion = "protocol.version=\(version)"
            let work = try await fixture.workTree(files: ["a/b/c.txt": "deep", "run": "#!/bin/sh"])
            try await fixture.git("tag", "-a", "v1", "-m", "one", in: work)
            #expect(try await fixture.push("slipway", "main", "v1", in: work).status == 0)
            let clone = fixture.directory.appending("clone")
            try await fixture.git(
                "-c", protocolVersion, "clone", "-q", fixture.url, clone.string, in: fixture.directory)
            #expect(try await fixture.git("rev-parse", "HEAD", in: clone) == fixture.git("rev-parse", "HEAD", in: work))
            #expect(try await fixture.git("branch", "--show-current", in: clone) == "main")
            #expect(try await fixture.git("tag", in: clone) == "v1")

            for number in 0..<40 { try await fixture.commit(["n.txt": "\(number)"], "commit \(number)", in: work) }
            try await fixture.git("tag", "-a", "v2", "-m", "two", in: work)
            #expect(try await fixture.push("slipway", "main", "v2", in: work).status == 0)
            try await fixture.commit(["mine.txt": "mine"], "local", in: clone)
            func looseObjects() async throws -> Int {
                let count = try await fixture.git("count-objects", in: clone)
                return Int(count.prefix { $0 != " " }) ?? 0
            }
            let before = try await looseObjects()
            let output = try await fixture.git.run(
                ["-c", protocolVersion, "-c", "fetch.unpackLimit=100000", "fetch", "origin"], in: clone)
            #expect(output.status == 0, "\(output.stderr)")
            #expect(
                try await fixture.git("rev-parse", "origin/main", in: clone)
                    == fixture.git("rev-parse", "HEAD", in: work))
            #expect(try await fixture.git("tag", in: clone) == "v1\nv2")
            #expect(try await fixture.git.run(["fsck", "--strict"], in: clone).status == 0)
            // 40 new commits, trees and blobs and one tag: the directory that did not change was not sent again.
            #expect(try await looseObjects() - before == 121)
            let again = try await fixture.git.run(["-c", protocolVersion, "fetch", "origin"], in: clone)
            #expect(again.status == 0, "\(again.stderr)")
        }
    }

    @Test(arguments: ["0", "2"])
    func `of an empty repository works`(version: String) async throws {
        try await withFixture { fixture in
            let clone = fixture.directory.appending("clone")
            let output = try await fixture.git.run(
                ["-c", "protocol.version=\(version)", "clone", fixture.url, clone.string], in: fixture.directory)
            #expect(output.status == 0, "\(output.stderr)")
            #expect(output.stderr.contains("You appear to have cloned an empty repository"))
            #expect(try await fixture.git("symbolic-ref", "HEAD", in: clone) == "refs/heads/main")
        }
    }

    @Test(arguments: ["0", "2"])
    func `with a diverged history of many commits negotiates`(version: String) async throws {
        try await withFixture { fixture in
            let work = try await fixture.workTree()
            #expect(try await fixture.push("slipway", "main", in: work).status == 0)
            let clone = fixture.directory.appending("clone")
            try await fixture.git("clone", "-q", fixture.url, clone.string, in: fixture.directory)
            // More local commits than one round of haves holds, so that requests are gzipped and rounds repeat.
            for number in 0..<80 {
                try await fixture.git("commit", "-q", "--allow-empty", "-m", "l\(number)", in: clone)
            }
            try await fixture.commit(["new": "new"], "remote", in: work)
            #expect(try await fixture.push("slipway", "main", in: work).status == 0)
            let output = try await fixture.git.run(["-c", "protocol.version=\(version)", "fetch"], in: clone)
            #expect(output.status == 0, "\(output.stderr)")
            #expect(
                try await fixture.git("rev-parse", "origin/main", in: clone)
                    == fixture.git("rev-parse", "HEAD", in: work))
        }
    }

    @Test func `sends no object that no reference shows`() async throws {
        try await withFixture { fixture in
            let work = try await fixture.workTree()
            #expect(try await fixture.push("slipway", "main", in: work).status == 0)
            let lost = try await fixture.git("rev-parse", "HEAD", in: work)
            try await fixture.git("commit", "-q", "--amend", "-m", "other", in: work)
            #expect(try await fixture.push("--force", "slipway", "main", in: work).status == 0)
            let clone = fixture.directory.appending("clone")
            try await fixture.git("init", "-q", clone.string, in: fixture.directory)
            let output = try await fixture.git.run(["fetch", fixture.url, lost], in: clone)
            #expect(output.status != 0)
            #expect(output.stderr.contains("not our ref"))
        }
    }
}
