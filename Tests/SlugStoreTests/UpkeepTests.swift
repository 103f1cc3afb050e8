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

@Suite struct UpkeepTests {
    private static let tree = TestTree([
        "Procfile": .file("web: bin/run\n"), "bin/run": .file("#!/bin/sh\n", executable: true), "current": .link("bin"),
        "lib/empty": .file(""), "lib/text": .file(String(repeating: "some text that compresses\n", count: 200)),
    ])

    /// A repository with one slug of ``tree`` whose tree was made, or not.
    private func withSlug<R>(
        of tree: TestTree = Self.tree, materialised: Bool = false,
        _ body: (_ directory: FilePath, _ path: FilePath, _ id: SlugID) async throws -> R
    ) async throws -> R {
        try await withTemporaryDirectory { directory in
            let path = directory.appending("repository")
            try tree.write(to: directory.appending("tree"))
            let repository = makeRepository(path)
            let id = try await repository.put(directory.appending("tree"), metadata: SlugMetadata()).id
            if materialised { _ = try await repository.materialise(id) }
            return try await body(directory, path, id)
        }
    }

    private func files(in repository: FilePath) throws -> [FilePath] {
        try FileManager.default.subpathsOfDirectory(atPath: repository.string).sorted()
            .map { repository.appending($0) }
            .filter { path in
                let type = try FileManager.default.attributesOfItem(atPath: path.string)[.type] as? FileAttributeType
                return type == .typeRegular && path.lastComponent != "lock" && path.lastComponent != "format"
            }
    }

    // MARK: Verification

    @Test func `finds nothing wrong with what is sound`() async throws {
        try await self.withSlug(materialised: true) { _, path, _ in
            let report = try await makeRepository(path).verifyAll()
            #expect(report.isSound)
            #expect(report.slugs == 1)
            #expect(report.chunks >= 3)
            #expect(report.bytes > 0)
        }
    }

    /// Every byte of every pack, record and signature, one bit of each: found, or of no consequence. What it never does is
    /// to reach a tree.
    @Test func `finds a flipped bit in any byte and lets none into a tree`() async throws {
        let signer = SlugSigner()
        try await self.withSlug { directory, path, id in
            try await makeRepository(path).sign(id, by: signer)
            var random = SeededGenerator(seed: 5)
            for file in try self.files(in: path) {
                let sound = try Data(contentsOf: URL(filePath: file.string))
                for index in sound.indices {
                    var bytes = sound
                    // Not every bit of a frame's head means something to those who decompress it: there, bit 4.
                    let bit = index == 20 ? 4 : UInt8.random(in: 0..<8, using: &random)
                    bytes[index] ^= 1 << bit
                    try bytes.write(to: URL(filePath: file.string))
                    let repository = makeRepository(path)
                    let report = try await repository.verifyAll()
                    #expect(!report.isSound, "byte \(index) of \(file.lastComponent?.string ?? "")")
                    do {
                        let made = try await repository.materialise(id).path
                        #expect(try TestTree(readingAt: made) == Self.tree)
                    } catch let error as SlugStoreError {
                        #expect(error.code == .corrupted || error.code == .unsupportedFormat)
                    }
                    try FileManager.default.removeItem(atPath: path.appending("trees").string)
                }
                try sound.write(to: URL(filePath: file.string))
            }
            #expect(try await makeRepository(path).verifyAll().isSound)
        }
    }

    @Test func `finds a changed tree and has it made again`() async throws {
        try await self.withSlug(materialised: true) { _, path, id in
            let repository = makeRepository(path)
            let made = try await repository.materialise(id).path
            try Data("changed".utf8).write(to: URL(filePath: made.appending("lib/text").string))
            let report = try await repository.verifyAll()
            #expect(report.damages.count == 1)
            #expect(report.damages.first?.description.contains("\(id)") == true)
            #expect(report.damagedSlugs.isEmpty)
            #expect(try await TestTree(readingAt: repository.materialise(id).path) == Self.tree)
            #expect(try await repository.verifyAll().isSound)
        }
    }

    @Test func `reads the share that it is told to`() async throws {
        var random = SeededGenerator(seed: 17)
        let files = (0..<40).map { ("f\($0)", TestTree.Entry.file(random.bytes(200_000))) }
        let tree = TestTree(Dictionary(uniqueKeysWithValues: files))
        try await self.withSlug(of: tree) { _, path, _ in
            let repository = makeRepository(path)
            let all = try await repository.verifyAll()
            var options = VerificationOptions()
            options.share = 0.25
            let some = try await repository.verifyAll(
                options, clock: ContinuousClock(), randomness: SeededGenerator(seed: 3), progress: nil)
            #expect(some.chunks > 0)
            #expect(some.chunks < all.chunks)
            options.share = 0
            let none = try await repository.verifyAll(
                options, clock: ContinuousClock(), randomness: SeededGenerator(seed: 3), progress: nil)
            #expect(none.chunks == 0)
        }
    }

    @Test func `keeps to its pace`() async throws {
        try await self.withSlug { (_, path: FilePath, _) async throws in
            let clock = ManualClock()
            let repository = makeRepository(path)
            var options = VerificationOptions()
            options.maxBytesPerSecond = 100
            let check = Task { [options] () async throws -> VerificationReport in
                try await repository.verifyAll(
                    options, clock: clock, randomness: SeededGenerator(seed: 3), progress: nil)
            }
            // What is read at once is read at once; then it waits for as long as that should have taken.
            await clock.sleepers(atLeast: 1)
            clock.advance(by: .seconds(60))
            #expect(try await check.value.isSound)
        }
    }

    // MARK: Repair

    @Test(arguments: ["frame", "index", "record", "pack"])
    func `brings back from another repository what is damaged`(what: String) async throws {
        try await self.withSlug { directory, path, id in
            let other = makeRepository(directory.appending("other"))
            #expect(try await other.put(directory.appending("tree"), metadata: SlugMetadata()).id == id)
            var random = SeededGenerator(seed: 9)
            try TestTree(["mine": .file(random.bytes(300_000))]).write(to: directory.appending("second"))
            let second = try await makeRepository(path).put(directory.appending("second"), metadata: SlugMetadata()).id
            let first = try self.files(in: path).filter { $0.string.contains("/packs/") }
                .min { try FileManager.default.size(of: $0) < FileManager.default.size(of: $1) }
            let pack = try #require(first)
            switch what {
            case "frame": try self.flip(20, of: pack)
            case "index": try self.flip(-70, of: pack)
            case "record": try self.flip(10, of: path.appending("slugs").appending(id.hex))
            default: try FileManager.default.removeItem(atPath: pack.string)
            }
            let repository = makeRepository(path)
            #expect(try await repository.verifyAll().damagedSlugs == [id])
            let report = try await repository.repair(from: other)
            #expect(report.repaired == [id])
            #expect(report.lost.isEmpty)
            for repository in [repository, makeRepository(path)] {
                #expect(try await repository.verifyAll().isSound)
                try await repository.verify(id)
                try await repository.verify(second)
                #expect(try await TestTree(readingAt: repository.materialise(id).path) == Self.tree)
            }
            #expect(try await repository.repair(from: other) == RepairReport())
        }
    }

    @Test func `keeps what it cannot repair, and all that is sound`() async throws {
        var random = SeededGenerator(seed: 2)
        var first = Self.tree.entries
        first["only"] = .file(random.bytes(1_000))
        try await self.withSlug(of: TestTree(first)) { directory, path, id in
            var tree = Self.tree.entries
            tree["only"] = .file("another")
            tree["more"] = .file("more")
            try TestTree(tree).write(to: directory.appending("second"))
            let second = try await makeRepository(path).put(directory.appending("second"), metadata: SlugMetadata()).id
            let other = makeRepository(directory.appending("other"))
            _ = try await other.put(directory.appending("second"), metadata: SlugMetadata())
            for pack in try self.files(in: path).filter({ $0.string.contains("/packs/") }) {
                try self.flip(20, of: pack)
            }
            let repository = makeRepository(path)
            let report = try await repository.repair(from: other)
            #expect(report.repaired == [second])
            #expect(Array(report.lost.keys) == [id])
            #expect(report.lost[id]?.contains("There is no slug \(id)") == true)
            #expect(try await TestTree(readingAt: repository.materialise(second).path) == TestTree(tree))
            #expect(try names(in: path.appending("damaged")).count == 2)
            let error = await slugStoreError { () throws(SlugStoreError) in try await repository.verify(id) }
            #expect(error?.code == .corrupted)
        }
    }

    @Test func `a pack of another version is not damaged, and is left alone`() async throws {
        try await self.withSlug { directory, path, id in
            let pack = try #require(try self.files(in: path).first { $0.string.contains("/packs/") })
            let bytes = try pack.contents()
            var other = bytes
            (other[15], other[other.count - 1]) = (9, 9)
            let name = try #require(pack.lastComponent?.string)
            func error() async throws -> SlugStoreError? {
                let repository = try RepositoryDirectory(path: path, synchronises: false)
                return await slugStoreError { () throws(SlugStoreError) in _ = try repository.readPackIndex(name) }
            }
            // One end alone is damaged.
            for index in [15, bytes.count - 1] {
                var damaged = bytes
                damaged[index] = 9
                try pack.write(damaged)
                #expect(try await error()?.code == .corrupted)
            }
            try pack.write(other)
            #expect(try await error()?.code == .unsupportedFormat)
            #expect(try await error()?.message.contains("version 9") == true)

            let repository = makeRepository(path)
            try TestTree(["mine": .file("mine")]).write(to: directory.appending("second"))
            let second = try await repository.put(directory.appending("second"), metadata: SlugMetadata()).id
            _ = try await repository.materialise(second)
            let report = try await repository.verifyAll()
            #expect(report.damages.contains { $0.description.contains("version 9") && $0.slugs.isEmpty })
            #expect(report.damagedSlugs == [id])
            _ = await slugStoreError { () throws(SlugStoreError) in _ = try await repository.collectGarbage() }
            try await repository.setDamageAside()
            #expect(try pack.contents() == other)
            let sound = makeRepository(directory.appending("other"))
            _ = try await sound.put(directory.appending("tree"), metadata: SlugMetadata())
            #expect(try await repository.repair(from: sound).repaired == [id])
            _ = try await repository.materialise(id)
            // By one that holds the same, and so has its name.
            #expect(try pack.contents() == bytes)
        }
    }

    @Test func `counts as repaired what has come back with another slug`() async throws {
        try await self.withSlug { directory, path, id in
            var tree = Self.tree.entries
            tree["more"] = .file("more")
            try TestTree(tree).write(to: directory.appending("second"))
            let other = makeRepository(directory.appending("other"))
            let second = try await other.put(directory.appending("second"), metadata: SlugMetadata()).id
            let repository = makeRepository(path)
            #expect(try await repository.put(directory.appending("second"), metadata: SlugMetadata()).id == second)
            for pack in try self.files(in: path).filter({ $0.string.contains("/packs/") }) {
                try self.flip(20, of: pack)
            }
            let report = try await makeRepository(path).repair(from: other)
            #expect(report.repaired == [id, second].sorted())
            #expect(report.lost.isEmpty)
            try await makeRepository(path).verify(id)
            #expect(!FileManager.default.fileExists(atPath: path.appending("damaged").string))
        }
    }

    private func flip(_ index: Int, of file: FilePath) throws {
        var bytes = try Data(contentsOf: URL(filePath: file.string))
        bytes[index < 0 ? bytes.count + index : index] ^= 1
        try bytes.write(to: URL(filePath: file.string))
    }

    // MARK: Contents

    @Test func `says what a release changed`() async throws {
        try await self.withSlug { directory, path, id in
            let repository = makeRepository(path)
            var entries = Self.tree.entries
            entries["lib/text"] = .file("shorter")
            entries["bin/run"] = .file("#!/bin/sh\n")
            entries["current"] = .link("lib")
            entries["lib/empty"] = nil
            entries["new/file"] = .file("12345")
            try TestTree(entries).write(to: directory.appending("second"))
            let second = try await repository.put(directory.appending("second"), metadata: SlugMetadata()).id
            let difference = try await repository.difference(from: id, to: second)
            #expect(difference.added.map(\.path) == ["new", "new/file"])
            #expect(difference.removed.map(\.path) == ["lib/empty"])
            #expect(difference.changed.map(\.new.path) == ["bin/run", "current", "lib/text"])
            #expect(difference.bytesIn == 5 + 10 + 7)
            #expect(difference.bytesOut == 10 + 5_200)
            #expect(try await repository.difference(from: id, to: id).isEmpty)
            #expect(
                try await repository.contents(of: id).map(\.path)
                    == ["Procfile", "bin", "bin/run", "current", "lib", "lib/empty", "lib/text"])
        }
    }

    // MARK: Room

    @Test func `refuses what the disk has no room for, before it is written`() async throws {
        try await self.withSlug { directory, path, id in
            let full = makeRepository(path) { $0.reservedBytes = .max / 2 }
            try TestTree(["new": .file("new")]).write(to: directory.appending("second"))
            let put = await slugStoreError { () throws(SlugStoreError) in
                _ = try await full.put(directory.appending("second"), metadata: SlugMetadata())
            }
            #expect(put?.code == .noSpace)
            #expect(put?.message.contains("are reserved") == true)
            let made = await slugStoreError { () throws(SlugStoreError) in _ = try await full.materialise(id) }
            #expect(made?.code == .noSpace)
            #expect(made?.message.contains("the tree of \(id)") == true)
            #expect(try names(in: path.appending("tmp")).isEmpty)
            #expect(try await full.list().map(\.id) == [id])
            // What makes room still works.
            try await full.remove(id)
            #expect(try await full.collectGarbage().bytes > 0)
        }
    }
}

extension FileManager {
    fileprivate func size(of file: FilePath) throws -> Int {
        (try self.attributesOfItem(atPath: file.string)[.size] as? Int) ?? 0
    }
}
