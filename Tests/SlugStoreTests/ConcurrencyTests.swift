import SlugStoreTesting
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import SlugStore

@Suite struct ConcurrencyTests {
    /// What is known to be stored, for those who make trees.
    private final class Shelf: Sendable {
        let slugs = Mutex<[(id: SlugID, tree: TestTree)]>([])
    }

    /// Eight put, eight make trees, one removes and one collects garbage, by two repository objects on one directory, which
    /// stand for two processes. Nothing that was not removed is lost, and nothing wrong is made.
    @Test func `puts, trees, removals and collections at once keep every slug`() async throws {
        try await withTemporaryDirectory { directory in
            let repositories = (0..<2).map { _ in makeRepository(directory.appending("repository")) { $0.workers = 2 } }
            let shelf = Shelf()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<8 {
                    group.addTask {
                        try await self.put(number, into: repositories[number % 2], directory, shelf)
                    }
                    group.addTask { try await self.make(number, from: repositories[(number + 1) % 2], shelf) }
                }
                group.addTask { try await self.removeAndCollect(repositories[0], directory, shelf) }
                try await group.waitForAll()
            }
            let kept = shelf.slugs.withLock { $0 }
            #expect(kept.count > 8)
            let fresh = makeRepository(directory.appending("repository"))
            #expect(try await Set(fresh.list().map(\.id)) == Set(kept.map(\.id)))
            #expect(try await fresh.verifyAll().isSound)
            for (id, tree) in kept { #expect(try await TestTree(readingAt: fresh.materialise(id).path) == tree) }
            #expect(try names(in: directory.appending("repository").appending("tmp")).isEmpty)
        }
    }

    private func put(
        _ number: Int, into repository: LocalSlugRepository, _ directory: FilePath, _ shelf: Shelf
    ) async throws {
        for round in 0..<6 {
            // Neighbours share most of their files, and some whole trees.
            var entries = TestTree.random(seed: UInt64(number / 2)).entries
            entries["round"] = .file("\(round / 2) of \(number / 2)")
            let tree = TestTree(entries)
            let path = directory.appending("tree-\(number)-\(round)")
            try tree.write(to: path)
            let id = try await repository.put(path, metadata: SlugMetadata()).id
            shelf.slugs.withLock { slugs in
                if !slugs.contains(where: { $0.id == id }) { slugs.append((id, tree)) }
            }
        }
    }

    private func make(_ number: Int, from repository: LocalSlugRepository, _ shelf: Shelf) async throws {
        var random = SeededGenerator(seed: UInt64(100 + number))
        for _ in 0..<20 {
            guard let (id, tree) = shelf.slugs.withLock({ $0.randomElement(using: &random) }) else {
                await Task.yield()
                continue
            }
            #expect(try await TestTree(readingAt: repository.materialise(id).path) == tree)
        }
    }

    /// Puts and removes slugs of its own, whose chunks are garbage between those of the others.
    private func removeAndCollect(
        _ repository: LocalSlugRepository, _ directory: FilePath, _ shelf: Shelf
    ) async throws {
        for round in 0..<8 {
            let path = directory.appending("mine-\(round)")
            try TestTree(["mine": .file("only here: \(round)")]).write(to: path)
            let id = try await repository.put(path, metadata: SlugMetadata()).id
            _ = try await repository.materialise(id)
            try await repository.remove(id)
            _ = try await repository.collectGarbage()
        }
    }
}
