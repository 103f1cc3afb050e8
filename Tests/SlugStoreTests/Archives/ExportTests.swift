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

@Suite struct ExportTests {
    private static let tree = TestTree([
        "bin/run": .file("#!/bin/sh\n", executable: true), "lib/ünïcode": .file("text"), "current": .link("bin"),
        "empty": .directory, "big": .file([UInt8](repeating: 1, count: 300_000)),
    ])

    @Test(arguments: ["slug.tar", "slug.tar.gz", "slug.tar.zst"])
    func `a slug is the same after it was exported and imported`(name: String) async throws {
        try await withTemporaryDirectory { directory in
            try Self.tree.write(to: directory.appending("tree"))
            try FileManager.default.createDirectory(
                atPath: directory.appending("work").string, withIntermediateDirectories: false)
            let (first, second) = (
                makeRepository(directory.appending("first")), makeRepository(directory.appending("second"))
            )
            let metadata = SlugMetadata(processTypes: ["web": "bin/run"])
            let slug = try await first.put(directory.appending("tree"), metadata: metadata)
            let file = directory.appending("work").appending(name)
            let compression = try #require(TreeArchiver.Compression(fileName: name))
            let bytes = try await first.export(slug.id, to: file, compression: compression)
            let archive = try file.contents()
            #expect(Int64(archive.count) == bytes)
            #expect(try names(in: directory.appending("work")) == [name])
            let copy = try await second.importArchive(
                file, metadata: metadata, workingIn: directory.appending("work"))
            #expect(copy.id == slug.id)
            #expect(try names(in: directory.appending("work")) == [name])
            // Of the same slug, anywhere, the same bytes; in place of what was there.
            _ = try await second.export(slug.id, to: file, compression: compression)
            #expect(try file.contents() == archive)
        }
    }

    @Test(.enabled(if: Program.has("tar"), "tar is not installed"), arguments: ["slug.tar", "slug.tar.gz"])
    func `others read what is exported`(name: String) async throws {
        try await withTemporaryDirectory { directory in
            try Self.tree.write(to: directory.appending("tree"))
            try FileManager.default.createDirectory(
                atPath: directory.appending("copy").string, withIntermediateDirectories: false)
            let compression = try #require(TreeArchiver.Compression(fileName: name))
            _ = try await TreeArchiver(compression: compression).write(
                directory.appending("tree"), to: directory.appending(name))
            try Program.run("tar", ["-xf", directory.appending(name).string], in: directory.appending("copy"))
            #expect(try TestTree(readingAt: directory.appending("copy")) == Self.tree)
        }
    }

    @Test func `nothing is left of an export or import that fails`() async throws {
        try await withTemporaryDirectory { directory in
            let tree = directory.appending("tree")
            try Self.tree.write(to: tree)
            let notUTF8 = (Array(tree.appending("x").string.utf8) + [0xff, 0]).map { CChar(bitPattern: $0) }
            #expect(close(open(notUTF8, O_CREAT | O_WRONLY, 0o644)) == 0)
            let work = directory.appending("work")
            try FileManager.default.createDirectory(atPath: work.string, withIntermediateDirectories: false)
            let repository = makeRepository(directory.appending("repository"))
            let slug = try await repository.put(tree, metadata: SlugMetadata()).id
            let exported = await slugStoreError { () throws(SlugStoreError) in
                _ = try await repository.export(slug, to: work.appending("slug.tar"))
            }
            #expect(exported?.code == .unsupportedEntry)
            #expect(exported?.message.contains("x\\xff") == true)
            try work.appending("bad").write([1, 2, 3])
            let imported = await slugStoreError { () throws(SlugStoreError) in
                _ = try await repository.importArchive(
                    work.appending("bad"), metadata: SlugMetadata(), workingIn: work)
            }
            #expect(imported?.code == .invalidArchive)
            #expect(try names(in: work) == ["bad"])
        }
    }
}
