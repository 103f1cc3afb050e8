import Foundation
import SystemPackage
import TestSupport
import Testing

@testable import GitReceiver

@Suite(.timeLimit(.minutes(2)))
struct `A hostile pack` {
    /// Expects a refusal with a reason, and that nothing of the pack remains.
    private func expectRefusal(
        _ reason: String, configure: (inout GitServer.Configuration) -> Void = { _ in },
        location: SourceLocation = #_sourceLocation,
        _ make: (inout PackWriter) -> (commit: [UInt8], pack: [UInt8])
    ) async throws {
        try await withFixture(configure: configure) { fixture in
            var writer = PackWriter()
            let (commit, pack) = make(&writer)
            let answer = try await RawClient(server: fixture.server).push(commit, pack)
            let report = answer.report
            #expect(report.first?.contains(reason) == true, "\(report)", sourceLocation: location)
            #expect(report.last == "ng refs/heads/main unpacker error", sourceLocation: location)
            #expect(report.allSatisfy { !$0.contains("/tmp") }, sourceLocation: location)
            #expect(fixture.handler.pushes.isEmpty, sourceLocation: location)
            #expect(fixture.packs.isEmpty && fixture.quarantines.isEmpty, sourceLocation: location)
        }
    }

    private static func honest(_ writer: inout PackWriter) -> [UInt8] {
        let blob = writer.add(.blob, Array("hello\n".utf8))
        let tree = writer.tree([("100644", Array("hello.txt".utf8), blob)])
        return writer.commit(tree)
    }

    @Test(arguments: [1, 7, 1000])
    func `is told from an honest one, however it is cut`(chunk: Int) async throws {
        try await withFixture { fixture in
            var writer = PackWriter()
            let commit = Self.honest(&writer)
            let answer = try await RawClient(server: fixture.server).push(commit, writer.finished(), chunk: chunk)
            #expect(answer.report == ["unpack ok", "ok refs/heads/main"])
        }
    }

    @Test func `of very many objects is refused while others take the memory for them`() async throws {
        let many: (inout PackWriter) -> (commit: [UInt8], pack: [UInt8]) = { writer in
            let commit = Self.honest(&writer)
            for number in 0..<1 << 16 { writer.add(.blob, Array("\(number)".utf8)) }
            return (commit, writer.finished())
        }
        try await self.expectRefusal(
            "too many objects at once (65535)", configure: { $0.limits.receivedObjects = 65_535 }, many)
        // With enough of it they are taken, one after the other.
        try await withFixture(configure: { $0.limits.receivedObjects = 65_536 }) { fixture in
            var writer = PackWriter()
            let (commit, pack) = many(&writer)
            for branch in ["refs/heads/main", "refs/heads/again"] {
                let report = try await RawClient(server: fixture.server).push(commit, pack, to: branch).report
                #expect(report == ["unpack ok", "ok \(branch)"])
            }
        }
    }

    @Test func `of trees with very many names takes memory for each of them`() async throws {
        try await self.expectRefusal("too many objects at once (65535)") {
            $0.limits.receivedObjects = 65_535
        } _: { writer in
            var tree: [UInt8] = []
            for number in 0..<1 << 16 {
                let name = Array(String(number + 100_000).utf8)
                let oid = [UInt8](repeating: 1, count: 16) + withUnsafeBytes(of: UInt32(number).bigEndian, Array.init)
                tree += Array("100644 ".utf8) + name + [0] + oid
            }
            let commit = writer.commit(writer.add(.tree, tree))
            return (commit, writer.finished())
        }
    }

    @Test(arguments: [1, 20, 21, 60, 120])
    func `that is cut off is refused`(missing: Int) async throws {
        try await self.expectRefusal("unpack the pack is") { writer in
            (Self.honest(&writer), Array(writer.finished().dropLast(missing)))
        }
    }

    @Test(arguments: [14, 40, 90, 150])
    func `with a changed byte is refused`(position: Int) async throws {
        try await self.expectRefusal("unpack the pack is damaged") { writer in
            let commit = Self.honest(&writer)
            var pack = writer.finished()
            pack[position] ^= 0x55
            return (commit, pack)
        }
    }

    @Test func `that is none is refused`() async throws {
        try await self.expectRefusal("unpack what was sent is not a pack") { _ in
            ([UInt8](repeating: 1, count: 20), Array("GARBAGE, and quite a lot of it".utf8))
        }
        try await self.expectRefusal("unpack the pack is missing") { _ in ([UInt8](repeating: 1, count: 20), []) }
    }

    @Test func `that claims too many objects is refused by its header`() async throws {
        try await self.expectRefusal("more than 2000000 objects") { writer in
            (Self.honest(&writer), writer.finished(claim: .max))
        }
    }

    @Test func `with a blob of another size than declared is refused`() async throws {
        try await self.expectRefusal("is damaged") { writer in
            let blob = writer.add(.blob, [UInt8](repeating: 65, count: 11_000), declared: 10)
            return (writer.commit(writer.tree([("100644", Array("a".utf8), blob)])), writer.finished())
        }
    }

    @Test(arguments: [
        ".git", ".GIT", ".gIt", "git~1", ".git ", ".git...", ".git::$INDEX", "a\\.git", ".g\u{200C}it", "..", ".", "",
        "a/b",
    ])
    func `with a tree that could write outside is refused`(name: String) async throws {
        try await self.expectRefusal("has ") { writer in
            let blob = writer.add(.blob, [])
            return (writer.commit(writer.tree([("100644", Array(name.utf8), blob)])), writer.finished())
        }
    }

    @Test(arguments: ["100600", "000000", "777777", "1x0644", "104755"])
    func `with an odd mode is refused`(mode: String) async throws {
        try await self.expectRefusal("mode") { writer in
            let blob = writer.add(.blob, [])
            return (writer.commit(writer.tree([(mode, Array("a".utf8), blob)])), writer.finished())
        }
    }

    @Test(arguments: [
        [("100644", "a"), ("100644", "a")], [("120000", "a"), ("40000", "a")], [("100644", "b"), ("100644", "a")],
        [("100644", "a"), ("100644", "a.b"), ("40000", "a")],
    ])
    func `with a name twice or out of order is refused`(entries: [(String, String)]) async throws {
        try await self.expectRefusal("a name twice or its names out of order") { writer in
            let blob = writer.add(.blob, Array("/tmp".utf8))
            let empty = writer.tree([])
            let tree = writer.tree(entries.map { ($0.0, Array($0.1.utf8), $0.0 == "40000" ? empty : blob) })
            return (writer.commit(tree), writer.finished())
        }
    }

    @Test func `that lacks an object is refused`() async throws {
        let missing = [UInt8](repeating: 9, count: 20)
        try await self.expectRefusal("needs the blob") { writer in
            (writer.commit(writer.tree([("100644", Array("a".utf8), missing)])), writer.finished())
        }
        try await self.expectRefusal("needs the tree") { writer in (writer.commit(missing), writer.finished()) }
        try await self.expectRefusal("needs the commit") { writer in
            (writer.commit(writer.tree([]), parents: [missing]), writer.finished())
        }
        // Objects that no pushed reference reaches would become part of the repository, too.
        try await self.expectRefusal("needs the tree") { writer in
            let commit = Self.honest(&writer)
            _ = writer.tree([("40000", Array("unreached".utf8), missing)])
            return (commit, writer.finished())
        }
    }

    @Test func `that mixes up kinds is refused`() async throws {
        try await self.expectRefusal("but it is a blob") { writer in
            let blob = writer.add(.blob, [])
            return (writer.commit(blob), writer.finished())
        }
        try await self.expectRefusal("has no author") { writer in
            let tree = writer.tree([])
            return (writer.add(.commit, Array("tree \(PackWriter.hex(tree))\n\n".utf8)), writer.finished())
        }
    }

    @Test func `that unpacks to a bomb is refused`() async throws {
        // Each byte of this delta copies 64 KiB: one gibibyte out of 82 KiB.
        let base = [UInt8](repeating: 0, count: 65536)
        let delta =
            PackWriter.varint(base.count) + PackWriter.varint(base.count * 16384)
            + [UInt8](repeating: 0x80, count: 16384)
        try await self.expectRefusal("unpack ") { writer in
            let blob = writer.add(.blob, base)
            writer.addDelta(base: blob, delta)
            return (Self.honest(&writer), writer.finished())
        }
        let small =
            PackWriter.varint(base.count) + PackWriter.varint(base.count * 64) + [UInt8](repeating: 0x80, count: 64)
        try await self.expectRefusal("the limit of this server is 1") {
            $0.limits.objectBytes = 1 << 20
        } _: { writer in
            let blob = writer.add(.blob, base)
            writer.addDelta(base: blob, small)
            return (Self.honest(&writer), writer.finished())
        }
    }

    @Test func `that nests too deep is refused`() async throws {
        try await self.expectRefusal("nest deeper than 10") {
            $0.limits.treeDepth = 10
        } _: { writer in
            var tree = writer.tree([])
            for _ in 0..<10 { tree = writer.tree([("40000", Array("d".utf8), tree)]) }
            return (writer.commit(tree), writer.finished())
        }
    }

    @Test func `that is too large is refused after it was read`() async throws {
        try await self.expectRefusal("larger than 0 MiB") {
            $0.limits.packBytes = 100
        } _: { writer in
            (Self.honest(&writer), writer.finished())
        }
    }

    @Test func `that takes too long is refused`() async throws {
        try await self.expectRefusal("longer than 0 seconds") {
            $0.limits.checkingTime = .zero
        } _: { writer in
            (Self.honest(&writer), writer.finished())
        }
        try await self.expectRefusal("longer to index than 0 seconds") {
            $0.limits.indexingTime = .zero
        } _: { writer in
            (Self.honest(&writer), writer.finished())
        }
    }

    @Test func `of repeated trees cannot fill the disk`() async throws {
        try await withFixture {
            $0.limits.checkoutEntries = 1000
        } _: { fixture in
            var writer = PackWriter()
            let blob = writer.add(.blob, [])
            let names = (10..<30).map { Array("\($0)".utf8) }
            var tree = writer.tree(names.map { ("100644", $0, blob) })
            for _ in 0..<7 { tree = writer.tree(names.map { ("40000", $0, tree) }) }
            let commit = writer.commit(tree)
            let answer = try await RawClient(server: fixture.server).push(commit, writer.finished())
            #expect(answer.report == ["unpack ok", "ok refs/heads/main"])
            await #expect {
                try await fixture.server.export(
                    "app", commit: PackWriter.hex(commit), to: fixture.directory.appending("export"))
            } throws: { ($0 as? GitReceiverError)?.code == .limitExceeded }
        }
    }

    @Test func `that is thin is completed from the repository`() async throws {
        try await withFixture { fixture in
            var first = PackWriter()
            let base = [UInt8](repeating: 65, count: 1000)
            let blob = first.add(.blob, base)
            let parent = first.commit(first.tree([("100644", Array("a".utf8), blob)]))
            let client = RawClient(server: fixture.server)
            #expect(try await client.push(parent, first.finished()).report.first == "unpack ok")
            var second = PackWriter()
            // Copy 1000 bytes from offset 0, then insert one.
            second.addDelta(base: blob, PackWriter.varint(1000) + PackWriter.varint(1001) + [0xB0, 0xE8, 0x03, 1, 66])
            let changed = PackWriter.name(.blob, base + [66])
            let commit = second.commit(second.tree([("100644", Array("a".utf8), changed)]), parents: [parent])
            let answer = try await client.push(commit, second.finished(), to: "refs/heads/next")
            #expect(answer.report == ["unpack ok", "ok refs/heads/next"])
        }
    }

    @Test func `may not make a branch of a tree`() async throws {
        try await withFixture { fixture in
            var writer = PackWriter()
            let tree = writer.tree([])
            let answer = try await RawClient(server: fixture.server).push(tree, writer.finished())
            #expect(answer.report == ["unpack ok", "ng refs/heads/main a branch can only name a commit"])
            #expect(fixture.packs.isEmpty)
        }
    }

    @Test func `of nothing names what is missing`() async throws {
        try await withFixture { fixture in
            let absent = [UInt8](repeating: 3, count: 20)
            let answer = try await RawClient(server: fixture.server).push(absent, PackWriter().finished())
            #expect(answer.report == ["unpack ok", "ng refs/heads/main missing necessary objects"])
        }
    }
}
