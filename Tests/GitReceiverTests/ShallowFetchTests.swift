import Foundation
import SystemPackage
import TestSupport
import Testing

@testable import GitReceiver

/// Parts of histories, as the real git client asks for them, in both versions of the protocol.
@Suite(.needsGit, .timeLimit(.minutes(2)))
struct `A fetch of a part` {
    /// A history of ten commits with a branch that was merged, a file for each and one that changes; a clone with options.
    private func withClone(
        _ options: String..., version: String, _ body: (Fixture, _ work: FilePath, Client) async throws -> Void
    ) async throws {
        try await withFixture { fixture in
            let work = try await fixture.workTree(files: ["d/0.txt": "0", "same": "0"])
            for number in 1..<10 {
                try await fixture.commit(
                    ["d/\(number).txt": "\(number)", "same": "\(number)"], "commit \(number)", at: number, in: work)
                if number == 3 { try await fixture.git("branch", "side", in: work) }
                if number == 6 {
                    try await fixture.git("checkout", "-q", "side", in: work)
                    try await fixture.commit(["side.txt": "side"], "side", at: number, in: work)
                    try await fixture.git("checkout", "-q", "main", in: work)
                    try await fixture.git("merge", "-q", "-m", "merged", "side", in: work)
                    try await fixture.git("tag", "-a", "v6", "-m", "six", in: work)
                }
            }
            #expect(try await fixture.push("slipway", "main", "side", "v6", in: work).status == 0)
            try await fixture.git("config", "uploadpack.allowFilter", "true", in: fixture.repository)
            let client = Client(
                git: fixture.git, path: fixture.directory.appending("clone"),
                peer: fixture.directory.appending("peer"), version: version)
            for (url, path) in [(fixture.url, client.path), ("file://\(fixture.repository)", client.peer)] {
                let output = try await fixture.git.run(
                    ["-c", "protocol.version=\(version)", "clone"] + options + [url, path.string],
                    in: fixture.directory)
                try #require(output.status == 0, "\(output.stderr)")
            }
            try await body(fixture, work, client)
        }
    }

    /// Two clones to which the same is done: one of this server, one of the same repository by git's own.
    struct Client {
        var git: GitClient
        var path: FilePath
        var peer: FilePath
        var version: String

        /// Fetches, expects both clones to be sound and to have the same commits, and returns how many.
        @discardableResult
        func fetch(_ arguments: String...) async throws -> Int {
            for path in [self.path, self.peer] {
                let output = try await self.git.run(
                    ["-c", "protocol.version=\(self.version)", "fetch"] + arguments, in: path)
                try #require(output.status == 0, "\(path): \(output.stderr)")
                let check = try await self.git.run(["fsck", "--strict"], in: path)
                #expect(check.status == 0, "\(path): \(check.stderr)")
            }
            return try await self.commits()
        }

        func commits() async throws -> Int {
            let mine = try await self.git("rev-list", "--remotes", "--branches", in: self.path)
            let theirs = try await self.git("rev-list", "--remotes", "--branches", in: self.peer)
            #expect(mine == theirs)
            return mine.split(separator: "\n").count
        }

        func isShallow() async throws -> Bool {
            try await self.git("rev-parse", "--is-shallow-repository", in: self.path) == "true"
        }
    }

    @Test(arguments: ["0", "2"])
    func `can be deepened step by step, to all of it`(version: String) async throws {
        try await self.withClone("--depth=1", "--no-tags", version: version) { fixture, work, client in
            #expect(try await client.commits() == 1)
            #expect(try await fixture.git("ls-files", in: client.path).split(separator: "\n").count == 12)
            #expect(try await client.fetch("--depth=3") == 3)
            // Here the merge comes, which brings both of its parents.
            #expect(try await client.fetch("--deepen=2") == 6)
            try await client.fetch("--depth=2")
            try await client.fetch("--deepen=1")
            #expect(try await client.fetch("--unshallow") == 12)
            #expect(try await client.isShallow() == false)
            #expect(
                try await fixture.git("rev-parse", "origin/main", in: client.path)
                    == fixture.git("rev-parse", "main", in: work))
        }
    }

    @Test(arguments: ["0", "2"])
    func `stays a part while new commits come`(version: String) async throws {
        try await self.withClone("--depth=2", version: version) { fixture, work, client in
            for number in 10..<13 {
                try await fixture.commit(["d/\(number).txt": "\(number)"], "commit \(number)", at: number, in: work)
            }
            #expect(try await fixture.push("slipway", "main", in: work).status == 0)
            #expect(try await client.fetch() == 5)
            #expect(try await client.isShallow())
            try await client.fetch("origin", "side:side")
            // And a push from there works.
            try await fixture.git("merge", "-q", "--ff-only", "origin/main", in: client.path)
            try await fixture.commit(["mine": "mine"], "mine", at: 20, in: client.path)
            let output = try await fixture.push("origin", "main", in: client.path)
            #expect(output.status == 0, "\(output.stderr)")
        }
    }

    @Test(arguments: ["0", "2"])
    func `can be chosen by time and by reference`(version: String) async throws {
        try await self.withClone("--shallow-since=\(Fixture.time(8))", "--no-tags", version: version) { _, _, client in
            #expect(try await client.commits() == 2)
            #expect(try await client.fetch("--shallow-since=\(Fixture.time(7))") == 3)
            try await client.fetch("--shallow-exclude=v6")
            try await client.fetch("--shallow-exclude=side")
            try await client.fetch("--shallow-since=\(Fixture.time(2))")
            try await client.fetch("--shallow-since=\(Fixture.time(8))")
            let nothing = try await client.git.run(
                ["-c", "protocol.version=\(version)", "fetch", "--shallow-since=\(Fixture.time(500))"], in: client.path)
            #expect(nothing.stderr.contains("no commits selected for shallow requests"), "\(nothing.stderr)")
            let unknown = try await client.git.run(
                ["-c", "protocol.version=\(version)", "fetch", "--shallow-exclude=nope"], in: client.path)
            #expect(unknown.stderr.contains("deepen-not is not a ref: nope"), "\(unknown.stderr)")
        }
    }

    @Test(arguments: ["0", "2"])
    func `of one branch brings the tags on it`(version: String) async throws {
        try await self.withClone("--depth=4", version: version) { fixture, _, client in
            let (tags, type) = (
                try await fixture.git("tag", in: client.path),
                try await fixture.git("cat-file", "-t", "v6", in: client.path)
            )
            #expect(tags == "v6" && type == "tag")
        }
        try await self.withClone("--depth=2", version: version) { fixture, _, client in
            let tags = try await fixture.git("tag", in: client.path)
            #expect(tags == "")
        }
    }

    @Test(arguments: ["0", "2"])
    func `may leave out files, which come when they are needed`(version: String) async throws {
        try await self.withClone("--filter=blob:none", "--no-checkout", version: version) { fixture, work, client in
            #expect(try await client.commits() == 12)
            for path in [client.path, client.peer] {
                let listed = try await fixture.git("rev-list", "--objects", "--all", "--missing=print", in: path)
                let omitted = listed.split(separator: "\n").count { $0.hasPrefix("?") }
                #expect(omitted == 11)
            }
            let checkout = try await fixture.git.run(
                ["-c", "protocol.version=\(version)", "checkout", "main"], in: client.path)
            #expect(checkout.status == 0, "\(checkout.stderr)")
            #expect(try await fixture.git("show", "HEAD~5:same", in: client.path) == "5")
            try await fixture.commit(["d/new.txt": "new", "same": "new"], "new", at: 30, in: work)
            #expect(try await fixture.push("slipway", "main", in: work).status == 0)
            try await client.fetch()
            #expect(try await fixture.git("show", "origin/main:d/new.txt", in: client.path) == "new")
        }
    }

    @Test(arguments: ["0", "2"])
    func `by another filter is refused in words`(version: String) async throws {
        try await self.withClone(version: version) { fixture, _, _ in
            let output = try await fixture.git.run(
                ["-c", "protocol.version=\(version)", "clone", "--filter=tree:0", fixture.url, "other"],
                in: fixture.directory)
            #expect(output.status != 0)
            #expect(output.stderr.contains("This server knows the filter blob:none"), "\(output.stderr)")
        }
    }

    @Test(arguments: ["0", "2"])
    func `may be a mirror, or one commit by its name`(version: String) async throws {
        try await self.withClone(version: version) { fixture, work, _ in
            let mirror = fixture.directory.appending("mirror")
            let output = try await fixture.git.run(
                ["-c", "protocol.version=\(version)", "clone", "--mirror", fixture.url, mirror.string],
                in: fixture.directory)
            #expect(output.status == 0, "\(output.stderr)")
            #expect(
                try await fixture.git("show-ref", in: mirror) == fixture.git("show-ref", in: fixture.repository))
            let commit = try await fixture.git("rev-parse", "main~4", in: work)
            let single = fixture.directory.appending("single")
            try await fixture.git("init", "-q", single.string, in: fixture.directory)
            let one = try await fixture.git.run(
                ["-c", "protocol.version=\(version)", "fetch", "--depth=1", fixture.url, commit], in: single)
            #expect(one.status == 0, "\(one.stderr)")
            #expect(try await fixture.git("rev-list", "--count", "FETCH_HEAD", in: single) == "1")
        }
    }

    @Test func `that contradicts itself is refused`() throws {
        let zero = "\(ObjectID.zero)"
        for lines in [
            ["deepen x"], ["deepen -1"], ["shallow abc"], ["deepen 3", "deepen-since 5"], ["deepen-since x"],
            ["deepen-not "], ["deepen 1", "deepen-not main"], ["filter blob:limit=1"], ["nonsense"],
        ] {
            #expect(throws: GitReceiverError.self, "\(lines)") {
                _ = try FetchRequest(arguments: ["want \(zero)"] + lines)
            }
        }
        let request = try FetchRequest(arguments: ["want \(zero)", "deepen 0", "shallow \(zero)"])
        #expect(!request.shallow.isDeepening && request.shallow.present == [.zero])
    }
}
