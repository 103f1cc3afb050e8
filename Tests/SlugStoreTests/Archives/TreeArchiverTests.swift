import SlugStore
import SlugStoreTesting
import SystemPackage
import TestSupport
import Testing

@Suite struct TreeArchiverTests {
    private func bytes(_ archive: TreeArchive) async throws(SlugStoreError) -> [UInt8] {
        var bytes: [UInt8] = []
        for try await piece in archive { bytes += piece }
        return bytes
    }

    private static let tree = TestTree([
        "a/run": .file("x", executable: true), "a/empty": .file(""), "d": .directory, "link": .link("a/run"),
        "ünïcode": .file("name"), "a/block": .file([UInt8](repeating: 7, count: 512)),
        (["l", "o", "n", "g"] + (0..<30).map { "component\($0)" }).joined(separator: "/"): .file("deep"),
        "longlink": .link(String(repeating: "./", count: 100) + "a"),
        "big": .file([UInt8](repeating: 1, count: 700_001)),
    ])

    @Test func `packs a tree that is extracted as it was`() async throws {
        try await withTemporaryDirectory { directory in
            try Self.tree.write(to: directory.appending("tree"))
            let archive = TreeArchiver().archive(directory.appending("tree"))
            let report = try await ArchiveExtractor().extract(archive, into: directory.appending("copy"))
            #expect(report.files == Self.tree.files)
            #expect(try TestTree(readingAt: directory.appending("copy")) == Self.tree)
        }
    }

    @Test func `gives equal bytes for equal trees`() async throws {
        try await withTemporaryDirectory { directory in
            try Self.tree.write(to: directory.appending("one"))
            try Self.tree.write(to: directory.appending("two"), reversed: true)
            let one = try await self.bytes(TreeArchiver().archive(directory.appending("one")))
            let two = try await self.bytes(TreeArchiver().archive(directory.appending("two")))
            #expect(one == two)
        }
    }

    @Test func `leaves out what is excluded and all below it`() async throws {
        try await withTemporaryDirectory { directory in
            try TestTree([
                "app": .file("1"), "node_modules/x/y": .file("2"), "lib/x.pyc": .file("3"), "lib/x.py": .file("4"),
            ]).write(to: directory.appending("tree"))
            let archive = TreeArchiver().archive(directory.appending("tree")) { path, isDirectory in
                (isDirectory && path == "node_modules") || path.hasSuffix(".pyc")
            }
            _ = try await ArchiveExtractor().extract(archive, into: directory.appending("copy"))
            #expect(
                try TestTree(readingAt: directory.appending("copy"))
                    == TestTree(["app": .file("1"), "lib/x.py": .file("4")]))
        }
    }

    @Test func `says what it cannot pack`() async throws {
        try await withTemporaryDirectory { directory in
            try TestTree(["a": .file([UInt8](repeating: 0, count: 1000))]).write(to: directory.appending("tree"))
            var limits = TreeLimits()
            limits.maxTreeBytes = 999
            let archiver = TreeArchiver(limits: limits)
            let large = await slugStoreError { () throws(SlugStoreError) in
                _ = try await self.bytes(archiver.archive(directory.appending("tree")))
            }
            #expect(large?.code == .limitExceeded)
            let missing = await slugStoreError { () throws(SlugStoreError) in
                _ = try await self.bytes(archiver.archive(directory.appending("missing")))
            }
            #expect(missing?.code == .inputOutput)
            #expect(missing?.message.contains("missing") == true)
        }
    }
}
