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

/// What is on disk is what `Docs/SlugFormat.md` says: a reader that was written from that page alone, in another language,
/// reads it.
@Suite(.enabled(if: Program.has("python3"), "python3 is not installed")) struct ReaderTests {
    private static let reader = FilePath(#filePath).removingLastComponent().appending("Reader").appending("reader.py")

    private func read(_ repository: FilePath, _ arguments: String...) throws -> String {
        try Program.run(
            "python3", [Self.reader.string, repository.string] + arguments, in: repository.removingLastComponent())
    }

    @Test func `a reader written from the document alone reads what is stored`() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory.appending("repository")
            let repository = makeRepository(path)
            var trees = (0..<4).map { TestTree.random(seed: 70 + $0) }
            // A file that is cut, another that begins with it, and a manifest of several levels.
            var random = SeededGenerator(seed: 7)
            let large = random.bytes(700_000)
            var entries: [String: TestTree.Entry] = [
                "large": .file(large), "larger": .file(large + [1]), "d": .directory,
            ]
            for number in 0..<1_500 { entries["d/\(number)"] = .file("\(number)") }
            trees.append(TestTree(entries))
            let metadata = SlugMetadata(
                processTypes: ["web": "run \u{e9}"], buildpacks: ["b", "a"], labels: ["commit": "1\u{1F680}"])
            var ids: [SlugID] = []
            for (number, tree) in trees.enumerated() {
                let source = directory.appending("tree-\(number)")
                try tree.write(to: source)
                ids.append(try await repository.put(source, metadata: number == 0 ? metadata : SlugMetadata()).id)
            }
            _ = try await repository.materialise(ids[0])
            try await repository.sign(ids[1], by: SlugSigner())
            try await repository.remove(ids[2])

            let kept = Set(ids).subtracting([ids[2]])
            #expect(try self.read(path, "list") == kept.map { "\($0)\n" }.sorted().joined())
            #expect(try self.read(path, "verify") == "")
            let text = try self.read(path, "metadata", "\(ids[0])")
            #expect(try JSONDecoder().decode(SlugMetadata.self, from: Data(text.utf8)) == metadata)
            for (id, tree) in zip(ids, trees) where id != ids[2] {
                let made = directory.appending("made-\(id.hex)")
                _ = try self.read(path, "get", "\(id)", made.string)
                #expect(try TestTree(readingAt: made) == tree)
            }

            // And says so when it is not.
            let pack = path.appending("packs").appending(try #require(names(in: path.appending("packs")).first))
            var bytes = try pack.contents()
            bytes[16] ^= 1
            try pack.write(bytes)
            #expect(throws: Violation.self) { try self.read(path, "verify") }
        }
    }
}
