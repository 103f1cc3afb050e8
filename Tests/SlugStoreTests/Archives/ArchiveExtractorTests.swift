import SlugStore
import SlugStoreTesting
import SystemPackage
import TestSupport
import Testing

/// Bytes as a stream of pieces of one size.
struct Pieces: AsyncSequence, Sendable {
    let bytes: [UInt8]
    var size = 1000
    var failsAtEnd = false

    struct AsyncIterator: AsyncIteratorProtocol {
        var rest: ArraySlice<UInt8>
        let size: Int
        let failsAtEnd: Bool

        mutating func next() async throws -> [UInt8]? {
            guard !self.rest.isEmpty else {
                if self.failsAtEnd { throw Violation("the client went away") }
                return nil
            }
            defer { self.rest = self.rest.dropFirst(self.size) }
            return Array(self.rest.prefix(self.size))
        }
    }

    func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(rest: self.bytes[...], size: self.size, failsAtEnd: self.failsAtEnd)
    }
}

@Suite struct ArchiveExtractorTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var code: SlugStoreError.Code
        /// Each must be in the message.
        var says: [String]
        var archive: [UInt8]

        init(
            _ description: String, _ code: SlugStoreError.Code, says: String..., make: (inout HandmadeTar) -> Void
        ) {
            var tar = HandmadeTar()
            tar.add("innocent", content: "content")
            make(&tar)
            (self.testDescription, self.code, self.says, self.archive) = (description, code, says, tar.archive)
        }
    }

    static let refused: [Case] = [
        Case("absolute path", .unsafeArchive, says: "/etc/cron.d/x") { $0.add("/etc/cron.d/x") },
        Case("path with ..", .unsafeArchive, says: "a/../../x") { $0.add("a/../../x") },
        Case("path that is ..", .unsafeArchive, says: "..") { $0.addDirectory("../") },
        Case("absolute link", .unsafeArchive, says: "link", "/etc/passwd") { $0.addLink("link", to: "/etc/passwd") },
        Case("link with ..", .unsafeArchive, says: "d/link", "../../x") { $0.addLink("d/link", to: "../../x") },
        Case("links that leave together", .unsafeArchive, says: "a/out") {
            $0.addDirectory("a/b")
            $0.addLink("a/b/up", to: "../..")
            $0.addLink("a/out", to: "b/up/..")
        },
        Case("write through a link", .unsafeArchive, says: "d/x", "through the link d") {
            $0.addLink("d", to: "innocent")
            $0.add("d/x")
        },
        Case("link in place of a directory", .invalidArchive, says: "d twice") {
            $0.add("d/x")
            $0.addLink("d", to: "innocent")
        },
        Case("file below a file", .invalidArchive, says: "innocent/x") { $0.add("innocent/x") },
        Case("hard link to nowhere", .unsafeArchive, says: "h", "missing") { $0.addHardLink("h", to: "missing") },
        Case("hard link out", .unsafeArchive, says: "../../etc/shadow") { $0.addHardLink("h", to: "../../etc/shadow") },
        Case("hard link, absolute", .unsafeArchive, says: "/etc/shadow") { $0.addHardLink("h", to: "/etc/shadow") },
        Case("hard link to a link", .unsafeArchive, says: "h", "link s") {
            $0.addLink("s", to: "innocent")
            $0.addHardLink("h", to: "s")
        },
        Case("hard link over a file", .invalidArchive, says: "other twice") {
            $0.add("other")
            $0.addHardLink("other", to: "innocent")
        },
        Case("device", .unsafeArchive, says: "dev/sda", "device") { $0.add("dev/sda", type: "4") },
        Case("character device", .unsafeArchive, says: "null", "device") { $0.add("null", type: "3") },
        Case("FIFO", .unsafeArchive, says: "pipe", "FIFO") { $0.add("pipe", type: "6") },
        Case("set-user-ID", .unsafeArchive, says: "su") { $0.add("su", mode: 0o4755) },
        Case("set-group-ID", .unsafeArchive, says: "sg") { $0.add("sg", mode: 0o2755) },
        Case("a file twice", .invalidArchive, says: "innocent twice") { $0.add("./innocent") },
        Case("two spellings by case", .invalidArchive, says: "README", "Readme") {
            $0.add("README")
            $0.add("Readme")
        },
        Case("two spellings by case of a directory", .invalidArchive, says: "Lib", "lib") {
            $0.add("Lib/a")
            $0.add("lib/b")
        },
        Case("two spellings by composition", .invalidArchive, says: "é") {
            $0.addPax("path", Array("\u{e9}".utf8))
            $0.add("1")
            $0.addPax("path", Array("e\u{301}".utf8))
            $0.add("2")
        },
        Case("name that is not UTF-8", .invalidArchive, says: "UTF-8") { $0.add([0x66, 0xff, 0x66]) },
        Case("link that is not UTF-8", .invalidArchive, says: "UTF-8") { $0.add([0x66], type: "2", link: [0xff]) },
        Case("cut off in a file", .invalidArchive, says: "big") { $0.add("big", content: "little", size: 100_000) },
        Case("size beyond the limit", .limitExceeded, says: "sparse") { $0.add("sparse", size: 7_000_000_000) },
        Case("too deep", .limitExceeded, says: "d/d/d") {
            $0.add(Array(repeating: "d", count: 49).joined(separator: "/"))
        },
        Case("header that is damaged", .invalidArchive, says: "after x") {
            $0.add("x")
            $0.add([0xff], type: "0", mode: 0o644)
            $0.corrupt()
        },
    ]

    @Test(arguments: refused) func `refuses`(archive: Case) async throws {
        try await withTemporaryDirectory { directory in
            var extractor = ArchiveExtractor()
            extractor.limits.maxDepth = 40
            let destination = directory.appending("tree")
            let error = await slugStoreError { () throws(SlugStoreError) in
                _ = try await extractor.extract(Pieces(bytes: archive.archive), into: destination)
            }
            #expect(error?.code == archive.code)
            for part in archive.says {
                #expect(error?.message.contains(part) == true, "\(error?.message ?? "nothing")")
            }
            let left = try names(in: directory)
            #expect(left.isEmpty)
        }
    }

    @Test func `extracts what honest tools write`() async throws {
        try await withTemporaryDirectory { directory in
            var tar = HandmadeTar()
            tar.addDirectory("./")
            tar.add("./bin/run", mode: 0o777, content: "#!/bin/sh\n")
            tar.addDirectory("./bin")
            tar.addHardLink("bin/same", to: "./bin/run")
            tar.addLink("current", to: "bin/../bin")
            tar.addLink("dangling", to: "later/x")
            tar.addPax("path", Array("ünïcode/名".utf8))
            tar.add("x", content: "y")
            tar.addDirectory("empty/")
            for size in [1, 7, 512, 100_000] {
                let destination = directory.appending("tree\(size)")
                let report = try await ArchiveExtractor().extract(
                    Pieces(bytes: tar.archive, size: size), into: destination)
                #expect(
                    try TestTree(readingAt: destination)
                        == TestTree([
                            "bin/run": .file("#!/bin/sh\n", executable: true),
                            "bin/same": .file("#!/bin/sh\n", executable: true), "current": .link("bin/../bin"),
                            "dangling": .link("later/x"), "ünïcode/名": .file("y"), "empty": .directory,
                        ]))
                #expect((report.files, report.directories, report.links, report.bytes) == (3, 3, 2, 11))
                #expect(report.archiveBytes == Int64(tar.archive.count))
            }
        }
    }

    @Test func `leaves out the one directory that holds everything`() async throws {
        try await withTemporaryDirectory { directory in
            var tar = HandmadeTar()
            tar.addPax("comment", Array("0123456789abcdef".utf8))
            tar.addDirectory("project-main/")
            tar.add("project-main/a", content: "1")
            tar.addLink("project-main/b", to: "a")
            let extractor = ArchiveExtractor(stripsTopLevelDirectory: true)
            let report = try await extractor.extract(Pieces(bytes: tar.archive), into: directory.appending("tree"))
            #expect(report.strippedDirectory == "project-main")
            #expect(
                try TestTree(readingAt: directory.appending("tree")) == TestTree(["a": .file("1"), "b": .link("a")]))
            // A link may stay in the archive and still leave what is kept of it.
            tar.addLink("project-main/out", to: "../project-main/a")
            let error = await slugStoreError { () throws(SlugStoreError) in
                _ = try await extractor.extract(Pieces(bytes: tar.archive), into: directory.appending("other"))
            }
            #expect(error?.code == .unsafeArchive)
            tar = HandmadeTar()
            tar.add("a/x")
            tar.add("b/x")
            #expect(
                try await extractor.extract(Pieces(bytes: tar.archive), into: directory.appending("two"))
                    .strippedDirectory == nil)
            #expect(
                try names(in: directory) == ["tree", "two"])
        }
    }

    @Test func `refuses every archive that is cut off, wherever it is`() async throws {
        try await withTemporaryDirectory { directory in
            var tar = HandmadeTar()
            for number in 0..<6 { tar.add("f\(number)", content: String(repeating: "x", count: 300)) }
            var cuts = Array(stride(from: 0, through: tar.bytes.count, by: 211))
            cuts += Array(stride(from: 0, through: tar.bytes.count, by: 512))
            for count in cuts {
                let error = await slugStoreError { () throws(SlugStoreError) in
                    _ = try await ArchiveExtractor().extract(
                        Pieces(bytes: Array(tar.archive[..<count])), into: directory.appending("tree"))
                }
                #expect(error?.code == .invalidArchive, "cut at \(count)")
            }
            let left = try names(in: directory)
            #expect(left.isEmpty)
        }
    }

    @Test(arguments: 0..<40)
    func `survives any damage and leaves nothing behind`(seed: UInt64) async throws {
        try await withTemporaryDirectory { directory in
            try TestTree.random(seed: seed % 4, entries: 10).write(to: directory.appending("source"))
            var archive: [UInt8] = []
            for try await piece in TreeArchiver().archive(directory.appending("source")) { archive += piece }
            var random = SeededGenerator(seed: seed)
            for _ in 0..<Int.random(in: 1...8, using: &random) {
                archive[Int.random(in: 0..<archive.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            let error = await slugStoreError { () throws(SlugStoreError) in
                _ = try await ArchiveExtractor().extract(Pieces(bytes: archive), into: directory.appending("tree"))
            }
            let left = try names(in: directory)
            #expect(left == (error == nil ? ["source", "tree"] : ["source"]))
        }
    }

    @Test func `refuses bombs by their ratio and by the count of entries`() async throws {
        try await withTemporaryDirectory { directory in
            try TestTree(["zeros": .file([UInt8](repeating: 0, count: 4 << 20))]).write(
                to: directory.appending("source"))
            var extractor = ArchiveExtractor()
            extractor.limits.ratioGraceBytes = 1 << 20
            let archive = TreeArchiver().archive(directory.appending("source"))
            var bytes: [UInt8] = []
            for try await piece in archive { bytes += piece }
            let pieces = Pieces(bytes: bytes)
            let bomb = await slugStoreError { [extractor] () throws(SlugStoreError) in
                _ = try await extractor.extract(pieces, into: directory.appending("tree"))
            }
            #expect(bomb?.code == .limitExceeded)
            #expect(bomb?.message.contains("bomb") == true)
            var tar = HandmadeTar()
            for number in 0..<20 { tar.add("d/\(number)") }
            extractor.limits.maxEntries = 20
            let many = await slugStoreError { [extractor, tar] () throws(SlugStoreError) in
                _ = try await extractor.extract(Pieces(bytes: tar.archive), into: directory.appending("tree"))
            }
            #expect(many?.code == .limitExceeded)
            extractor.limits.maxEntries = 21
            // The directory, and its files with it in their paths.
            extractor.limits.maxPathBytes = 1 + 10 * 3 + 10 * 4
            _ = try await extractor.extract(Pieces(bytes: tar.archive), into: directory.appending("fits"))
            extractor.limits.maxPathBytes -= 1
            let long = await slugStoreError { [extractor, tar] () throws(SlugStoreError) in
                _ = try await extractor.extract(Pieces(bytes: tar.archive), into: directory.appending("tree"))
            }
            #expect(long?.code == .limitExceeded)
            #expect(long?.message.contains("at d/19") == true)
        }
    }

    @Test func `links that lead a long way through each other are not followed for ever`() async throws {
        try await withTemporaryDirectory { directory in
            var tar = HandmadeTar()
            let way = String(repeating: "/d", count: 2000)
            for number in 0..<39 {
                tar.addPax("linkpath", Array("\(number + 1)\(way)".utf8))
                tar.addLink("\(number)", to: "short")
            }
            let error = await slugStoreError { [tar] () throws(SlugStoreError) in
                _ = try await ArchiveExtractor().extract(Pieces(bytes: tar.archive), into: directory.appending("tree"))
            }
            #expect(error?.code == .limitExceeded)
            #expect(error?.message.contains("entangled") == true)
        }
    }

    @Test func `passes on why the source failed, and keeps what is at the destination`() async throws {
        try await withTemporaryDirectory { directory in
            var tar = HandmadeTar()
            tar.add("a", content: "1")
            let failed = await slugStoreError { [tar] () throws(SlugStoreError) in
                _ = try await ArchiveExtractor().extract(
                    Pieces(bytes: tar.bytes, failsAtEnd: true), into: directory.appending("tree"))
            }
            #expect(failed?.code == .streamFailed)
            #expect((failed?.cause as? Violation)?.description == "the client went away")
            try TestTree(["kept": .file("1")]).write(to: directory.appending("full"))
            let existing = await slugStoreError { [tar] () throws(SlugStoreError) in
                _ = try await ArchiveExtractor().extract(Pieces(bytes: tar.archive), into: directory.appending("full"))
            }
            #expect(existing?.code == .destinationExists)
            #expect(try TestTree(readingAt: directory.appending("full")) == TestTree(["kept": .file("1")]))
            try TestTree([:]).write(to: directory.appending("empty"))
            _ = try await ArchiveExtractor().extract(Pieces(bytes: tar.archive), into: directory.appending("empty"))
            #expect(try TestTree(readingAt: directory.appending("empty")) == TestTree(["a": .file("1")]))
        }
    }

    @Test func `stops when it is cancelled though the source goes on for ever`() async throws {
        try await withTemporaryDirectory { directory in
            let (stream, continuation) = AsyncStream<[UInt8]>.makeStream()
            var tar = HandmadeTar()
            tar.add("a", content: "1")
            continuation.yield(tar.bytes)
            let task = Task { @concurrent in
                await slugStoreError { () throws(SlugStoreError) in
                    _ = try await ArchiveExtractor().extract(stream, into: directory.appending("tree"))
                }
            }
            task.cancel()
            #expect(await task.value?.code == .cancelled)
            let left = try names(in: directory)
            #expect(left.isEmpty)
            continuation.finish()
        }
    }
}
