import SlugStore
import SlugStoreTesting
import SystemPackage
import TestSupport
import Testing

@Suite struct HostileZipTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var code: SlugStoreError.Code
        var says: [String]
        var archive: [UInt8]

        init(
            _ description: String, _ code: SlugStoreError.Code = .invalidArchive, says: String...,
            make: (inout HandmadeZip) -> Void
        ) {
            var zip = HandmadeZip()
            zip.add("innocent", "content")
            make(&zip)
            (self.testDescription, self.code, self.says, self.archive) = (description, code, says, zip.archive)
        }
    }

    static let refused: [Case] = [
        // What tar archives try as well.
        Case("absolute path", .unsafeArchive, says: "/etc/x") { $0.add("/etc/x") },
        Case("path with ..", .unsafeArchive, says: "a/../../x") { $0.add("a/../../x") },
        Case("backslashes that leave", .unsafeArchive, says: "..") { $0.add("..\\x") },
        Case("a drive", .unsafeArchive, says: "C:") { $0.add("C:\\x") },
        Case("absolute link", .unsafeArchive, says: "/etc/passwd") { $0.add("l", "/etc/passwd", mode: 0o120777) },
        Case("link with ..", .unsafeArchive, says: "d/l") { $0.add("d/l", "../../x", mode: 0o120777) },
        Case("write through a link", .unsafeArchive, says: "through the link d") {
            $0.add("d", "innocent", mode: 0o120777)
            $0.add("d/x")
        },
        Case("link with a NUL", says: "NUL") { $0.add("l", "a\0b", mode: 0o120777) },
        Case("link of great length", .limitExceeded, says: "l") {
            $0.add("l", String(repeating: "x", count: 5000), mode: 0o120777)
        },
        Case("device", .unsafeArchive, says: "device") { $0.add("null", mode: 0o020666) },
        Case("FIFO", .unsafeArchive, says: "FIFO") { $0.add("pipe", mode: 0o010666) },
        Case("set-user-ID", .unsafeArchive, says: "su") { $0.add("su", mode: 0o104755) },
        Case("a file twice", says: "innocent twice") { $0.add("innocent") },
        Case("two spellings by case", says: "Innocent") { $0.add("Innocent") },
        Case("name that is not UTF-8", says: "UTF-8") { $0.add("x") { $0.name = [0x66, 0xff] } },
        Case("name with a NUL", says: "NUL") { $0.add("a\0b") },
        Case("huge name", .limitExceeded, says: "300") { $0.add(String(repeating: "n", count: 300)) },
        Case("nameless", says: "without a name") { $0.add("") },
        // What is said twice and differs.
        Case("other name before the content", says: "name") { $0.add("good") { $0.localName = Array("evil".utf8) } },
        Case("other compression", says: "compression") { $0.add("x", "1") { $0.localMethod = 8 } },
        Case("other size", says: "size") { $0.add("x", "1") { $0.localSize = 2 } },
        Case("other stored size", says: "size") { $0.add("x", "1") { $0.localStored = 0 } },
        Case("other checksum", says: "checksum") { $0.add("x", "1") { $0.localCRC = 7 } },
        Case("other flags", says: "flags") { $0.add("x", "1") { $0.localFlags = 1 << 11 | 1 << 3 } },
        Case("another name in an extra field", says: "another name too, evil") {
            $0.add("x") { $0.extra = HandmadeZip.field(0x7075, [1, 0, 0, 0, 0] + Array("evil".utf8)) }
        },
        Case("another name in a local extra field", says: "another name too, evil") {
            $0.add("x") { $0.localExtra = HandmadeZip.field(0x7075, [1, 0, 0, 0, 0] + Array("evil".utf8)) }
        },
        Case("directory by name, file by mode", says: "not by both") { $0.add("d/") },
        Case("file by name, directory by mode", says: "not by both") { $0.add("d", mode: 0o040755) },
        Case("directory with content", says: "content") { $0.add("d/", "x", mode: 0o040755) },
        // Wrong contents.
        Case("wrong checksum", says: "x is damaged") { $0.add("x", "1") { $0.crc = 7 } },
        Case("shorter than it says", says: "x") { $0.add("x", "1") { $0.size = 2 } },
        Case("deflated nonsense", says: "x is damaged") { $0.add("x", "\u{7}nonsense") { $0.method = 8 } },
        Case("something after deflated content", says: "something comes after the content of x") {
            $0.add("x") {
                $0.content = [3, 0, 9, 9]
                ($0.method, $0.size, $0.crc) = (8, 0, 0)
            }
        },
        Case("deflated content that is cut off", says: "cut off") {
            $0.add("x") {
                $0.content = [0x4b]
                ($0.method, $0.size) = (8, 1)
            }
        },
        Case("more than it says", says: "longer") {
            $0.add("x") {
                $0.content = [0x4b, 0x4c, 0x02, 0x00]
                ($0.method, $0.size) = (8, 1)
            }
        },
        Case("encrypted", says: "x is encrypted") {
            $0.add("x") { ($0.flags, $0.localFlags) = (1, 1) }
        },
        Case("encrypted by AES", says: "x is encrypted") {
            $0.add("x") { $0.extra = HandmadeZip.field(0x9901, [1, 0]) }
        },
        Case("compression that is not read", says: "14") { $0.add("x") { $0.method = 14 } },
        // Wrong places.
        Case("two names for one content", says: "shares its content") { $0.add("x", "1") { $0.offset = 0 } },
        Case("content in the directory", says: "x") { $0.add("x") { $0.offset = 90 } },
        Case("entries that overlap", says: "") { $0.add("x") { $0.offset = 10 } },
        Case("bytes between entries", says: "belong to no entry") {
            $0.add("x", "1") { $0.gap = [1, 2, 3] }
            $0.add("y")
        },
        Case("something before", says: "before") { $0.prefix = [0x50, 0x4b, 3, 4, 9] },
        Case("something after", says: "") { $0.suffix = [1] },
        Case("something between directory and end", says: "directory") { $0.beforeEnd = [1, 2, 3, 4] },
        Case("an end in the comment", says: "two ends") {
            var other = HandmadeZip()
            other.add("evil")
            $0.comment = other.archive
        },
        Case("an end in the comment that is cut off", says: "two ends") {
            $0.comment = [0x50, 0x4b, 5, 6] + [UInt8](repeating: 0, count: 40)
        },
        Case("fewer entries than it says", says: "entry 2") { $0.count = 9 },
        Case("more entries than it says", says: "more than the 0 entries") { $0.count = 0 },
        Case("as many entries as it likes", .limitExceeded, says: "60000") { $0.count = 60000 },
        Case("sizes afterwards that differ", says: "size or checksum") {
            $0.add("x", "1") {
                ($0.flags, $0.localSize, $0.localStored, $0.localCRC) = (1 << 3, 0, 0, 0)
                $0.descriptor =
                    HandmadeZip.long(0x0807_4b50) + HandmadeZip.long(7) + HandmadeZip.long(1) + HandmadeZip.long(1)
            }
        },
        Case("sizes afterwards that are missing", says: "not followed by its sizes") {
            $0.add("x", "1") { ($0.flags, $0.localSize, $0.localStored, $0.localCRC) = (1 << 3, 0, 0, 0) }
        },
        Case("an end of absurd size", says: "zip64 record") { ($0.hasZip64, $0.zip64Bytes) = (true, .max) },
        Case("an end of negative size", says: "zip64 record") { ($0.hasZip64, $0.zip64Bytes) = (true, -1) },
        Case("a large size that is missing", says: "x") { $0.add("x") { $0.size = 0xffff_ffff } },
        Case("an extra field that is cut off", says: "extra field") { $0.add("x") { $0.extra = [1, 0, 9, 0, 1] } },
    ]

    @Test(arguments: refused) func `refuses`(archive: Case) async throws {
        try await withTemporaryDirectory { directory in
            var extractor = ArchiveExtractor()
            extractor.limits.maxEntries = 50_000
            try directory.appending("archive.zip").write(archive.archive)
            for streams in [true, false] {
                let error = await slugStoreError { [extractor] () throws(SlugStoreError) in
                    _ =
                        streams
                        ? try await extractor.extract(Pieces(bytes: archive.archive), into: directory.appending("tree"))
                        : try await extractor.extract(
                            archiveAt: directory.appending("archive.zip"), into: directory.appending("tree"))
                }
                #expect(error?.code == archive.code, "\(error?.message ?? "nothing")")
                for part in archive.says {
                    #expect(error?.message.contains(part) == true, "\(error?.message ?? "nothing")")
                }
                let left = try names(in: directory)
                #expect(left == ["archive.zip"])
            }
        }
    }

    @Test func `extracts what may be in an archive, with zip64 or without`() async throws {
        for hasZip64 in [false, true] {
            try await withTemporaryDirectory { directory in
                var zip = HandmadeZip()
                zip.hasZip64 = hasZip64
                zip.comment = Array("a comment".utf8)
                zip.add("bin/run", "#!/bin/sh\n", mode: 0o100755)
                zip.add("link", "bin/run", mode: 0o120777)
                zip.add("empty/", mode: 0o040755)
                zip.add("dos", "text") { ($0.host, $0.mode) = (0, 0) }
                zip.add("later", "known later") {
                    ($0.flags, $0.localSize, $0.localStored, $0.localCRC) = (1 << 3, 0, 0, 0)
                    let crc = Int(HandmadeZip.crc($0.content))
                    $0.descriptor = HandmadeZip.long(crc) + HandmadeZip.long(11) + HandmadeZip.long(11)
                }
                zip.add("large") {
                    $0.content = [0x4b, 0x4c, 0x02, 0x00]
                    ($0.method, $0.size, $0.crc) = (8, 0xffff_ffff, HandmadeZip.crc(Array("ab".utf8)))
                    $0.extra = HandmadeZip.field(1, HandmadeZip.quad(2))
                    $0.localExtra = HandmadeZip.field(1, HandmadeZip.quad(2))
                }
                let tree = TestTree([
                    "bin/run": .file("#!/bin/sh\n", executable: true), "link": .link("bin/run"), "empty": .directory,
                    "dos": .file("text"), "later": .file("known later"), "large": .file("ab"),
                ])
                let report = try await ArchiveExtractor().extract(
                    Pieces(bytes: zip.archive, size: 7), into: directory.appending("tree"))
                #expect(try TestTree(readingAt: directory.appending("tree")) == tree)
                #expect(report.archiveBytes == Int64(zip.archive.count))
                #expect(try names(in: directory) == ["tree"])
            }
        }
    }

    @Test func `refuses bombs before they go off`() async throws {
        try await withTemporaryDirectory { directory in
            let zeros = [UInt8](repeating: 0, count: 4 << 20)
            let gzip = try Compressed.gzip.pack(zeros)
            var zip = HandmadeZip()
            zip.add("zeros") {
                // gzip is a header of ten bytes, what is deflated, and eight bytes after it.
                $0.content = Array(gzip.dropFirst(10).dropLast(8))
                ($0.method, $0.size, $0.crc) = (8, zeros.count, HandmadeZip.crc(zeros))
            }
            let archive = zip.archive
            var extractor = ArchiveExtractor()
            extractor.limits.ratioGraceBytes = 1 << 20
            let ratio = await slugStoreError { [extractor] () throws(SlugStoreError) in
                _ = try await extractor.extract(Pieces(bytes: archive), into: directory.appending("tree"))
            }
            #expect(ratio?.code == .limitExceeded)
            #expect(ratio?.message.contains("bomb") == true)
            extractor = ArchiveExtractor()
            extractor.limits.maxBytes = 1 << 20
            let size = await slugStoreError { [extractor] () throws(SlugStoreError) in
                _ = try await extractor.extract(Pieces(bytes: archive), into: directory.appending("tree"))
            }
            #expect(size?.code == .limitExceeded)
            #expect(try names(in: directory).isEmpty)
            _ = try await ArchiveExtractor().extract(Pieces(bytes: archive), into: directory.appending("tree"))
            #expect(try directory.appending("tree/zeros").contents() == zeros)
        }
    }

    @Test func `extracts an archive of nothing, and refuses one that is cut off anywhere`() async throws {
        try await withTemporaryDirectory { directory in
            _ = try await ArchiveExtractor().extract(
                Pieces(bytes: HandmadeZip().archive), into: directory.appending("empty"))
            #expect(try names(in: directory.appending("empty")).isEmpty)
            var zip = HandmadeZip()
            for number in 0..<4 { zip.add("f\(number)", String(repeating: "x", count: 30 * number)) }
            let archive = zip.archive
            for count in 0..<archive.count {
                let error = await slugStoreError { () throws(SlugStoreError) in
                    _ = try await ArchiveExtractor().extract(
                        Pieces(bytes: Array(archive[..<count])), into: directory.appending("tree"))
                }
                #expect(error?.code == .invalidArchive, "cut at \(count)")
            }
            #expect(try names(in: directory) == ["empty"])
        }
    }
}
