import SlugStoreTesting
import SystemPackage
import TestSupport
import Testing

@testable import SlugStore

/// Images that were made to be more than a tree: each is refused with what and where, and leaves nothing.
@Suite struct HostileLayerTests {
    typealias Case = ArchiveExtractorTests.Case

    private static func refuse(
        _ image: HandmadeImage, _ code: SlugStoreError.Code?, says: [String],
        _ adjust: (inout ImageImport) -> Void = { _ in }
    ) async throws {
        try await withTemporaryDirectory { directory in
            let layout = try await image.write(to: directory.appending("layout"))
            var options = ImageImport()
            adjust(&options)
            let error = await slugStoreError { [options] () throws(SlugStoreError) in
                _ = try await layout.imported(nil, options, in: directory)
            }
            #expect(error != nil)
            if let code { #expect(error?.code == code, "\(error?.message ?? "nothing")") }
            for part in says { #expect(error?.message.contains(part) == true, "\(error?.message ?? "nothing")") }
            #expect(try names(in: directory.appending("work")).isEmpty)
            #expect(try await makeRepository(directory.appending("imported")).list().isEmpty)
        }
    }

    /// What no archive may be, no layer may be, be it the first or one above another.
    @Test(
        arguments: (ArchiveExtractorTests.refused + HostileTarTests.refused).filter {
            // Builders of images write them.
            !["absolute path", "hard link, absolute"].contains($0.testDescription)
        })
    func `what an archive may not have, a layer may not`(archive: Case) async throws {
        var image = HandmadeImage()
        image.layers = [.init(archive: archive.archive, compression: .gzip)]
        try await Self.refuse(image, archive.code, says: archive.says) { $0.limits.maxDepth = 40 }
        var below = HandmadeTar()
        below.add("below", content: "0")
        image.layers = [.init(archive: below.archive), .init(archive: archive.archive)]
        try await Self.refuse(image, archive.code, says: archive.says) { $0.limits.maxDepth = 40 }
    }

    struct Layers: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var code: SlugStoreError.Code
        var says: [String]
        var archives: [[UInt8]]

        init(
            _ description: String, _ code: SlugStoreError.Code, says: String...,
            make: [@Sendable (inout HandmadeTar) -> Void]
        ) {
            (self.testDescription, self.code, self.says) = (description, code, says)
            self.archives = make.map { make in
                var tar = HandmadeTar()
                make(&tar)
                return tar.archive
            }
        }
    }

    @Test(arguments: [
        Layers(
            "a write through a link of the layer below", .unsafeArchive, says: "Layer 2 of 2", "through the link d",
            make: [{ $0.addLink("d", to: "/etc") }, { $0.add("d/passwd", content: "root") }]),
        Layers(
            "a directory through a link of the layer below", .unsafeArchive, says: "through the link d",
            make: [{ $0.addLink("d", to: "e") }, { $0.addDirectory("d/x") }]),
        Layers(
            "a file below a file of the layer below", .invalidArchive, says: "inside of the file f",
            make: [{ $0.add("f") }, { $0.add("f/x") }]),
        Layers(
            "links of two layers that leave together", .unsafeArchive, says: "out",
            make: [{ $0.addLink("a/b/up", to: "../..") }, { $0.addLink("a/out", to: "b/up/..") }]),
        Layers(
            "a hard link to a link of the layer below", .unsafeArchive, says: "leads to the link s",
            make: [{ $0.addLink("s", to: "/etc/shadow") }, { $0.addHardLink("h", to: "s") }]),
        Layers(
            "a hard link to what a whiteout has removed", .unsafeArchive, says: "not a file of the archive before it",
            make: [
                { $0.add("f") },
                {
                    $0.add(".wh.f"); $0.addHardLink("h", to: "f")
                },
            ]),
        Layers(
            "a hard link in place of what it leads to", .unsafeArchive, says: "d/f",
            make: [{ $0.add("d/f") }, { $0.addHardLink("d", to: "d/f") }]),
        Layers(
            "a hard link to itself", .unsafeArchive, says: "to itself",
            make: [{ $0.add("f") }, { $0.addHardLink("f", to: "f") }]),
        Layers(
            "a name twice in the layer above", .invalidArchive, says: "Layer 2", "f twice",
            make: [
                { $0.add("f") },
                {
                    $0.add("f"); $0.add("f")
                },
            ]),
        Layers(
            "a whiteout twice", .invalidArchive, says: ".wh.f twice",
            make: [
                { $0.add("f") },
                {
                    $0.add(".wh.f"); $0.add("./.wh.f")
                },
            ]),
        Layers("a whiteout of nothing", .invalidArchive, says: "unknown kind", make: [{ $0.add("d/.wh.") }]),
        Layers(
            "a whiteout of a directory itself", .invalidArchive, says: "unknown kind", make: [{ $0.add("d/.wh..") }]),
        Layers(
            "a whiteout of the directory above", .invalidArchive, says: "unknown kind", make: [{ $0.add("d/.wh...") }]),
        Layers("a whiteout of aufs", .invalidArchive, says: "unknown kind", make: [{ $0.add(".wh..wh.plnk") }]),
        Layers("a file below a whiteout", .invalidArchive, says: "below a whiteout", make: [{ $0.add("d/.wh.x/y") }]),
        Layers(
            "a whiteout with content", .invalidArchive, says: "not an empty file",
            make: [{ $0.add(".wh.f", content: "x") }]),
        Layers(
            "a whiteout that is a link", .invalidArchive, says: "not an empty file",
            make: [{ $0.addLink(".wh.f", to: "x") }]),
        Layers(
            "a whiteout that leaves the tree", .unsafeArchive, says: "leaves the tree",
            make: [{ $0.add("d/../../.wh.f") }]),
        Layers(
            "spellings of two layers", .invalidArchive, says: "one name where case does not count",
            make: [{ $0.add("README") }, { $0.add("Readme") }]),
        Layers(
            "set-user-ID in a layer that is hidden", .unsafeArchive, says: "Layer 1 of 2", "su",
            make: [{ $0.add("su", mode: 0o4755) }, { $0.add(".wh.su") }]),
    ])
    func `refuses what layers do to each other`(layers: Layers) async throws {
        var image = HandmadeImage()
        image.layers = layers.archives.map { .init(archive: $0) }
        try await Self.refuse(image, layers.code, says: layers.says)
    }

    @Test func `a spelling may take the place of another`() async throws {
        try await withTemporaryDirectory { directory in
            var image = HandmadeImage()
            image.add { $0.add("README", content: "0") }
            image.add { tar in
                tar.add("Readme", content: "1")
                tar.add(".wh.README")
            }
            let layout = try await image.write(to: directory.appending("layout"))
            let (report, repository) = try await layout.imported(in: directory)
            let tree = try await repository.materialise(report.slug.id)
            #expect(try TestTree(readingAt: tree.path) == TestTree(["Readme": .file("1")]))
        }
    }

    @Test func `refuses what is not what it is said to be`() async throws {
        var image = HandmadeImage()
        image.add(.gzip) { $0.add("a", content: "1") }
        var lying = image
        lying.layers[0].contentDigest = "sha256:" + String(repeating: "0", count: 64)
        try await Self.refuse(lying, .corrupted, says: ["Layer 1 of 1", "diff_id"])
        lying = image
        lying.layers[0].mediaType = "application/vnd.oci.image.layer.v1.tar"
        try await Self.refuse(lying, .invalidArchive, says: ["not compressed as its kind"])
        lying.layers[0].mediaType = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
        try await Self.refuse(lying, .unsupportedFormat, says: ["nondistributable"])
        lying = image
        lying.platform = ImagePlatform(architecture: "s390x")
        try await Self.refuse(lying, .unsupportedFormat, says: ["linux/s390x"])
        // Stored bytes that are others.
        try await withTemporaryDirectory { directory in
            let layout = try await image.write(to: directory.appending("layout"))
            let layer = try #require(try layout.resolve(nil, for: .current).layers.first)
            var tar = HandmadeTar()
            tar.add("b", content: "2")
            try layout.path(of: layer).write(try Compressed.gzip.pack(tar.archive))
            let error = await slugStoreError { () throws(SlugStoreError) in _ = try await layout.imported(in: directory)
            }
            #expect([.corrupted, .limitExceeded].contains(error?.code))
        }
    }

    @Test func `refuses what is too much, of all layers together`() async throws {
        let zeros = [UInt8](repeating: 0, count: 1 << 20)
        var image = HandmadeImage()
        for name in ["a", "b", "c"] { image.add { $0.add(Array(name.utf8), content: zeros) } }
        try await Self.refuse(image, .limitExceeded, says: ["layers; the limit is 2"]) { $0.maxLayers = 2 }
        try await Self.refuse(image, .limitExceeded, says: ["Layer 3", "2500000"]) { $0.limits.maxBytes = 2_500_000 }
        try await Self.refuse(image, .limitExceeded, says: ["layers of more than 2500000 bytes"]) {
            $0.limits.maxArchiveBytes = 2_500_000
        }
        try await Self.refuse(image, .limitExceeded, says: ["Layer 3", "more than 2 entries"]) {
            $0.maxLayerEntries = 2
        }
        try await Self.refuse(image, .limitExceeded, says: ["Layer 3", "more than 2 entries"]) {
            $0.limits.maxEntries = 2
        }
        var hiding = HandmadeImage()
        hiding.add { tar in
            for name in ["a", "b", "c"] { tar.add("\(name)/.wh.\(name)") }
        }
        try await Self.refuse(hiding, .limitExceeded, says: ["more than 2 whiteouts"]) { $0.limits.maxEntries = 2 }
        try await Self.refuse(hiding, .limitExceeded, says: ["20 bytes", "at c/.wh.c"]) { $0.limits.maxPathBytes = 20 }
        // Also what nobody wants: of it, only the reading is left.
        var bomb = HandmadeImage()
        bomb.add(.gzip) { $0.add(Array("elsewhere".utf8), content: zeros + zeros + zeros + zeros) }
        try await Self.refuse(bomb, .limitExceeded, says: ["bomb"]) {
            $0.path = "/app"
            $0.limits.ratioGraceBytes = 1 << 20
        }
        var sparse = HandmadeImage()
        sparse.add { tar in
            tar.addRecords(
                HandmadeTar.record("GNU.sparse.major", "1") + HandmadeTar.record("GNU.sparse.minor", "0")
                    + HandmadeTar.record("GNU.sparse.name", "sparse")
                    + HandmadeTar.record("GNU.sparse.realsize", "4000000000"))
            tar.add(
                Array("x".utf8), content: Array("1\n4000000000\n0\n".utf8) + [UInt8](repeating: 0, count: 497))
        }
        try await Self.refuse(sparse, .limitExceeded, says: ["bomb"])
        // A hole that nobody wants costs nothing.
        try await Self.refuse(sparse, .notFound, says: ["no directory /app"]) { $0.path = "/app" }
    }

    @Test func `random damage is an import or a refusal, and stays inside`() async throws {
        var (imports, refusals) = (0, 0)
        for seed in 0..<150 {
            if try await Self.isImported(seed: UInt64(seed)) { imports += 1 } else { refusals += 1 }
        }
        // Of both there are enough to say something.
        #expect(imports > 10)
        #expect(refusals > 10)
    }

    private static func isImported(seed: UInt64) async throws -> Bool {
        var random = SeededGenerator(seed: seed)
        return try await withTemporaryDirectory { directory in
            let outside = directory.appending("outside")
            try TestTree(["witness": .file("as it was")]).write(to: outside)
            var image = HandmadeImage()
            for _ in 0..<Int.random(in: 1...2, using: &random) {
                var tar = HandmadeTar()
                for _ in 0..<Int.random(in: 1...5, using: &random) { Self.addAnything(to: &tar, outside, &random) }
                var archive = tar.archive
                for _ in 0..<[0, 0, 0, 0, 2].randomElement(using: &random)! {
                    archive[Int.random(in: 0..<archive.count, using: &random)] = UInt8.random(
                        in: 0...255, using: &random)
                }
                image.layers.append(
                    .init(archive: archive, compression: Compressed.allCases.randomElement(using: &random)!))
            }
            let layout = try await image.write(to: directory.appending("layout"))
            var options = ImageImport(path: Int.random(in: 0..<4, using: &random) == 0 ? "a" : nil)
            options.keepsOutwardLinks = Bool.random(using: &random)
            var isImported = true
            do throws(SlugStoreError) {
                let (report, repository) = try await layout.imported(nil, options, in: directory)
                try await repository.verify(report.slug.id)
            } catch {
                isImported = false
                #expect(
                    [.unsafeArchive, .invalidArchive, .limitExceeded, .notFound].contains(error.code),
                    "\(seed): \(error)")
            }
            #expect(try names(in: directory.appending("work")).isEmpty)
            #expect(try TestTree(readingAt: outside) == TestTree(["witness": .file("as it was")]))
            #expect(Set(try names(in: directory)).isSubset(of: ["imported", "layout", "outside", "work"]))
            return isImported
        }
    }

    private static func addAnything(
        to tar: inout HandmadeTar, _ outside: FilePath, _ random: inout some RandomNumberGenerator
    ) {
        func name() -> String {
            let hostile = ["A", "..", ".", "", ".wh.a", ".wh.b", ".wh..wh..opq", ".wh."]
            let parts =
                Int.random(in: 0..<12, using: &random) == 0
                ? hostile : (0..<12).map { "abcdefghijkl".map(String.init)[$0] }
            return (0..<Int.random(in: 1...3, using: &random)).map { _ in parts.randomElement(using: &random)! }
                .joined(separator: "/")
        }
        let targets = [name(), "../" + name(), outside.string, outside.appending("witness").string, "a", "b", "a/b"]
        switch Int.random(in: 0..<30, using: &random) {
        case 0...15: tar.add(name(), content: Bool.random(using: &random) ? "" : "content")
        case 16...21: tar.addDirectory(name())
        case 22...26: tar.addLink(name(), to: targets.randomElement(using: &random)!)
        case 27, 28: tar.addHardLink(name(), to: targets.randomElement(using: &random)!)
        default: tar.add(name(), type: ["3", "4", "6", "Z"].randomElement(using: &random)!)
        }
    }
}
