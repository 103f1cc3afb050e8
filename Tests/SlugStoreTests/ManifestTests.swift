import SlugStoreTesting
import SystemPackage
import TestSupport
import Testing

@testable import SlugStore

@Suite struct ManifestTests {
    private func path(_ text: String) -> TreePath { TreePath(unchecked: Array(text.utf8)) }

    private var sample: SlugManifest {
        let chunk = SlugManifest.ChunkReference(id: ChunkID(of: [1, 2, 3]), length: 3)
        return SlugManifest(
            metadata: SlugMetadata(processTypes: ["web": "run"], buildpacks: ["python", "node"], labels: ["a": "b"]),
            entries: [
                .init(path: self.path("a"), kind: .directory),
                .init(path: self.path("a/b"), kind: .file(executable: true, chunks: [chunk, chunk])),
                .init(path: self.path("a/link"), kind: .symbolicLink(target: Array("../x".utf8))),
                .init(path: self.path("a-b"), kind: .file(executable: false, chunks: [])),
                .init(path: TreePath(unchecked: [0xff, 0xfe]), kind: .file(executable: false, chunks: [chunk])),
            ])
    }

    @Test func `is read as it was written`() throws {
        #expect(try SlugManifest(decoding: self.sample.encoded()) == self.sample)
    }

    @Test func `is refused when any byte is missing`() {
        let bytes = self.sample.encoded()
        for count in 0..<bytes.count {
            #expect(throws: ByteReader.Malformed.self) { try SlugManifest(decoding: Array(bytes[..<count])) }
        }
        #expect(throws: ByteReader.Malformed.self) { try SlugManifest(decoding: bytes + [0]) }
    }

    /// What is accepted is canonical: no two different byte sequences are the same manifest.
    @Test(arguments: 0..<8) func `is refused or different when any bit flips`(bit: UInt8) throws {
        let bytes = self.sample.encoded()
        for index in bytes.indices {
            var changed = bytes
            changed[index] ^= 1 << bit
            guard let manifest = try? SlugManifest(decoding: changed) else { continue }
            #expect(manifest != self.sample)
            #expect(manifest.encoded() == changed)
        }
    }

    @Test(arguments: [
        ["../x"], ["/x"], ["a/../../x"], ["."], ["a//b"], ["a/"], [""], ["b", "a"], ["a", "a"], ["missing/x"], ["a\0b"],
    ])
    func `is refused when paths are not those of a tree`(paths: [String]) {
        let entries = paths.map { SlugManifest.Entry(path: self.path($0), kind: .file(executable: false, chunks: [])) }
        let manifest = SlugManifest(metadata: SlugMetadata(), entries: entries)
        #expect(throws: ByteReader.Malformed.self) { try SlugManifest(decoding: manifest.encoded()) }
    }

    @Test func `orders a directory before its content and that before the next name`() {
        let paths = ["a", "a/b", "a/b/c", "a/c", "a-b", "a.b", "ab", "b"].map(self.path)
        for (first, second) in zip(paths, paths.dropFirst()) {
            #expect(TreePath.precedes(first, second))
            #expect(!TreePath.precedes(second, first))
        }
    }

    /// A change here is a change of the format: the same tree would become another slug.
    @Test func `gives the identifiers of version 1 of the format`() async throws {
        let sample = SlugID(ChunkID(of: self.sample.encoded()))
        #expect(sample.hex == "d4c380d4cbff35a472546c6b6e93f969d3581fc06c58b413ab18b9dbed542b0d")
        try await withTemporaryDirectory { directory in
            let tree = TestTree([
                "bin/run": .file("true", executable: true), "empty": .directory, "l": .link("bin/run"),
            ])
            try tree.write(to: directory.appending("tree"))
            let repository = makeRepository(directory.appending("repository"))
            let metadata = SlugMetadata(processTypes: ["web": "bin/run"])
            let id = try await repository.put(directory.appending("tree"), metadata: metadata).id
            #expect(id.hex == "78c595ee7fce3afb9fb737c3a2b299f91310154c099ab5ea083cd13daeb4647e")
        }
    }
}
