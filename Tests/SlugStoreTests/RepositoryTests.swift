import SlugStoreTesting
import SystemPackage
import TestSupport
import Testing

@testable import SlugStore

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

@Suite struct RepositoryTests {
    private func fileNumber(_ path: FilePath) throws -> UInt {
        try #require(try FileManager.default.attributesOfItem(atPath: path.string)[.systemFileNumber] as? UInt)
    }

    /// Every file below a directory with its content, to see that nothing changed.
    private func files(below directory: FilePath) throws -> [String: Data] {
        var files: [String: Data] = [:]
        for path in try FileManager.default.subpathsOfDirectory(atPath: directory.string) where path != "lock" {
            files[path] = (try? Data(contentsOf: URL(filePath: directory.appending(path).string))) ?? Data()
        }
        return files
    }

    private func onlyPack(in repository: FilePath) throws -> FilePath {
        let packs = try FileManager.default.contentsOfDirectory(atPath: repository.appending("packs").string)
        try #require(packs.count == 1)
        return repository.appending("packs").appending(packs[0])
    }

    private func entries(_ directory: FilePath, _ name: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: directory.appending(name).string)
    }

    @Test func `stores thousands of small files as a few large ones`() async throws {
        try await withTemporaryDirectory { directory in
            var entries: [String: TestTree.Entry] = [:]
            for number in 0..<600 { entries["d\(number % 20)/f\(number)"] = .file("content \(number)") }
            try TestTree(entries).write(to: directory.appending("tree"))
            let repository = makeRepository(directory.appending("repository"))
            let summary = try await repository.put(directory.appending("tree"), metadata: SlugMetadata())
            #expect(summary.files == 600)
            #expect(try self.entries(directory.appending("repository"), "packs").count == 1)
            #expect(try self.entries(directory.appending("repository"), "slugs").count == 1)
            #expect(try self.entries(directory.appending("repository"), "tmp").isEmpty)
            // The second release changes one file: it costs about one chunk of the file and two of the manifest.
            try TestTree(["d7/f7": .file("changed")]).write(to: directory.appending("tree"))
            let second = try await repository.put(directory.appending("tree"), metadata: SlugMetadata())
            #expect(second.newBytesStored < summary.newBytesStored / 4)
        }
    }

    @Test func `gives all files the same time and only the executable bit`() async throws {
        try await withTemporaryDirectory { directory in
            try TestTree(["d/set": .file("x", executable: true), "d/private": .file("y")])
                .write(to: directory.appending("tree"))
            let set = directory.appending("tree/d/set").string
            try FileManager.default.setAttributes([.posixPermissions: 0o6711], ofItemAtPath: set)
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o600], ofItemAtPath: directory.appending("tree/d/private").string)
            let repository = makeRepository(directory.appending("repository"))
            let id = try await repository.put(directory.appending("tree"), metadata: SlugMetadata()).id
            let tree = try await repository.materialise(id).path
            for (name, mode) in [("d", 0o755), ("d/set", 0o755), ("d/private", 0o644), ("", 0o755)] {
                let attributes = try FileManager.default.attributesOfItem(atPath: tree.appending(name).string)
                #expect(attributes[.posixPermissions] as? UInt == UInt(mode), "\(name)")
                #expect((attributes[.modificationDate] as? Date)?.timeIntervalSince1970 == 315_532_800, "\(name)")
            }
        }
    }

    @Test func `keeps names that are not UTF-8`() async throws {
        try await withTemporaryDirectory { directory in
            try TestTree([:]).write(to: directory.appending("tree"))
            let root = try Descriptor.directory(at: directory.appending("tree"))
            try root.makeDirectory([0xff, 0x41], mode: 0o755, "")
            try root.makeLink([0xfe], to: [0xff, 0x41], "")
            let repository = makeRepository(directory.appending("repository"))
            let id = try await repository.put(directory.appending("tree"), metadata: SlugMetadata()).id
            let tree = try Descriptor.directory(at: try await repository.materialise(id).path)
            #expect(try tree.entries("").map(\.name).sorted { $0[0] < $1[0] } == [[0xfe], [0xff, 0x41]])
            #expect(try tree.linkTarget(of: [0xfe], limit: 100, "") == [0xff, 0x41])
        }
    }

    @Test func `refuses what is no file and says where it is`() async throws {
        try await withTemporaryDirectory { directory in
            try TestTree(["a/b": .directory]).write(to: directory.appending("tree"))
            #expect(mkfifo(directory.appending("tree/a/b/pipe").string, 0o600) == 0)
            let repository = makeRepository(directory.appending("repository"))
            let error = await slugStoreError { () throws(SlugStoreError) in
                _ = try await repository.put(directory.appending("tree"), metadata: SlugMetadata())
            }
            #expect(error?.code == .unsupportedEntry)
            #expect(error?.message.contains("a/b/pipe is a FIFO") == true)
        }
    }

    @Test func `notices a file that changes while it is read`() async throws {
        try await withTemporaryDirectory { directory in
            var random = SeededGenerator(seed: 9)
            try TestTree(["a": .file("x"), "big": .file(random.bytes(3 << 20))]).write(to: directory.appending("tree"))
            let root = try Descriptor.directory(at: directory.appending("tree"))
            let file = try TreeFile(TreePath(unchecked: Array("big".utf8)), in: root)
            let other = try root.open("big".utf8, O_WRONLY, "")
            try [UInt8](repeating: 1, count: 10).withBytes { bytes throws(SlugStoreError) in
                try other.write(bytes, at: 3 << 20, "")
            }
            let error = await slugStoreError { () throws(SlugStoreError) in try file.finish(bytesRead: 3 << 20) }
            #expect(error?.code == .changedWhileReading)
            #expect(error?.message.contains("big") == true)
        }
    }

    enum Limit: CaseIterable { case entries, depth, path, metadata }

    @Test(arguments: Limit.allCases)
    func `refuses a tree over a limit`(limit: Limit) async throws {
        try await withTemporaryDirectory { directory in
            try TestTree(["a/b/c": .file("1"), "a/b/d": .file("2")]).write(to: directory.appending("tree"))
            let metadata = SlugMetadata(labels: ["k": "v"])
            for (missing, expected) in [(1, SlugStoreError.Code.limitExceeded), (0, nil)] {
                let repository = makeRepository(directory.appending("repository")) { configuration in
                    switch limit {
                    case .entries: configuration.limits.maxEntries = 4 - missing
                    case .depth: configuration.limits.maxDepth = 2 - missing
                    case .path: configuration.limits.maxPathLength = 5 - missing
                    case .metadata: configuration.limits.maxMetadataBytes = 2 - missing
                    }
                }
                let error = await slugStoreError { () throws(SlugStoreError) in
                    _ = try await repository.put(directory.appending("tree"), metadata: metadata)
                }
                #expect(error?.code == expected)
            }
        }
    }

    @Test func `refuses a tree of too many bytes and leaves the repository as it was`() async throws {
        try await withTemporaryDirectory { directory in
            var random = SeededGenerator(seed: 10)
            try TestTree(["a": .file(random.bytes(3 << 20))]).write(to: directory.appending("tree"))
            let path = directory.appending("repository")
            let repository = makeRepository(path) { $0.limits.maxTreeBytes = (3 << 20) - 1 }
            _ = try await repository.list()
            let before = try self.files(below: path)
            let error = await slugStoreError { () throws(SlugStoreError) in
                _ = try await repository.put(directory.appending("tree"), metadata: SlugMetadata())
            }
            #expect(error?.code == .limitExceeded)
            #expect(try self.files(below: path) == before)
        }
    }

    @Test func `sweeps what a crash left when it is opened next`() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory.appending("repository")
            try TestTree(["a": .file("x")]).write(to: directory.appending("tree"))
            let id = try await makeRepository(path).put(directory.appending("tree"), metadata: SlugMetadata()).id
            let before = try self.files(below: path)
            // Half a pack, half a record, half a tree.
            try TestTree(["1-1": .file("slipway-pack"), "1-2": .file("{"), "1-3/a": .file("x")]).write(
                to: path.appending("tmp"))
            #expect(try await makeRepository(path).list().map(\.id) == [id])
            #expect(try self.files(below: path) == before)
        }
    }

    @Test func `leaves what another process is at work on`() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory.appending("repository")
            _ = try await makeRepository(path).list()
            try TestTree(["1-1": .file("slipway-pack")]).write(to: path.appending("tmp"))
            // A lock belongs to an open file, so a second one in this process is like one in another.
            let other = try RepositoryDirectory(path: path, synchronises: false)
            let lock = try #require(try other.lock(exclusively: false))
            #expect(try await makeRepository(path).list().isEmpty)
            #expect(try self.entries(path, "tmp") == ["1-1"])
            withExtendedLifetime(lock) {}
        }
    }

    @Test func `waits for another process and gives up in time`() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory.appending("repository")
            try TestTree(["a": .file("x")]).write(to: directory.appending("tree"))
            let other = try RepositoryDirectory(path: path, synchronises: false)
            let lock = try #require(try other.lock(exclusively: true))
            let repository = makeRepository(path) { $0.lockTimeout = .milliseconds(50) }
            let error = await slugStoreError { () throws(SlugStoreError) in
                _ = try await repository.put(directory.appending("tree"), metadata: SlugMetadata())
            }
            #expect(error?.code == .busy)
            withExtendedLifetime(lock) {}
        }
    }

    @Test func `two repositories on one directory see each other's slugs and collections`() async throws {
        try await withTemporaryDirectory { directory in
            let (one, two) = (makeRepository(directory.appending("r")), makeRepository(directory.appending("r")))
            try TestTree.random(seed: 30).write(to: directory.appending("a"))
            try TestTree.random(seed: 31).write(to: directory.appending("b"))
            let a = try await one.put(directory.appending("a"), metadata: SlugMetadata()).id
            try await two.verify(a)
            let b = try await two.put(directory.appending("b"), metadata: SlugMetadata()).id
            try await one.verify(b)
            try await one.remove(a)
            #expect(try await two.collectGarbage().slugs == 1)
            // The first one must not take chunks for stored that the second one has removed.
            let again = try await one.put(directory.appending("a"), metadata: SlugMetadata())
            #expect(again.id == a)
            #expect(again.newBytesStored > 0)
            try await two.verify(a)
        }
    }

    @Test func `says which chunk of which file is damaged`() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory.appending("repository")
            var random = SeededGenerator(seed: 11)
            let content = random.bytes(50_000)
            try TestTree(["lib/data": .file(content)]).write(to: directory.appending("tree"))
            let repository = makeRepository(path)
            let id = try await repository.put(directory.appending("tree"), metadata: SlugMetadata()).id
            let pack = try self.onlyPack(in: path)
            var bytes = try Data(contentsOf: URL(filePath: pack.string))
            bytes[2000] ^= 1
            try bytes.write(to: URL(filePath: pack.string))
            for verifies in [true, false] {
                let error = await slugStoreError { () throws(SlugStoreError) in
                    if verifies { try await repository.verify(id) } else { _ = try await repository.materialise(id) }
                }
                #expect(error?.code == .corrupted)
                #expect(error?.message.contains(ChunkID(of: content).description) == true)
                #expect(error?.message.contains("lib/data") == true)
                #expect(error?.message.contains(pack.lastComponent?.string ?? "-") == true)
            }
            #expect(try self.entries(path, "trees").isEmpty)
            #expect(try self.entries(path, "tmp").isEmpty)
        }
    }

    @Test(arguments: [true, false])
    func `looks at a tree from before a power failure before it is used`(damaged: Bool) async throws {
        try await withTemporaryDirectory { directory in
            let path = directory.appending("repository")
            let tree = TestTree(["a/b": .file("content"), "c": .file("more")])
            try tree.write(to: directory.appending("tree"))
            let repository = makeRepository(path)
            let id = try await repository.put(directory.appending("tree"), metadata: SlugMetadata()).id
            let made = try await repository.materialise(id).path
            let before = try self.fileNumber(made)
            if damaged { try Data().write(to: URL(filePath: made.appending("a/b").string)) }
            // In the same start of the machine, nobody looks.
            #expect(try await (TestTree(readingAt: makeRepository(path).materialise(id).path) == tree) == !damaged)
            try Data("another start".utf8).write(to: URL(filePath: made.string + ".sound"))
            #expect(try await TestTree(readingAt: makeRepository(path).materialise(id).path) == tree)
            let after = try self.fileNumber(made)
            if !damaged { #expect(after == before) }
            try await repository.remove(id)
            #expect(try self.entries(path, "trees").isEmpty)
        }
    }

    @Test func `heals a lost pack by another put and keeps the other slugs working`() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory.appending("repository")
            try TestTree.random(seed: 40).write(to: directory.appending("a"))
            let a = try await makeRepository(path).put(directory.appending("a"), metadata: SlugMetadata()).id
            let lost = try self.onlyPack(in: path)
            try TestTree.random(seed: 41).write(to: directory.appending("b"))
            let b = try await makeRepository(path).put(directory.appending("b"), metadata: SlugMetadata()).id
            try Data("not a pack".utf8).write(to: URL(filePath: lost.string))
            let repository = makeRepository(path)
            try await repository.verify(b)
            #expect(
                await slugStoreError { () throws(SlugStoreError) in try await repository.verify(a) }?.code == .corrupted
            )
            #expect(
                await slugStoreError { () throws(SlugStoreError) in _ = try await repository.collectGarbage() }?.code
                    == .corrupted)
            #expect(try await repository.put(directory.appending("a"), metadata: SlugMetadata()).id == a)
            try await repository.verify(a)
            try await makeRepository(path).verify(a)
        }
    }

    @Test func `a damaged record hides no other slug and can be removed`() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory.appending("repository")
            let repository = makeRepository(path)
            try TestTree(["a": .file("1")]).write(to: directory.appending("tree"))
            let good = try await repository.put(directory.appending("tree"), metadata: SlugMetadata()).id
            let bad = try await repository.put(directory.appending("tree"), metadata: SlugMetadata(labels: ["a": "b"]))
                .id
            let record = path.appending("slugs").appending(bad.hex)
            var bytes = try Data(contentsOf: URL(filePath: record.string))
            bytes[40] ^= 1
            try bytes.write(to: URL(filePath: record.string))
            #expect(try await repository.list().map(\.id) == [good])
            #expect(
                await slugStoreError { () throws(SlugStoreError) in _ = try await repository.materialise(bad) }?.code
                    == .corrupted)
            try await repository.remove(bad)
            _ = try await repository.collectGarbage()
            try await repository.verify(good)
        }
    }

    @Test func `refuses a repository of another format`() async throws {
        try await withTemporaryDirectory { directory in
            try TestTree(["format": .file("slipway-slugs 9\n")]).write(to: directory.appending("repository"))
            let error = await slugStoreError { () throws(SlugStoreError) in
                _ = try await makeRepository(directory.appending("repository")).list()
            }
            #expect(error?.code == .unsupportedFormat)
        }
    }

    @Test func `a format that was never written is written`() async throws {
        try await withTemporaryDirectory { directory in
            try TestTree(["a": .file("1")]).write(to: directory.appending("tree"))
            let path = directory.appending("repository")
            try TestTree(["format": .file("")]).write(to: path)
            let id = try await makeRepository(path).put(directory.appending("tree"), metadata: SlugMetadata()).id
            #expect(try path.appending("format").contents() == Array(RepositoryDirectory.format.utf8))
            for lost in [true, false] {
                if lost {
                    try FileManager.default.removeItem(atPath: path.appending("format").string)
                } else {
                    try path.appending("format").write([])
                }
                try await makeRepository(path).verify(id)
                #expect(try path.appending("format").contents() == Array(RepositoryDirectory.format.utf8))
            }
            #expect(try names(in: path).allSatisfy { !$0.hasPrefix(".") })
        }
    }

    @Test func `garbage collection merges small packs and keeps every slug`() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory.appending("repository")
            let repository = makeRepository(path)
            var trees: [SlugID: TestTree] = [:]
            for seed in 100..<UInt64(124) {
                let tree = TestTree.random(seed: seed, entries: 12)
                try tree.write(to: directory.appending("\(seed)"))
                trees[try await repository.put(directory.appending("\(seed)"), metadata: SlugMetadata()).id] = tree
            }
            for id in trees.keys.sorted().prefix(5) {
                try await repository.remove(id)
                trees[id] = nil
            }
            #expect(try self.entries(path, "packs").count > 16)
            #expect(try await repository.collectGarbage().slugs == 5)
            #expect(try self.entries(path, "packs").count < 5)
            for repository in [repository, makeRepository(path)] {
                for (id, tree) in trees {
                    try await repository.verify(id)
                    #expect(try await TestTree(readingAt: repository.materialise(id).path) == tree)
                }
            }
            #expect(try await repository.collectGarbage() == GarbageReport())
        }
    }

    @Test func `garbage collection beside puts loses nothing`() async throws {
        try await withTemporaryDirectory { directory in
            let repository = makeRepository(directory.appending("repository"))
            try await withThrowingTaskGroup(of: Void.self) { group in
                for seed in 200..<UInt64(206) {
                    group.addTask {
                        let path = directory.appending("\(seed)")
                        try TestTree.random(seed: seed).write(to: path)
                        for round in 0..<3 {
                            let id = try await repository.put(path, metadata: SlugMetadata(labels: ["r": "\(round)"]))
                                .id
                            try await repository.verify(id)
                            if round < 2 { try await repository.remove(id) }
                        }
                    }
                }
                group.addTask { for _ in 0..<6 { _ = try await repository.collectGarbage() } }
                try await group.waitForAll()
            }
            let slugs = try await repository.list()
            #expect(slugs.count == 6)
            for slug in slugs { try await repository.verify(slug.id) }
        }
    }
}
