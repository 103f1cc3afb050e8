import SlugStore
import SlugStoreTesting
import SystemPackage
import TestSupport
import Testing

@Suite struct ConformanceTests {
    @Test(arguments: SlugRepositoryConformance.Check.all)
    func `a local repository keeps its promises`(check: SlugRepositoryConformance.Check) async throws {
        try await withTemporaryDirectory { directory in
            let suite = SlugRepositoryConformance(workspace: directory) {
                makeRepository(directory.appending("repository"))
            }
            try await check.run(suite)
        }
    }

    @Test func `a durable local repository keeps a tree`() async throws {
        try await withTemporaryDirectory { directory in
            let tree = TestTree.random(seed: 1)
            try tree.write(to: directory.appending("tree"))
            let repository = makeRepository(directory.appending("repository")) { $0.synchronises = true }
            let id = try await repository.put(directory.appending("tree"), metadata: SlugMetadata()).id
            #expect(try await TestTree(readingAt: repository.materialise(id).path) == tree)
        }
    }

    @Test(arguments: 0..<24)
    func `any tree comes back as it was put`(seed: UInt64) async throws {
        try await withTemporaryDirectory { directory in
            let tree = TestTree.random(seed: seed)
            try tree.write(to: directory.appending("tree"), reversed: seed % 2 == 0)
            let repository = makeRepository(directory.appending("repository")) { $0.workers = Int(seed % 4) + 1 }
            let summary = try await repository.put(directory.appending("tree"), metadata: SlugMetadata())
            #expect(summary.bytes == tree.bytes)
            #expect(try await TestTree(readingAt: repository.materialise(summary.id).path) == tree)
            try await repository.verify(summary.id)
        }
    }
}
