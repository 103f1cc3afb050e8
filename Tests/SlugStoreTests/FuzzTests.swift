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

/// Whatever the bytes are, a reader says what they are or what is wrong with them, and what it accepts it would write as
/// it is. Seeded, so that a failure is found again: the number of inputs is fixed and the time with it.
@Suite(.timeLimit(.minutes(10))) struct FuzzTests {
    private static let inputs = 4000

    /// Inputs that were something once: with bytes changed, left out, put in, moved and repeated, and lengths that lie.
    private struct Mutations {
        var random: SeededGenerator
        let seeds: [[UInt8]]

        init(seed: UInt64, of seeds: [[UInt8]]) {
            self.random = SeededGenerator(seed: seed)
            self.seeds = seeds
        }

        mutating func next() -> [UInt8] {
            var bytes = self.seeds[Int.random(in: 0..<self.seeds.count, using: &self.random)]
            for _ in 0..<Int.random(in: 1...5, using: &self.random) {
                let position = Int.random(in: 0...bytes.count, using: &self.random)
                let end = min(bytes.count, position + Int.random(in: 0...40, using: &self.random))
                switch Int.random(in: 0..<8, using: &self.random) {
                case 0: bytes.removeSubrange(position..<end)
                case 1: bytes.insert(contentsOf: bytes[position..<end], at: position)
                case 2: bytes.insert(contentsOf: self.random.bytes(end - position), at: position)
                case 3: bytes.removeLast(bytes.count - position)
                case 4:
                    let large: [UInt8] = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]
                    bytes.replaceSubrange(
                        position..<end, with: large.suffix(Int.random(in: 1...10, using: &self.random)))
                case 5:
                    let other = self.seeds[Int.random(in: 0..<self.seeds.count, using: &self.random)]
                    bytes.insert(contentsOf: other.suffix(end - position), at: position)
                default: if position < bytes.count { bytes[position] = UInt8.random(in: 0...255, using: &self.random) }
                }
            }
            return bytes
        }
    }

    private static func chunk(_ number: Int, _ length: Int) -> SlugManifest.ChunkReference {
        SlugManifest.ChunkReference(id: ChunkID(of: [UInt8(number)]), length: length)
    }

    private static let manifests: [[UInt8]] = [
        SlugManifest(metadata: SlugMetadata(), entries: []).encoded(),
        SlugManifest(
            metadata: SlugMetadata(processTypes: ["web": "run", "é": "x"], buildpacks: ["a"], labels: ["k": ""]),
            entries: [
                .init(path: TreePath(unchecked: Array("a".utf8)), kind: .directory),
                .init(
                    path: TreePath(unchecked: Array("a/b".utf8)),
                    kind: .file(executable: true, chunks: [chunk(1, 3), chunk(2, 300)])),
                .init(path: TreePath(unchecked: Array("a/c".utf8)), kind: .symbolicLink(target: Array("../x".utf8))),
                .init(path: TreePath(unchecked: Array("b".utf8)), kind: .file(executable: false, chunks: [])),
            ]
        ).encoded(),
    ]

    @Test(arguments: 0..<4) func `manifests`(seed: UInt64) {
        var mutations = Mutations(seed: seed, of: Self.manifests)
        for _ in 0..<Self.inputs {
            let bytes = mutations.next()
            do throws(ByteReader.Malformed) {
                let manifest = try SlugManifest(decoding: bytes)
                #expect(manifest.encoded() == bytes)
            } catch {
                #expect(error.offset <= bytes.count)
            }
        }
    }

    @Test(arguments: 0..<4) func `indexes and ends of packs`(seed: UInt64) {
        let frames = [
            PackFormat.Frame(
                offset: 16, storedBytes: 40, bytes: 303, checksum: 7, chunks: [Self.chunk(1, 3), Self.chunk(2, 300)]),
            PackFormat.Frame(offset: 56, storedBytes: 9, bytes: 1, checksum: .max, chunks: [Self.chunk(3, 1)]),
        ]
        let index = PackFormat.encodeIndex(frames)
        var indexes = Mutations(seed: seed, of: [index, PackFormat.encodeIndex([])])
        for _ in 0..<Self.inputs {
            let bytes = indexes.next()
            guard let decoded = try? PackFormat.decodeIndex(bytes, indexOffset: 65) else { continue }
            #expect(PackFormat.encodeIndex(decoded) == bytes)
            #expect(decoded.allSatisfy { $0.offset <= 65 && $0.storedBytes <= 65 })
        }
        let footer = PackFormat.encodeFooter(indexOffset: 65, index: index, digest: ChunkID(of: index))
        let file = UInt64(65 + index.count + footer.count)
        var footers = Mutations(seed: seed, of: [footer])
        for _ in 0..<Self.inputs {
            guard let end = try? PackFormat.decodeFooter(footers.next(), fileBytes: file) else { continue }
            #expect(end.offset + UInt64(end.count) + UInt64(PackFormat.footerBytes) == file)
        }
    }

    @Test(arguments: 0..<4) func `lists of chunks`(seed: UInt64) {
        let list = ManifestTree.list((0..<40).map { Self.chunk($0, 100 + $0) })
        var mutations = Mutations(seed: seed, of: [list, ManifestTree.list([])])
        for _ in 0..<Self.inputs {
            let bytes = mutations.next()
            let tree = ManifestTree(roots: [Self.chunk(0, bytes.count)], levels: 1)
            var asked: [SlugManifest.ChunkReference] = []
            do throws(SlugStoreError) {
                let read = try tree.read { (chunk, into) throws(SlugStoreError) in
                    asked.append(chunk)
                    if asked.count == 1 { into += bytes }
                }
                #expect(ManifestTree.list(Array(read.chunks.dropFirst())) == bytes)
                #expect(asked.count == read.chunks.count)
            } catch {
                #expect(error.code == .corrupted)
            }
        }
    }

    @Test(arguments: 0..<4) func `records`(seed: UInt64) throws {
        let id = SlugID(ChunkID(of: Self.manifests[1]))
        let summary = SlugSummary(
            id: id, metadata: SlugMetadata(processTypes: ["web": "run"], labels: ["a": "b"]), files: 2, bytes: 303,
            newBytesStored: 100, createdAt: Date(timeIntervalSince1970: 1_000_000_000))
        let record = try SlugRecord(
            summary: summary, manifest: ManifestTree(roots: [Self.chunk(1, 10), Self.chunk(2, 20)], levels: 1)
        ).encoded()
        #expect(try SlugRecord(decoding: record, of: id).encoded() == record)
        let line = Array(record.split(separator: 0x0a)[0])
        // With a digest that fits: damage that the digest would tell is not all there is.
        func sealed(_ line: [UInt8]) -> [UInt8] { line + [0x0a] + Array(ChunkID(of: line).description.utf8) + [0x0a] }
        var mutations = Mutations(seed: seed, of: [line])
        var texts: [[UInt8]] = (0..<Self.inputs / 4).map { _ in mutations.next() }
        let text = String(decoding: line, as: UTF8.self)
        for number in ["9223372036854775807", "-9223372036854775808", "-1", "1e300", "99999999999999999999"] {
            for field in [
                "\"length\":10", "\"length\":20", "\"createdAt\":1000000000000", "\"bytes\":303", "\"levels\":1",
            ] {
                let name = field.prefix { $0 != ":" }
                texts.append(Array(text.replacing(field, with: "\(name):\(number)").utf8))
            }
        }
        for text in texts {
            do throws(SlugStoreError) {
                let record = try SlugRecord(decoding: sealed(text), of: id)
                // What is read again is the same, and what refers to too much is an error.
                let again = try SlugRecord(decoding: try record.encoded(), of: id)
                #expect(again.summary == record.summary && again.manifest == record.manifest)
                _ = try? record.manifest.read { (chunk, bytes) throws(SlugStoreError) in bytes.append(0) }
            } catch {
                #expect(error.code == .corrupted || error.code == .unsupportedFormat)
            }
        }
        var damaged = Mutations(seed: seed, of: [record])
        for _ in 0..<Self.inputs / 4 {
            let bytes = damaged.next()
            guard bytes != record else { continue }
            #expect(throws: SlugStoreError.self) { try SlugRecord(decoding: bytes, of: id) }
        }
    }

    @Test(arguments: 0..<4) func `archives`(seed: UInt64) async throws {
        var tar = HandmadeTar()
        tar.addPax("path", Array("ünïcode".utf8))
        tar.add("x", content: "text")
        tar.addDirectory("d")
        tar.addLink("d/l", to: "../x")
        tar.addHardLink("h", to: "ünïcode")
        tar.addRecords(
            HandmadeTar.record("GNU.sparse.major", "1") + HandmadeTar.record("GNU.sparse.minor", "0")
                + HandmadeTar.record("GNU.sparse.name", "sparse") + HandmadeTar.record("GNU.sparse.realsize", "1000"))
        tar.add(Array("s".utf8), content: Array("1\n0\n2\n".utf8) + [UInt8](repeating: 0, count: 506) + [1, 2])
        var zip = HandmadeZip()
        zip.add("a", "text")
        zip.add("l", "a", mode: 0o120777)
        zip.add("d/", mode: 0o040755)
        var large = zip
        large.hasZip64 = true
        var mutations = Mutations(
            seed: seed,
            of: [tar.archive, zip.archive, large.archive]
                + (try Compressed.allCases.map { try $0.pack(tar.archive) }))
        try await withTemporaryDirectory { directory in
            var extractor = ArchiveExtractor()
            extractor.limits.maxBytes = 1 << 20
            for _ in 0..<400 {
                let bytes = mutations.next()
                let error = await slugStoreError { [extractor] () throws(SlugStoreError) in
                    _ = try await extractor.extract(Pieces(bytes: bytes), into: directory.appending("tree"))
                }
                if let error {
                    #expect([.invalidArchive, .unsafeArchive, .limitExceeded].contains(error.code), "\(error)")
                    #expect(try names(in: directory).isEmpty)
                } else {
                    #expect(try names(in: directory) == ["tree"])
                    try FileManager.default.removeItem(atPath: directory.appending("tree").string)
                }
            }
        }
    }
}
