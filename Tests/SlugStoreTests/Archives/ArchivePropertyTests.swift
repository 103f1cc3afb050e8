import Foundation
import SlugStore
import SlugStoreTesting
import SystemPackage
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Trees that any program packs come back as they were; damaged, they come back as they were or not at all.
@Suite(.timeLimit(.minutes(10))) struct ArchivePropertyTests {
    /// Who makes an archive of the directory `tree` in the file `archive`.
    enum Packer: String, CaseIterable, Sendable {
        case own, ownGzip, ownPlain, tar, tarPax, tarSparse, bsdtar, bsdtarZip, zip, zipStored, zipStreamed, python

        var needs: String? {
            switch self {
            case .own, .ownGzip, .ownPlain: nil
            case .tar, .tarPax, .tarSparse: "tar"
            case .bsdtar, .bsdtarZip: "bsdtar"
            case .zip, .zipStored, .zipStreamed: "zip"
            case .python: "python3"
            }
        }

        func pack(_ tree: FilePath, into archive: FilePath) async throws {
            switch self {
            case .own: _ = try await TreeArchiver().write(tree, to: archive)
            case .ownGzip: _ = try await TreeArchiver(compression: .gzip()).write(tree, to: archive)
            case .ownPlain: _ = try await TreeArchiver(compression: .none).write(tree, to: archive)
            case .tar: try Program.run("tar", ["-czf", archive.string, "."], in: tree)
            case .tarPax: try Program.run("tar", ["--format=pax", "-cf", archive.string, "."], in: tree)
            case .tarSparse: try Program.run("tar", ["--format=gnu", "-S", "-cf", archive.string, "."], in: tree)
            case .bsdtar: try Program.run("bsdtar", ["--format", "pax", "-czf", archive.string, "."], in: tree)
            case .bsdtarZip: try Program.run("bsdtar", ["--format", "zip", "-cf", archive.string, "."], in: tree)
            case .zip:
                // It would add .zip to the name.
                try Program.run("zip", ["-q", "-r", "-y", archive.string + ".zip", "."], in: tree)
                try FileManager.default.moveItem(atPath: archive.string + ".zip", toPath: archive.string)
            case .zipStored:
                try Program.run("zip", ["-q", "-0", "-r", "-y", archive.string + ".zip", "."], in: tree)
                try FileManager.default.moveItem(atPath: archive.string + ".zip", toPath: archive.string)
            case .zipStreamed:
                // To standard output it cannot go back, so sizes come after the contents.
                try Program.run("sh", ["-c", "zip -q -r -y - . >\"$0\"", archive.string], in: tree)
            case .python:
                try Program.run(
                    "python3",
                    [
                        "-c", "import tarfile, sys; t = tarfile.open(sys.argv[1], 'w:gz'); t.add('.', '.'); t.close()",
                        archive.string,
                    ], in: tree)
            }
        }
    }

    /// A random tree without what archives are refused for: links that leave it and names that differ in case alone. `zip`
    /// itself makes nothing of an empty tree.
    private static func tree(seed: UInt64, entries: Int) -> TestTree {
        var entries = TestTree.random(seed: seed, entries: entries).entries
        entries["always"] = .file("here")
        var seen: Set<String> = []
        for path in entries.keys.sorted() {
            if case .link(let target)? = entries[path], target.hasPrefix("/") || target.contains("..") {
                entries[path] = .link("always")
            }
            // A directory that is left out takes its content with it.
            let isKept = seen.insert(path.lowercased()).inserted
            let parent = FilePath(path).removingLastComponent().string
            if !isKept || !parent.isEmpty && entries[parent] == nil { entries[path] = nil }
        }
        return TestTree(entries)
    }

    @Test(arguments: Packer.allCases.filter { $0.needs.map(Program.has) ?? true })
    func `come back as they were`(packer: Packer) async throws {
        for seed in 0..<6 {
            try await withTemporaryDirectory { directory in
                let tree = Self.tree(seed: UInt64(seed), entries: 30)
                try tree.write(to: directory.appending("tree"))
                try await packer.pack(directory.appending("tree"), into: directory.appending("archive"))
                _ = try await ArchiveExtractor().extract(
                    archiveAt: directory.appending("archive"), into: directory.appending("copy"))
                #expect(try TestTree(readingAt: directory.appending("copy")) == tree, "seed \(seed)")
                let bytes = try directory.appending("archive").contents()
                _ = try await ArchiveExtractor().extract(
                    Pieces(bytes: bytes, size: 777), into: directory.appending("streamed"))
                #expect(try TestTree(readingAt: directory.appending("streamed")) == tree, "seed \(seed)")
            }
        }
    }

    @Test(
        .enabled(
            if: ["tar", "bsdtar", "zip"].allSatisfy(Program.has), "tar, bsdtar or zip is not installed"),
        arguments: Packer.allCases.filter { $0.needs.map(Program.has) ?? true })
    func `stay inside when any one byte is another`(packer: Packer) async throws {
        try await withTemporaryDirectory { directory in
            let tree = Self.tree(seed: 3, entries: 8)
            try tree.write(to: directory.appending("tree"))
            try await packer.pack(directory.appending("tree"), into: directory.appending("archive"))
            let bytes = try directory.appending("archive").contents()
            try FileManager.default.removeItem(atPath: directory.appending("tree").string)
            var random = SeededGenerator(seed: 7)
            for _ in 0..<150 {
                var damaged = bytes
                let position = Int.random(in: 0..<damaged.count, using: &random)
                damaged[position] ^= UInt8.random(in: 1...255, using: &random)
                let copy = directory.appending("copy")
                let error = await slugStoreError { [damaged] () throws(SlugStoreError) in
                    _ = try await ArchiveExtractor().extract(Pieces(bytes: damaged), into: copy)
                }
                let left = try names(in: directory)
                #expect(left == (error == nil ? ["archive", "copy"] : ["archive"]), "byte \(position)")
                guard error == nil else { continue }
                // What has a checksum over all of it is the same tree or none.
                if [.own, .ownGzip, .tar, .bsdtar, .python].contains(packer) {
                    #expect(try TestTree(readingAt: copy) == tree, "byte \(position)")
                }
                try FileManager.default.removeItem(atPath: copy.string)
            }
        }
    }

    @Test(.enabled(if: Program.has("tar"), "tar is not installed"), arguments: ["gnu", "pax"])
    func `holes are zeros, also at the end`(format: String) async throws {
        try await withTemporaryDirectory { directory in
            let tree = directory.appending("tree")
            try TestTree(["sparse": .file([1])]).write(to: tree)
            #expect(truncate(tree.appending("sparse").string, 300_000) == 0)
            try Program.run(
                "tar",
                [
                    "--format=\(format)", "--hole-detection=raw", "-S", "-cf", directory.appending("archive").string,
                    ".",
                ],
                in: tree)
            #expect(try directory.appending("archive").contents().count < 100_000)
            _ = try await ArchiveExtractor().extract(
                archiveAt: directory.appending("archive"), into: directory.appending("copy"))
            #expect(try TestTree(readingAt: directory.appending("copy")) == TestTree(readingAt: tree))
        }
    }

    @Test(arguments: Compressed.allCases)
    func `is cut off nowhere without being noticed`(compressed: Compressed) async throws {
        try await withTemporaryDirectory { directory in
            try TestTree(["a/b": .file("text"), "l": .link("a"), "x": .file([UInt8](repeating: 0, count: 600))]).write(
                to: directory.appending("tree"))
            _ = try await TreeArchiver(compression: compressed.compression).write(
                directory.appending("tree"), to: directory.appending("archive"))
            let bytes = try directory.appending("archive").contents()
            // The second of the two blocks that end a plain one says nothing new. Plain ones are long: around each block, and
            // here and there in it.
            let cuts = (0..<(compressed == .plain ? bytes.count - 512 : bytes.count)).filter {
                compressed != .plain || [0, 1, 511].contains($0 % 512) || $0 % 101 == 0
            }
            for count in cuts {
                let error = await slugStoreError { () throws(SlugStoreError) in
                    _ = try await ArchiveExtractor().extract(
                        Pieces(bytes: Array(bytes[..<count]), size: 10_000), into: directory.appending("copy"))
                }
                #expect(error?.code == .invalidArchive, "cut at \(count)")
            }
            #expect(try names(in: directory) == ["archive", "tree"])
        }
    }
}
