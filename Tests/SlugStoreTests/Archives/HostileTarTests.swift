import SlugStore
import SlugStoreTesting
import SystemPackage
import TestSupport
import Testing

/// What is in archives that were made to be read in two ways, to take up everything, or to be more than one.
@Suite struct HostileTarTests {
    typealias Case = ArchiveExtractorTests.Case

    private static func zeros(_ count: Int) -> [UInt8] { [UInt8](repeating: 0, count: count) }
    private static func text(_ text: String) -> [UInt8] { Array(text.utf8) }

    static let refused: [Case] = [
        Case("links in a chain that leaves", .unsafeArchive, says: "leads out") {
            $0.addDirectory("a/b/c")
            $0.addLink("up1", to: "a/b/..")
            $0.addLink("up2", to: "up1/../..")
            $0.addLink("up3", to: "up2/x")
        },
        Case("a file below a link to a directory of the tree", .unsafeArchive, says: "through the link l") {
            $0.addDirectory("d")
            $0.addLink("l", to: "d")
            $0.add("l/x")
        },
        Case("hard link to a hard link to a link", .unsafeArchive, says: "h1") {
            $0.addLink("s", to: "innocent")
            $0.addHardLink("h1", to: "s")
            $0.addHardLink("h2", to: "h1")
        },
        Case("hard link through a link", .unsafeArchive, says: "l/innocent") {
            $0.addLink("l", to: ".")
            $0.addHardLink("h", to: "l/innocent")
        },
        Case("hard link to itself", .unsafeArchive, says: "h") { $0.addHardLink("h", to: "h") },
        Case("hard link with content", .invalidArchive, says: "h") {
            $0.add("h", type: "1", link: "innocent", content: "evil")
        },
        Case("a directory in place of a file", .invalidArchive, says: "innocent twice") { $0.addDirectory("innocent") },
        Case("backslashes that leave", .unsafeArchive, says: "..") { $0.add("a\\..\\..\\x") },
        Case("backslash at the start", .unsafeArchive, says: "x") { $0.add("\\x") },
        Case("a drive", .unsafeArchive, says: "C:") { $0.add("C:\\x") },
        Case("two spellings by folding", .invalidArchive, says: "STRASSE") {
            $0.add("stra\u{df}e")
            $0.add("STRASSE")
        },
        Case("socket of another program", .invalidArchive, says: "unknown kind Z") { $0.add("x", type: "Z") },
        Case("volume header", .invalidArchive, says: "unknown kind V") { $0.add("x", type: "V") },
        Case("part of several volumes", .invalidArchive, says: "unknown kind M") { $0.add("x", type: "M") },
        Case("records of another system", .invalidArchive, says: "damaged") { $0.add("x", type: "X") },
        // Names that end for one reader and go on for another.
        Case("path with a NUL", .invalidArchive, says: "path with a NUL", "after innocent") {
            $0.addPax("path", Self.text("a\0b"))
            $0.add("x")
        },
        Case("link with a NUL", .invalidArchive, says: "linkpath with a NUL") {
            $0.addPax("linkpath", Self.text("innocent\0/../.."))
            $0.addLink("x", to: "y")
        },
        Case("long name with a NUL", .invalidArchive, says: "name with a NUL") {
            $0.add("././@LongLink", type: "L", content: "a\0b\0")
            $0.add("x")
        },
        Case("two paths", .invalidArchive, says: "two pax records path") {
            $0.addRecords(HandmadeTar.record("path", "good") + HandmadeTar.record("path", "evil"))
            $0.add("x")
        },
        Case("two sizes", .invalidArchive, says: "two pax records size") {
            $0.addRecords(HandmadeTar.record("size", "0") + HandmadeTar.record("size", "1"))
            $0.add("x")
        },
        Case("two headers for one entry", .invalidArchive, says: "two headers of kind x") {
            $0.addPax("path", Self.text("good"))
            $0.addPax("path", Self.text("evil"))
            $0.add("x")
        },
        Case("two long names", .invalidArchive, says: "two headers of kind L") {
            $0.add("././@LongLink", type: "L", content: "good\0")
            $0.add("././@LongLink", type: "L", content: "evil\0")
            $0.add("x")
        },
        Case("one path for all", .invalidArchive, says: "gives all entries one path") {
            $0.addRecords(HandmadeTar.record("path", "evil"), type: "g")
            $0.add("x")
        },
        Case("one size for all", .invalidArchive, says: "gives all entries one size") {
            $0.addRecords(HandmadeTar.record("size", "9"), type: "g")
            $0.add("x")
        },
        Case("record that is too long", .invalidArchive, says: "pax") {
            $0.addRecords(Self.text("99 path=x\n"))
            $0.add("x")
        },
        Case("record of absurd length", .invalidArchive, says: "pax") {
            $0.addRecords(Self.text("99999999999999999999 path=x\n"))
            $0.add("x")
        },
        Case("record without an end", .invalidArchive, says: "pax") {
            $0.addRecords(Self.text("9 path=xy"))
            $0.add("x")
        },
        Case("record without a key", .invalidArchive, says: "innocent") {
            $0.addRecords(Self.text("5 =x\n"))
            $0.add("x")
        },
        // Sizes.
        Case("size beyond everything", .limitExceeded, says: "x") {
            $0.addPax("size", Self.text("9000000000000000000"))
            $0.add("x")
        },
        Case("negative size", .invalidArchive, says: "innocent") {
            $0.addPax("size", Self.text("-1"))
            $0.add("x")
            $0.add("y")
        },
        Case("sparse file of absurd size", .limitExceeded, says: "sparse") {
            $0.addRecords(
                HandmadeTar.record("GNU.sparse.major", "1") + HandmadeTar.record("GNU.sparse.minor", "0")
                    + HandmadeTar.record("GNU.sparse.name", "sparse")
                    + HandmadeTar.record("GNU.sparse.realsize", "9000000000000000000"))
            $0.add(Self.text("x"), content: Self.text("1\n0\n0\n") + Self.zeros(506))
        },
        Case("sparse file of two names", .invalidArchive, says: "two pax records GNU.sparse.name") {
            $0.addRecords(HandmadeTar.record("GNU.sparse.name", "good") + HandmadeTar.record("GNU.sparse.name", "evil"))
            $0.add("x")
        },
        Case("sparse map without an end", .limitExceeded, says: "header of more than") {
            $0.addRecords(
                HandmadeTar.record("GNU.sparse.major", "1") + HandmadeTar.record("GNU.sparse.minor", "0")
                    + HandmadeTar.record("GNU.sparse.name", "sparse")
                    + HandmadeTar.record("GNU.sparse.realsize", "1000"))
            $0.add(
                Self.text("x"),
                content: Self.text("9999999\n") + Array(repeating: Self.text("0\n"), count: 3 << 20).joined())
        },
        Case("header of absurd size", .invalidArchive, says: "") {
            $0.addRecords(HandmadeTar.record("comment", [UInt8](repeating: 0x63, count: 3 << 20)))
            $0.add("x")
        },
        Case("headers without end", .invalidArchive, says: "") {
            for _ in 0..<200 { $0.addRecords(HandmadeTar.record("comment", "x"), type: "g") }
            $0.add("x")
        },
        Case("huge name", .limitExceeded, says: "300000") {
            $0.addPax("path", [UInt8](repeating: 0x6e, count: 300_000))
            $0.add("x")
        },
        Case("name too long for any file system", .limitExceeded, says: "256") {
            $0.addPax("path", [UInt8](repeating: 0x6e, count: 256))
            $0.add("x")
        },
        Case("deep", .limitExceeded, says: "d/d/d") {
            $0.addPax("path", Self.text(Array(repeating: "d", count: 1500).joined(separator: "/")))
            $0.add("x")
        },
    ]

    @Test(arguments: refused) func `refuses`(archive: Case) async throws {
        for compression in [Compressed.plain, .gzip] {
            try await Self.refuse(
                compression == .plain ? archive.archive : try compression.pack(archive.archive), archive.code,
                says: archive.says)
        }
    }

    private static func refuse(
        _ archive: [UInt8], _ code: SlugStoreError.Code, says: [String],
        _ adjust: (inout ArchiveExtractor) -> Void = { _ in }
    ) async throws {
        try await withTemporaryDirectory { directory in
            var extractor = ArchiveExtractor()
            adjust(&extractor)
            let error = await slugStoreError { [extractor] () throws(SlugStoreError) in
                _ = try await extractor.extract(Pieces(bytes: archive, size: 60_000), into: directory.appending("tree"))
            }
            #expect(error?.code == code, "\(error?.message ?? "nothing")")
            for part in says {
                #expect(error?.message.contains(part) == true, "\(error?.message ?? "nothing")")
            }
            let left = try names(in: directory)
            #expect(left.isEmpty)
        }
    }

    private static var small: HandmadeTar {
        var tar = HandmadeTar()
        tar.add("a", content: "1")
        return tar
    }

    @Test func `refuses what is more than one archive, and what follows one`() async throws {
        let one = Self.small.archive
        try await Self.refuse(one + one, .invalidArchive, says: ["several archives"])
        try await Self.refuse(one + [7], .invalidArchive, says: ["several archives"])
        try await Self.refuse(
            Self.small.bytes + Self.zeros(512) + Self.small.archive, .invalidArchive, says: ["several archives"])
        for compressed in [Compressed.gzip, .zstd] {
            let packed = try compressed.pack(one)
            try await Self.refuse(packed + packed, .invalidArchive, says: ["several archives"])
            try await Self.refuse(packed + [7], .invalidArchive, says: [])
            try await Self.refuse(packed.dropLast(), .invalidArchive, says: [])
            try await Self.refuse(try compressed.pack(packed), .invalidArchive, says: ["Expected: tar"])
            try await Self.refuse(try compressed.pack([]), .invalidArchive, says: [])
        }
        try await Self.refuse([], .invalidArchive, says: ["no byte"])
        try await Self.refuse(Array("just text".utf8), .invalidArchive, says: ["Expected: tar"])
        try await Self.refuse(one + Self.zeros(20 << 20), .limitExceeded, says: ["zeros"])
    }

    @Test func `takes members and frames one after the other, padding, and an archive of nothing`() async throws {
        try await withTemporaryDirectory { directory in
            let one = Self.small.archive
            var number = 0
            for archive in [
                try Compressed.gzip.pack(one[..<700]) + Compressed.gzip.pack(one[700...]) + Self.zeros(100),
                try Compressed.zstd.pack(one[..<700]) + Compressed.zstd.pack(one[700...]),
                one + Self.zeros(10_240), Self.small.bytes + Self.zeros(512),
            ] {
                number += 1
                for size in [1, 13, 4096] {
                    let tree = directory.appending("tree\(number)-\(size)")
                    _ = try await ArchiveExtractor().extract(Pieces(bytes: archive, size: size), into: tree)
                    #expect(try TestTree(readingAt: tree) == TestTree(["a": .file("1")]))
                }
            }
            _ = try await ArchiveExtractor().extract(
                Pieces(bytes: Self.zeros(1024)), into: directory.appending("nothing"))
            #expect(try names(in: directory.appending("nothing")).isEmpty)
        }
    }

    @Test func `refuses bombs before they go off`() async throws {
        var tar = HandmadeTar()
        tar.add(Self.text("zeros"), content: Self.zeros(8 << 20))
        try await Self.refuse(try Compressed.gzip.pack(tar.archive), .limitExceeded, says: ["bomb"]) {
            $0.limits.ratioGraceBytes = 1 << 20
        }
        // Nothing of it is a file's.
        let padding = try Compressed.zstd.pack(Self.small.archive + Self.zeros(8 << 20))
        try await Self.refuse(padding, .limitExceeded, says: ["bomb"]) { $0.limits.ratioGraceBytes = 1 << 20 }
        var sparse = HandmadeTar()
        sparse.addRecords(
            HandmadeTar.record("GNU.sparse.major", "1") + HandmadeTar.record("GNU.sparse.minor", "0")
                + HandmadeTar.record("GNU.sparse.name", "sparse")
                + HandmadeTar.record("GNU.sparse.realsize", "100000000"))
        sparse.add(Self.text("x"), content: Self.text("1\n100000000\n0\n") + Self.zeros(498))
        try await Self.refuse(sparse.archive, .limitExceeded, says: ["bomb", "sparse"]) {
            $0.limits.ratioGraceBytes = 1 << 20
        }
        try await Self.refuse(tar.archive, .limitExceeded, says: ["zeros", "1000000"]) {
            $0.limits.maxBytes = 1_000_000
        }
        try await Self.refuse(tar.archive, .limitExceeded, says: ["1000000"]) { $0.limits.maxArchiveBytes = 1_000_000 }
    }

    @Test func `refuses a zstd window that would take too much memory`() async throws {
        // A frame that says it wants a window of 64 MiB, with one block of one byte.
        let frame: [UInt8] = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x80, 0x09, 0x00, 0x00, 0x61]
        try await Self.refuse(frame, .limitExceeded, says: ["window", "33554432"])
    }
}
