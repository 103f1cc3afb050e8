import Foundation
import SlugStoreTesting
import SystemPackage
import TestSupport
import Testing

@testable import SlugStore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Layouts that were made to do harm, or that a failure has left.
@Suite struct HostileLayoutTests {
    private static func simple() -> HandmadeImage {
        var image = HandmadeImage()
        image.add { $0.add(Array("file".utf8), content: Array("content".utf8)) }
        return image
    }

    @Test(arguments: [[-1], [.max, .max], [.max - 5, 3]] as [[Int64]])
    func `sizes that cannot be are refused`(sizes: [Int64]) async throws {
        try await withTemporaryDirectory { directory in
            let layout = ImageLayout(directory: directory.appending("layout"))
            try layout.prepare()
            let digest = "sha256:\(ChunkID(of: [UInt8]()))"
            let contents = sizes.map { ImageDescriptor(mediaType: ImageMediaType.layer, digest: digest, size: $0) }
            let manifest = try layout.store(
                ImageManifest(config: contents[0], layers: Array(contents.dropFirst()), annotations: nil),
                ImageMediaType.manifest)
            let error = await slugStoreError { () throws(SlugStoreError) in _ = try await layout.contents(of: manifest)
            }
            #expect(error?.code == .invalidArchive)
        }
    }

    enum Trick: CaseIterable { case pipe, link, short }

    @Test(arguments: Trick.allCases)
    func `what is no file, or another, is not read as a layer`(trick: Trick) async throws {
        try await withTemporaryDirectory { directory in
            let layout = try await Self.simple().write(to: directory.appending("layout"))
            let image = try await layout.image(named: "latest")
            let layer = try await layout.contents(of: image)[0]
            let path = try layout.path(of: layer)
            let aside = directory.appending("aside")
            #expect(rename(path.string, aside.string) == 0)
            switch trick {
            case .pipe: #expect(mkfifo(path.string, 0o600) == 0)
            case .link: #expect(symlink(aside.string, path.string) == 0)
            case .short: try path.write([1])
            }
            let code: SlugStoreError.Code? = trick == .short ? nil : .invalidArchive
            for number in 0..<3 {
                let error = await slugStoreError { () throws(SlugStoreError) in
                    switch number {
                    case 0: _ = try await layout.imported(in: directory)
                    case 1: _ = try await layout.copy("latest", to: ImageLayout(directory: directory.appending("copy")))
                    default:
                        var empty = SlugImage(base: ImageBase(layout: layout.directory))
                        empty.port = 1
                        let tree = directory.appending("tree")
                        try? FileManager.default.createDirectory(atPath: tree.string, withIntermediateDirectories: true)
                        _ = try await empty.write(
                            tree, metadata: SlugMetadata(), into: ImageLayout(directory: directory.appending("above")))
                    }
                }
                #expect(error != nil)
                if let code { #expect(error?.code == code, "\(error?.message ?? "nothing")") }
            }
            // It is not there, so that it is replaced.
            #expect(try await !layout.contains(layer))
            try await layout.add(layer, from: aside, progress: nil)
            #expect(try await layout.contains(layer))
            #expect(try await layout.imported(in: directory).report.slug.files == 1)
        }
    }

    @Test func `what is fetched replaces what a power failure has left`() async throws {
        try await withTemporaryDirectory { directory in
            let layout = try await Self.simple().write(to: directory.appending("layout"))
            let layer = try await layout.contents(of: try await layout.image(named: "latest"))[0]
            let path = try layout.path(of: layer)
            let bytes = try path.contents()
            try path.write([])
            try layout.directory.appending("oci-layout").write([])
            let writer = try await ImageContentWriter.begin(layer, in: layout)
            try await writer.append(bytes)
            try await writer.finish()
            #expect(try path.contents() == bytes)
            #expect(try !layout.directory.appending("oci-layout").contents().isEmpty)
        }
    }

    @Test func `what programs that are gone have left is removed`() async throws {
        try await withTemporaryDirectory { directory in
            let layout = ImageLayout(directory: directory.appending("layout"))
            try layout.prepare()
            for parent in [layout.blobs, layout.directory] {
                let left = parent.appending(".abc.writing-1-1")
                try left.write([1])
                try FileManager.default.setAttributes(
                    [.modificationDate: Date(timeIntervalSinceNow: -7200)], ofItemAtPath: left.string)
                try parent.appending(".abc.writing-1-2").write([1])
            }
            try layout.prepare()
            #expect(try names(in: layout.blobs) == [".abc.writing-1-2"])
            #expect(try names(in: layout.directory) == [".abc.writing-1-2", "blobs", "oci-layout"])
        }
    }

    @Test func `the limit of what is unpacked is one for all layers`() async throws {
        try await withTemporaryDirectory { directory in
            var image = HandmadeImage()
            for number in 0..<4 {
                image.add { $0.add(Array("elsewhere/\(number)".utf8), content: [UInt8](repeating: 1, count: 8 << 20)) }
            }
            image.add { $0.add(Array("app/file".utf8), content: [1]) }
            let layout = try await image.write(to: directory.appending("layout"))
            var options = ImageImport(path: "/app")
            options.limits.maxEntries = 10
            options.limits.maxBytes = 40 << 20
            #expect(try await layout.imported(nil, options, in: directory).report.slug.files == 1)
            // With the 16 MiB for what is around files, three layers are within it.
            options.limits.maxBytes = 9 << 20
            let error = await slugStoreError { [options] () throws(SlugStoreError) in
                _ = try await layout.imported(nil, options, in: directory)
            }
            #expect(error?.code == .limitExceeded)
            #expect(error?.message.hasPrefix("Layer 4") == true, "\(error?.message ?? "nothing")")
        }
    }

    @Test(arguments: [
        #"{"processTypes":{"a/../b":"run"},"labels":{},"buildpacks":[]}"#,
        #"{"processTypes":{"web":"run\u0000"},"labels":{},"buildpacks":[]}"#,
        #"{"processTypes":{"web":"run \u001b[2J"},"labels":{},"buildpacks":[]}"#,
        #"{"processTypes":{},"labels":{"a\u009b":"b"},"buildpacks":[]}"#,
        #"{"processTypes":{},"labels":{"a":"\u0007"},"buildpacks":[]}"#,
        #"{"processTypes":{},"labels":{},"buildpacks":["a\n"]}"#,
    ])
    func `a label cannot bring metadata that nothing else could`(label: String) async throws {
        try await withTemporaryDirectory { directory in
            var image = HandmadeImage()
            image.add { $0.add(Array("app/file".utf8), content: [1]) }
            image.process.labels = [ImageLabel.metadata: label]
            let layout = try await image.write(to: directory.appending("layout"))
            let error = await slugStoreError { () throws(SlugStoreError) in
                _ = try await layout.imported(in: directory)
            }
            #expect(error?.code == .invalidArchive)
            #expect(error?.message.contains("The image") == true, "\(error?.message ?? "nothing")")
            #expect(error?.message.unicodeScalars.contains { $0.properties.generalCategory == .control } == false)
        }
    }

    @Test func `a process type cannot have the name of the default one's image`() async throws {
        try await withTemporaryDirectory { directory in
            try TestTree(["file": .file("1")]).write(to: directory.appending("tree"))
            let layout = ImageLayout(directory: directory.appending("layout"))
            let metadata = SlugMetadata(processTypes: ["web": "run", "latest": "run"])
            let error = await slugStoreError { () throws(SlugStoreError) in
                _ = try await SlugImage().write(directory.appending("tree"), metadata: metadata, into: layout)
            }
            #expect(error?.code == .unsupportedEntry)
            #expect(!FileManager.default.fileExists(atPath: layout.directory.string))
        }
    }

    @Test(arguments: [("é ✓", "é ✓"), ("a\u{1b}[2J", "a\\x1b[2J"), ("\u{7f}", "\\x7f"), ("\u{9b}2J", "\\xc2\\x9b2J")])
    func `nothing that a terminal obeys is shown`(text: String, shown: String) {
        #expect(printable(text.utf8) == shown)
    }
}
