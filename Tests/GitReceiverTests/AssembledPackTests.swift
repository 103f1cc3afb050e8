import Foundation
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import GitReceiver

/// Packs that are put together from what is packed already, for clients and by maintenance.
@Suite(.needsGit, .timeLimit(.minutes(3)))
struct `An assembled pack` {
    private static func lines(_ count: Int, _ change: String = "") -> String {
        ((0..<count).map { "line \($0) of a text that is long enough for a delta" } + [change]).joined(separator: "\n")
    }

    /// A text that changes with each of many pushes, so that a chain of deltas grows.
    private func chain(_ fixture: Fixture, pushes: Int) async throws -> FilePath {
        let work = try await fixture.workTree(files: ["text": Self.lines(300)])
        #expect(try await fixture.push("slipway", "main", in: work).status == 0)
        for number in 1..<pushes {
            try await fixture.commit(["text": Self.lines(300, "\(number)")], "commit \(number)", in: work)
            let output = try await fixture.push("slipway", "main", in: work)
            #expect(output.status == 0, "\(output.stderr)")
        }
        return work
    }

    @Test func `keeps the deltas of thin pushes, and no chain becomes too deep however often it is made`() async throws
    {
        try await withFixture {
            $0.maintenance.deltaDepth = 4
            $0.maintenance.grace = .zero
        } _: { fixture in
            let work = try await self.chain(fixture, pushes: 12)
            for number in 0..<3 {
                try await fixture.server.maintain("app")
                #expect(try await fixture.deepestChain(in: fixture.repository) == 4)
                #expect(try await fixture.faults() == "")
                // The text is packed whole about every fifth time, and as a delta otherwise.
                let pack = fixture.repository.appending("objects").appending("pack").appending(fixture.packs[0])
                let bytes = try #require(Files.size(pack))
                #expect(bytes < 12_000, "\(bytes)")
                try await fixture.commit(["text": Self.lines(300, "again \(number)")], "again", in: work)
                #expect(try await fixture.push("slipway", "main", in: work).status == 0)
            }
        }
    }

    @Test(arguments: [false, true])
    func `is whole for a client that wants nothing else, and thin for one that does`(usesOffsets: Bool) async throws {
        try await withFixture { fixture in
            let work = try await self.chain(fixture, pushes: 6)
            let commits = try await fixture.git("rev-list", "main", in: work).split(separator: "\n").map(String.init)
            for repacked in [false, true] {
                if repacked { try await fixture.server.maintain("app") }
                let options = usesOffsets ? ["ofs-delta"] : []
                let all = try await RawFetch(wants: [commits[0]], options: options).run(fixture.server)
                #expect(all.error == "" && all.progress.hasPrefix("Total 18 (delta "), "\(all.progress)")
                #expect(try await fixture.faults(of: all.pack) == "")
                let whole = try await RawFetch(wants: [commits[0]], haves: [commits[2]], options: options)
                    .run(fixture.server)
                let thin = try await RawFetch(
                    wants: [commits[0]], haves: [commits[2]], options: options + ["thin-pack", "no-progress"]
                ).run(fixture.server)
                #expect(thin.progress == "" && thin.pack.count < whole.pack.count)
                let old = fixture.directory.appending("old-\(repacked)-\(usesOffsets)")
                try await fixture.git("clone", "-q", "--bare", work.string, old.string, in: fixture.directory)
                try await fixture.git("update-ref", "refs/heads/main", commits[2], in: old)
                try await fixture.git("repack", "-adq", in: old)
                try await fixture.git("prune", "--expire=now", in: old)
                for answer in [whole, thin] {
                    #expect(answer.error == "")
                    #expect(try await fixture.faults(of: answer.pack, completedFrom: old) == "")
                }
                try await fixture.git("update-ref", "refs/heads/main", commits[0], in: old)
                #expect(try await fixture.git.run(["fsck", "--strict"], in: old).status == 0)
            }
        }
    }

    @Test func `has whole what its base is not sent of, however large`() async throws {
        try await withFixture { fixture in
            var random = SeededRandom(seed: 3)
            let noise = (0..<200_000).map { _ in String(random.next(), radix: 36) }.joined(separator: "\n")
            let work = try await fixture.workTree(files: ["noise": noise])
            try await fixture.commit(["noise": noise + "\nmore"], "more", in: work)
            #expect(try await fixture.push("slipway", "main", in: work).status == 0)
            // git makes the older text a delta of the newer.
            let commit = try await fixture.git("rev-parse", "HEAD~1", in: work)
            // No piece is more than a slow client takes within the time for one write.
            let answer = try await RawFetch(wants: [commit], options: ["deepen 1"]).run(fixture.server) { bytes in
                #expect(bytes.count < 2 * PackAssembly.pieceSize + 1000)
            }
            #expect(answer.error == "" && answer.pack.count > 1 << 20)
            for (number, options) in [["--depth=1"], [], ["--filter=blob:none"]].enumerated() {
                let clone = fixture.directory.appending("clone\(number)")
                try await fixture.git.run(
                    ["clone", "-q"] + options + [fixture.url, clone.string], in: fixture.directory)
                #expect(try await fixture.git.run(["fsck", "--strict"], in: clone).status == 0)
                let files = try String(contentsOfFile: clone.appending("noise").string, encoding: .utf8)
                #expect(files == noise + "\nmore")
            }
        }
    }

    @Test func `is spooled if too many packs are open or too many objects planned, and is the same`() async throws {
        let packs = Mutex<[[UInt8]]>([])
        for (files, objects) in [(0, 100), (512, 2), (512, 100)] {
            try await withFixture {
                $0.limits.fetchFiles = files
                $0.limits.fetchPlannedObjects = objects
            } _: { fixture in
                var writer = PackWriter()
                let commit = writer.commit(writer.tree([("100644", Array("a".utf8), writer.add(.blob, [1, 2, 3]))]))
                _ = try await RawClient(server: fixture.server).push(commit, writer.finished())
                let answer = try await RawFetch(wants: [PackWriter.hex(commit)]).run(fixture.server)
                #expect(answer.error == "")
                packs.withLock { $0.append(answer.pack) }
                #expect(fixture.server.core.openFiles.take(files) != nil, "All are given back.")
                #expect(fixture.server.core.plannedObjects.take(objects) != nil, "All are given back.")
            }
        }
        #expect(packs.withLock { Set($0).count == 1 && !$0[0].isEmpty })
    }

    @Test func `is sent to its end though maintenance removes what it is made of`() async throws {
        try await withFixture {
            $0.maintenance.grace = .zero
        } _: { fixture in
            var random = SeededRandom(seed: 5)
            let noise = (0..<100_000).map { _ in String(random.next(), radix: 36) }.joined(separator: "\n")
            let work = try await fixture.workTree(files: ["noise": noise])
            #expect(try await fixture.push("slipway", "main", in: work).status == 0)
            try await fixture.commit(["noise": "small"], "small", in: work)
            #expect(try await fixture.push("slipway", "main", in: work).status == 0)
            let commit = try await fixture.git("rev-parse", "HEAD", in: work)
            let before = Set(fixture.packs)
            let writes = Mutex(0)
            let answer = try await RawFetch(wants: [commit]).run(fixture.server) { bytes in
                let isFirst = writes.withLock { count in
                    if bytes.count > 1000 { count += 1 }
                    return count == 1 && bytes.count > 1000
                }
                guard isFirst else { return }
                let report = try await fixture.server.maintain("app")
                #expect(report.notes == [] && report.packsAfter == 1, "\(report)")
            }
            #expect(writes.withLock { $0 } > 1)
            #expect(before.isDisjoint(with: fixture.packs))
            #expect(answer.error == "")
            #expect(try await fixture.faults(of: answer.pack) == "")
        }
    }

    @Test(arguments: 0..<6 as Range<UInt64>)
    func `tells a bit that has flipped on the disk, and does not spread it`(seed: UInt64) async throws {
        try await withFixture {
            $0.maintenance.grace = .zero
        } _: { fixture in
            var random = SeededRandom(seed: seed)
            // Most of the pack is a file that nobody but the copying looks at.
            let noise = (0..<400).map { _ in String(random.next(), radix: 36) }.joined(separator: "\n")
            let work = try await fixture.workTree(files: ["noise": noise])
            #expect(try await fixture.push("slipway", "main", in: work).status == 0)
            let packs = fixture.packs
            let path = fixture.repository.appending("objects").appending("pack").appending(packs[0])
            try await fixture.commit(["other": "other"], "other", in: work)
            #expect(try await fixture.push("slipway", "main", in: work).status == 0)
            let commit = try await fixture.git("rev-parse", "HEAD", in: work)
            let before = fixture.packs.sorted()

            var bytes = try Data(contentsOf: URL(fileURLWithPath: path.string))
            bytes[bytes.count / 4 + random.below(bytes.count / 2)] ^= 1 << UInt8(random.below(8))
            try FileManager.default.removeItem(atPath: path.string)
            try bytes.write(to: URL(fileURLWithPath: path.string))
            let answer = try await RawFetch(wants: [commit]).run(fixture.server)
            #expect(answer.error.contains("is damaged") && !answer.error.contains("/"), "\(answer.error)")
            #expect(try await fixture.faults(of: answer.pack) != "")
            await #expect { try await fixture.server.maintain("app") } throws: {
                ($0 as? GitReceiverError)?.code == .corrupt
            }
            #expect(fixture.packs.sorted() == before && fixture.quarantines.isEmpty)
        }
    }

    @Test func `is refused in words where it would cost too much`() async throws {
        for (kind, expected) in [
            (0, "finding out what to send took longer than 0 seconds"), (1, "has more than 2 objects"),
            (2, "The pack is larger than 0 MiB, the limit of this server."),
        ] {
            try await withFixture {
                switch kind {
                case 0: $0.limits.fetchTime = .zero
                case 1: $0.limits.fetchObjects = 2
                default: $0.limits.fetchBytes = 50
                }
            } _: { fixture in
                var writer = PackWriter()
                let commit = writer.commit(writer.tree([("100644", Array("a".utf8), writer.add(.blob, [1, 2, 3]))]))
                _ = try await RawClient(server: fixture.server).push(commit, writer.finished())
                let answer = try await RawFetch(wants: [PackWriter.hex(commit)]).run(fixture.server)
                #expect(answer.error.contains(expected), "\(answer.error)")
            }
        }
    }

    @Test func `goes to no client that takes a byte now and then`() async throws {
        let clock = ManualClock()
        try await withFixture {
            $0.clock = clock
            $0.limits.stallTime = .seconds(60)
            $0.limits.fetchRate = 1 << 20
            $0.keepAliveInterval = .seconds(3600)
        } _: { fixture in
            var writer = PackWriter()
            let blob = writer.add(.blob, Array(repeating: 7, count: 1 << 20))
            let commit = writer.commit(writer.tree([("100644", Array("a".utf8), blob)]))
            _ = try await RawClient(server: fixture.server).push(commit, writer.finished())
            let answer = try await RawFetch(wants: [PackWriter.hex(commit)]).run(fixture.server) { bytes in
                if bytes.count > 1000 { clock.advance(by: .seconds(50)) }
            }
            #expect(answer.error.contains("The client takes fewer than 1048576 bytes a second"), "\(answer.error)")
        }
    }

    @Test func `has the wanted commits that references reach, whatever their number`() async throws {
        try await withFixture { fixture in
            var writer = PackWriter()
            let tree = writer.tree([])
            var commits = [writer.commit(tree)]
            for _ in 0..<20 { commits.append(writer.commit(tree, parents: [commits[commits.count - 1]])) }
            _ = try await RawClient(server: fixture.server).push(commits[20], writer.finished())
            let wants = commits.map { PackWriter.hex($0) }
            let answer = try await RawFetch(wants: wants).run(fixture.server)
            #expect(answer.error == "" && answer.progress.hasPrefix("Total 22 "), "\(answer.progress)\(answer.error)")
            let stranger = String(repeating: "5", count: 40)
            let refused = try await RawFetch(wants: wants + [stranger]).run(fixture.server)
            #expect(refused.error == "ERR upload-pack: not our ref \(stranger)")
        }
    }
}
