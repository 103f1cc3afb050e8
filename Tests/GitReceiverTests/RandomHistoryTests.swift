import Foundation
import SystemPackage
import TestSupport
import Testing

@testable import GitReceiver

/// Random histories, pushed in every way that a pack can be made, repacked now and then, and fetched by clients that have
/// random parts of them.
@Suite(.needsGit, .timeLimit(.minutes(5)))
struct `A random history` {
    /// What the real git makes of random numbers: one repository that is ahead of the server.
    private final class Author {
        let fixture: Fixture
        let path: FilePath
        var random: SeededRandom
        private var number = 0
        private var texts: [[String]]
        private var branches: Set<String> = []

        init(_ fixture: Fixture, seed: UInt64) async throws {
            self.fixture = fixture
            self.random = SeededRandom(seed: seed)
            self.path = fixture.directory.appending("author")
            self.texts = (0..<6).map { file in (0..<80).map { "file \(file), line \($0) as it was at first" } }
            try await fixture.git("init", "-q", "--bare", self.path.string, in: fixture.directory)
            try await fixture.git("remote", "add", "slipway", fixture.url, in: self.path)
        }

        /// Adds a few commits to random branches, some of them merges.
        func commit() async throws {
            var stream = ""
            // A branch that the stream has made is its own; one from before is the repository's.
            var made: Set<String> = []
            func name(_ branch: String) -> String { "refs/heads/\(branch)" + (made.contains(branch) ? "" : "^0") }
            for _ in 0...self.random.below(4) {
                self.number += 1
                let branch = self.number == 1 ? "main" : ["main", "b1", "b2", "b3"][self.random.below(4)]
                let time = "A <a@example.com> \(1_800_000_000 + self.number) +0000"
                let message = "commit \(self.number)"
                stream += "commit refs/heads/\(branch)\nauthor \(time)\ncommitter \(time)\n"
                stream += "data \(message.utf8.count)\n\(message)\n"
                if self.branches.contains(branch), !made.contains(branch) { stream += "from \(name(branch))\n" }
                if self.random.below(5) == 0, let other = self.branches.subtracting([branch]).sorted().first {
                    stream += "merge \(name(other))\n"
                }
                for _ in 0...self.random.below(3) {
                    let file = self.random.below(self.texts.count)
                    let line = self.random.below(self.texts[file].count)
                    self.texts[file][line] = "changed to \(self.random.next())"
                    let text = self.texts[file].joined(separator: "\n")
                    let name = "d\(file % 3)/e\(self.random.below(2))/f\(file)"
                    stream += "M 100644 inline \(name)\ndata \(text.utf8.count)\n\(text)\n"
                }
                self.branches.insert(branch)
                made.insert(branch)
            }
            let file = self.path.appending("stream")
            try Data(stream.utf8).write(to: URL(fileURLWithPath: file.string))
            try await self.shell("git fast-import --quiet --force <'\(file)'")
        }

        func shell(_ command: String) async throws {
            let output = try await self.fixture.git.run(["-c", "alias.sh=!\(command)", "sh"], in: self.path)
            guard output.status == 0 else { throw GitClient.Failure(description: "\(command): \(output.stderr)") }
        }

        /// Sends all branches: thin, as git does, or in a pack that needs nothing else, with bases by name.
        func push() async throws {
            if self.random.below(2) == 0 {
                let output = try await self.fixture.push(
                    "--force", "slipway", "refs/heads/*:refs/heads/*", in: self.path)
                #expect(output.status == 0, "\(output.stderr)")
                return
            }
            let old = try await self.fixture.server.branches(of: "app")
            for line in try await self.fixture.git("show-ref", "--heads", in: self.path).split(separator: "\n") {
                let (commit, name) = (String(line.prefix(40)), String(line.dropFirst(41)))
                guard old[name] != commit else { continue }
                let exclude = old.values.map { "^\($0)" }
                let list = self.path.appending("list")
                try Data(([commit] + exclude).joined(separator: "\n").utf8).write(to: URL(fileURLWithPath: list.string))
                try await self.shell("git pack-objects --revs --stdout -q <'\(list)' >'\(list).pack'")
                let pack = [UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(list).pack")))
                let command = "\(old[name] ?? ObjectID.zero.description) \(commit) \(name)\0report-status side-band-64k"
                let answer = try await RawClient(server: self.fixture.server).send(
                    "POST", "/app.git/git-receive-pack", body: PktLine.encode(command) + PktLine.flush + pack)
                #expect(answer.report == ["unpack ok", "ok \(name)"])
            }
        }
    }

    private func check(_ clone: FilePath, _ fixture: Fixture) async throws {
        let output = try await fixture.git.run(["fsck", "--strict", "--full"], in: clone)
        #expect(output.status == 0, "\(output.stdout)\(output.stderr)")
    }

    @Test(arguments: 0..<6 as Range<UInt64>)
    func `arrives whole, however it is pushed, repacked and fetched`(seed: UInt64) async throws {
        try await withFixture {
            $0.maintenance.grace = seed.isMultiple(of: 2) ? .zero : .seconds(86_400)
            $0.maintenance.deltaDepth = [0, 1, 3, 50][Int(seed % 4)]
            $0.limits.fetchFiles = seed.isMultiple(of: 3) ? 2 : 512
        } _: { fixture in
            let author = try await Author(fixture, seed: seed)
            var clones: [FilePath] = []
            for round in 0..<10 {
                try await author.commit()
                try await author.push()
                if author.random.below(3) == 0 {
                    let report = try await fixture.server.maintain("app")
                    #expect(try await fixture.faults() == "")
                    let limit = [0, 1, 3, 50][Int(seed % 4)]
                    // One pack that a client has sent stays as it is.
                    if report.packsAfter < report.packsBefore {
                        #expect(try await fixture.deepestChain(in: fixture.repository) <= limit)
                    }
                }
                let refs = try await fixture.git("show-ref", "--heads", in: author.path)
                if clones.isEmpty || author.random.below(3) == 0 {
                    let clone = fixture.directory.appending("clone\(round)")
                    let output = try await fixture.git.run(
                        ["clone", "-q", "--mirror", fixture.url, clone.string], in: fixture.directory)
                    #expect(output.status == 0, "\(output.stderr)")
                    clones.append(clone)
                }
                // Each has what it got at some time, so that haves differ.
                let clone = clones[author.random.below(clones.count)]
                let options = [
                    "-c", "protocol.version=\(author.random.below(2) * 2)",
                    "-c", "repack.useDeltaBaseOffset=\(author.random.below(2) == 0)",
                    "-c", "fetch.unpackLimit=\(author.random.below(2) == 0 ? 1 : 10_000)",
                ]
                let output = try await fixture.git.run(options + ["fetch", "-q", "--prune"], in: clone)
                #expect(output.status == 0, "\(seed) \(round): \(output.stderr)")
                #expect(try await fixture.git("show-ref", "--heads", in: clone) == refs)
                try await self.check(clone, fixture)
            }
            for clone in clones { try await self.check(clone, fixture) }
            #expect(try await fixture.faults() == "")
        }
    }
}
