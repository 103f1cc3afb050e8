import SystemPackage
import Testing

@testable import GitReceiver

/// Packs whose deltas build on what the repository has, through each other.
@Suite(.timeLimit(.minutes(2)))
struct `A thin pack` {
    /// Bytes that follow each other in a delta: all of the base and one more.
    private static func more(_ count: Int, _ byte: UInt8) -> [UInt8] {
        PackWriter.varint(count) + PackWriter.varint(count + 1) + [
            0xB0, UInt8(count & 255), UInt8(count >> 8), 1, byte,
        ]
    }

    /// B is in the repository, A is a delta on B, X one on A; A may be in the repository as well.
    @Test(arguments: 0..<8 as Range<UInt8>, [false, true])
    func `is complete whatever its objects are called`(seed: UInt8, isKnown: Bool) async throws {
        try await withFixture { fixture in
            let client = RawClient(server: fixture.server)
            let b = [UInt8](repeating: seed, count: 1000)
            let (a, x) = (b + [1], b + [1, 2])
            var first = PackWriter()
            var entries = [("100644", Array("b".utf8), first.add(.blob, b))]
            if isKnown { entries.insert(("100644", Array("a".utf8), first.add(.blob, a)), at: 0) }
            let parent = first.commit(first.tree(entries))
            #expect(try await client.push(parent, first.finished()).report.first == "unpack ok")
            var second = PackWriter()
            second.addDelta(base: PackWriter.name(.blob, a), Self.more(1001, 2))
            second.addDelta(base: PackWriter.name(.blob, b), Self.more(1000, 1))
            let tree = second.tree([
                ("100644", Array("a".utf8), PackWriter.name(.blob, a)),
                ("100644", Array("x".utf8), PackWriter.name(.blob, x)),
            ])
            let commit = second.commit(tree, parents: [parent])
            let report = try await client.push(commit, second.finished(), to: "refs/heads/next").report
            #expect(report == ["unpack ok", "ok refs/heads/next"])
            let target = fixture.directory.appending("export")
            #expect(try await fixture.server.export("app", commit: PackWriter.hex(commit), to: target).files == 2)
            let catalog = try PackCatalog(PackDirectory(repository: fixture.repository))
            for pack in catalog.packs { #expect(try pack.verify { false }) }
        }
    }

    @Test func `that leads back to itself by way of the repository is refused`() async throws {
        try await withFixture { fixture in
            let client = RawClient(server: fixture.server)
            let a = [UInt8](repeating: 9, count: 1000)
            var first = PackWriter()
            let parent = first.commit(first.tree([("100644", Array("a".utf8), first.add(.blob, a))]))
            #expect(try await client.push(parent, first.finished()).report.first == "unpack ok")
            var second = PackWriter()
            second.addDelta(base: PackWriter.name(.blob, a), Self.more(1000, 1))
            // The first 1000 bytes of X, which are A.
            second.addDelta(
                base: PackWriter.name(.blob, a + [1]),
                PackWriter.varint(1001) + PackWriter.varint(1000) + [0xB0, 0xE8, 3])
            let commit = second.commit(second.tree([]), parents: [parent])
            let report = try await client.push(commit, second.finished(), to: "refs/heads/next").report
            #expect(report.first == "unpack the pack is damaged: a delta has no base", "\(report)")
            #expect(fixture.packs.count == 1)
        }
    }

    @Test func `may not grow beyond the limit by what it builds on`() async throws {
        try await withFixture {
            $0.limits.packBytes = 1300
        } _: { fixture in
            let client = RawClient(server: fixture.server)
            var random = SeededRandom(seed: 11)
            let data = (0..<1000).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            var first = PackWriter()
            let parent = first.commit(first.tree([("100644", Array("a".utf8), first.add(.blob, data))]))
            #expect(try await client.push(parent, first.finished()).report.first == "unpack ok")
            var second = PackWriter()
            second.addDelta(base: PackWriter.name(.blob, data), Self.more(1000, 1))
            let filler = second.add(.blob, [UInt8](repeating: 3, count: 200))
            let commit = second.commit(second.tree([("100644", Array("f".utf8), filler)]), parents: [parent])
            let report = try await client.push(commit, second.finished(), to: "refs/heads/next").report
            #expect(
                report.first?.contains("the pack, with what it builds on, is larger than 0 MiB") == true, "\(report)")
        }
    }
}
