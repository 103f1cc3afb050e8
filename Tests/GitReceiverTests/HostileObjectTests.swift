import Foundation
import SystemPackage
import TestSupport
import Testing

@testable import GitReceiver

/// Objects and deltas that git would never write.
@Suite(.timeLimit(.minutes(2)))
struct `A hostile object` {
    private func push(
        to name: String = "refs/heads/main", configure: (inout GitServer.Configuration) -> Void = { _ in },
        _ make: (inout PackWriter) -> [UInt8], tail: [UInt8] = []
    ) async throws -> [String] {
        var report: [String] = []
        try await withFixture(configure: configure) { fixture in
            var writer = PackWriter()
            let commit = make(&writer)
            let client = RawClient(server: fixture.server)
            report = try await client.push(commit, writer.finished() + tail, to: name).report
            #expect(fixture.quarantines.isEmpty)
            if report.first == "unpack ok", GitClient.executable != nil {
                // Of a repository without a branch git says so.
                if name == "refs/heads/main" { #expect(try await fixture.faults() == "") }
            } else {
                #expect(fixture.packs.isEmpty && fixture.handler.pushes.isEmpty)
            }
        }
        return report
    }

    /// A chain of deltas, each of which adds a byte; returns the commit of the last.
    private static func chain(_ writer: inout PackWriter, _ length: Int) -> [UInt8] {
        var data = [UInt8](repeating: 65, count: 300)
        var name = writer.add(.blob, data)
        for number in 0..<length {
            let size = data.count
            let copy: [UInt8] = [0xB0, UInt8(size & 255), UInt8(size >> 8)]
            let byte = UInt8(number & 255)
            writer.addDelta(base: name, PackWriter.varint(size) + PackWriter.varint(size + 1) + copy + [1, byte])
            data.append(byte)
            name = PackWriter.name(.blob, data)
        }
        return writer.commit(writer.tree([("100644", Array("f".utf8), name)]))
    }

    @Test func `may build on others only so deep`() async throws {
        let refused = try await self.push {
            $0.limits.deltaDepth = 10
        } _: {
            Self.chain(&$0, 11)
        }
        #expect(refused.first?.contains("deltas on deltas deeper than 10") == true, "\(refused)")
        let accepted = try await self.push {
            $0.limits.deltaDepth = 10
        } _: {
            Self.chain(&$0, 10)
        }
        #expect(accepted.first == "unpack ok")
    }

    @Test(.needsGit, arguments: [false, true])
    func `in a long chain, in either order, costs what the chain is long`(isReversed: Bool) async throws {
        let report = try await self.push { writer in
            let commit = Self.chain(&writer, 1500)
            if isReversed { writer.reverse() }
            return commit
        }
        #expect(report.first == "unpack ok", "\(report)")
    }

    @Test func `made of deltas may not unpack to more than all may have together`() async throws {
        let report = try await self.push {
            $0.limits.totalObjectBytes = 10_000
        } _: {
            Self.chain(&$0, 100)
        }
        #expect(report.first?.contains("unpacks to more than") == true, "\(report)")
    }

    @Test(arguments: [
        // base size, result size, instructions
        [300, 10, 0x91, 250, 100], [300, 400, 0x90, 255], [300, 10, 0], [300, 10, 20, 1, 2], [299, 1, 1, 65],
        [300, 2, 1, 65], [300, 1, 2, 65, 66], [],
    ])
    func `with a broken delta is refused`(numbers: [Int]) async throws {
        let report = try await self.push { writer in
            let base = writer.add(.blob, [UInt8](repeating: 65, count: 300))
            let delta = numbers.prefix(2).flatMap(PackWriter.varint) + numbers.dropFirst(2).map { UInt8($0) }
            writer.addDelta(base: base, delta)
            return writer.commit(writer.tree([]))
        }
        #expect(report.first?.hasPrefix("unpack the pack is damaged: a delta") == true, "\(report)")
    }

    @Test func `on a base that nobody has is refused`() async throws {
        let report = try await self.push { writer in
            writer.addDelta(base: [UInt8](repeating: 7, count: 20), [1, 1, 1, 65])
            return writer.commit(writer.tree([]))
        }
        #expect(
            report.first == "unpack the pack needs the object \(String(repeating: "07", count: 20)), which was not sent"
        )
    }

    @Test func `of another size than it says, twice, or with something after it is refused`() async throws {
        let smaller = try await self.push { writer in
            writer.add(.blob, [1, 2, 3], declared: 30)
            return writer.commit(writer.tree([]))
        }
        #expect(smaller.first == "unpack the pack is damaged: an object is smaller than it says")
        let twice = try await self.push { writer in
            writer.add(.blob, [1, 2, 3])
            writer.add(.blob, [1, 2, 3])
            return writer.commit(writer.tree([]))
        }
        #expect(twice.first?.hasSuffix("twice") == true, "\(twice)")
        let followed = try await self.push({ $0.commit($0.tree([])) }, tail: [0])
        #expect(followed.first == "unpack the pack is damaged: something follows its end")
    }

    @Test func `of too many entries is refused`() async throws {
        let report = try await self.push {
            $0.limits.treeEntries = 9
        } _: { writer in
            let blob = writer.add(.blob, [])
            return writer.commit(writer.tree((0..<10).map { ("100644", Array("\($0)".utf8), blob) }))
        }
        #expect(report.first?.contains("a directory has more than 9 entries") == true, "\(report)")
    }

    @Test(arguments: [
        ".gitmodules", ".GitModules", ".gitmodules ", ".gitmodules.", ".gitmodules::$DATA", "gitmod~1", "GI7EBA~1",
        ".git\u{200D}modules",
    ])
    func `cannot be a link that stands for the list of submodules`(name: String) async throws {
        let report = try await self.push { writer in
            let blob = writer.add(.blob, Array("target".utf8))
            return writer.commit(writer.tree([("120000", Array(name.utf8), blob)]))
        }
        #expect(report.first?.contains(".gitmodules as a symbolic link") == true, "\(report)")
    }

    @Test(arguments: [".git::$INDEX_ALLOCATION", ".git. .", "GIT~1.", ".gi\u{FEFF}t", "x\\git~1"])
    func `cannot be called what another file system takes for .git`(name: String) async throws {
        let report = try await self.push { writer in
            writer.commit(writer.tree([("40000", Array(name.utf8), writer.tree([]))]))
        }
        #expect(report.first?.contains("take for .git") == true, "\(report)")
    }

    @Test(arguments: [".gitignore", ".github", "git", "gitignore~1", "g.it", ".git-blame-ignore-revs", "ü.git.txt"])
    func `may be called what is harmless`(name: String) async throws {
        let report = try await self.push { writer in
            let blob = writer.add(.blob, [])
            return writer.commit(writer.tree([("100644", Array(name.utf8), blob)]))
        }
        #expect(report.first == "unpack ok", "\(report)")
    }

    @Test func `that is a submodule without a commit is refused`() async throws {
        let report = try await self.push { writer in
            writer.commit(writer.tree([("160000", Array("sub".utf8), [UInt8](repeating: 0, count: 20))]))
        }
        #expect(report.first?.contains("a submodule without a commit") == true, "\(report)")
    }

    private static let person = "A <a@example.com> 1700000000 +0000"

    @Test(arguments: [
        ("author \(person)\ncommitter nobody\n\nx", "malformed author or committer"),
        ("author A <a@example.com> yesterday +0000\ncommitter \(person)\n\nx", "malformed author or committer"),
        ("author A <a@example.com>\ncommitter \(person)\n\nx", "malformed author or committer"),
        ("committer \(person)\nauthor \(person)\n\nx", "no author or committer"),
        ("author \(person)\n\nx", "no author or committer"),
        ("author \(person)\ncommitter \(person)\nencoding\0x\n\nx", "a zero byte in its header"),
        ("author \(person)\ncommitter \(person)\nunended", "no end of its header"),
    ])
    func `that is a malformed commit is refused`(rest: String, reason: String) async throws {
        let report = try await self.push { writer in
            let tree = writer.tree([])
            return writer.add(.commit, Array("tree \(PackWriter.hex(tree))\n\(rest)".utf8))
        }
        #expect(report.first?.contains(reason) == true, "\(report)")
    }

    @Test(arguments: [
        "object 12\ntype commit\ntag v1\n\nx", "object OID\ntype thing\ntag v1\n\nx", "object OID\ntype commit\n\nx",
        "type commit\nobject OID\ntag v1\n\nx", "object OID\ntype tree\ntag v1\ntagger \(person)\n\nx",
        "object OID\ntype commit\ntag v1\ntagger me\n\nx",
    ])
    func `that is a malformed tag is refused`(text: String) async throws {
        let report = try await self.push { writer in
            let commit = writer.commit(writer.tree([]))
            return writer.add(.tag, Array(text.replacingOccurrences(of: "OID", with: PackWriter.hex(commit)).utf8))
        }
        #expect(report.first?.hasPrefix("unpack tag ") == true, "\(report)")
    }

    @Test(arguments: [(32, nil), (33, "tags of tags")])
    func `that is a tag of tags is followed so far and no further`(depth: Int, reason: String?) async throws {
        let report = try await self.push(to: "refs/tags/v1") { writer in
            var target = writer.commit(writer.tree([]))
            for level in 0..<depth {
                let type = level == 0 ? "commit" : "tag"
                let tag = "object \(PackWriter.hex(target))\ntype \(type)\ntag v1\ntagger A <a@b.c> 1 +0000\n\nx"
                target = writer.add(.tag, Array(tag.utf8))
            }
            return target
        }
        #expect(report.first == "unpack ok")
        #expect(report.last?.contains(reason ?? "ok refs/tags/v1") == true)
    }

    @Test(.needsGit) func `of the repository is the base of many in a thin pack`() async throws {
        try await withFixture { fixture in
            let client = RawClient(server: fixture.server)
            var first = PackWriter()
            let bases = (0..<200).map { number in
                let data = [UInt8](repeating: UInt8(number), count: 300)
                return (data: data, name: first.add(.blob, data))
            }
            func entries(_ names: [[UInt8]]) -> [(mode: String, name: [UInt8], oid: [UInt8])] {
                names.enumerated().map { ("100644", Array("\(1000 + $0.offset)".utf8), $0.element) }
            }
            let parent = first.commit(first.tree(entries(bases.map(\.name))))
            #expect(try await client.push(parent, first.finished()).report.first == "unpack ok")
            var second = PackWriter()
            var names: [[UInt8]] = []
            for base in bases {
                second.addDelta(
                    base: base.name, PackWriter.varint(300) + PackWriter.varint(301) + [0xB0, 44, 1, 1, 66])
                names.append(PackWriter.name(.blob, base.data + [66]))
            }
            let commit = second.commit(second.tree(entries(names)), parents: [parent])
            let report = try await client.push(commit, second.finished(), to: "refs/heads/next").report
            #expect(report == ["unpack ok", "ok refs/heads/next"])
            #expect(try await fixture.faults() == "")
            let target = fixture.directory.appending("export")
            #expect(try await fixture.server.export("app", commit: PackWriter.hex(commit), to: target).files == 200)
        }
    }
}
