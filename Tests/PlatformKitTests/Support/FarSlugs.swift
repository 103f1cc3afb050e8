import SlugStore
import Synchronization
import SystemPackage

/// A store that is far away: looks at what it has, and at one of its slugs, take until a test ends that.
final class FarSlugs: SlugRepository {
    private struct State {
        var lists = 0
        var isHanging = false
        var hanging: Set<SlugID> = []
    }

    private let base: any SlugRepository
    private let state = Mutex(State())

    init(_ base: any SlugRepository) { self.base = base }

    /// How often all were asked for.
    var lists: Int { self.state.withLock { $0.lists } }

    /// Has lists take, and looks at these slugs; or lets all that wait go on.
    func hang(_ hangs: Bool, at slugs: Set<SlugID> = []) {
        self.state.withLock { ($0.isHanging, $0.hanging) = (hangs, slugs) }
    }

    private func wait(while isHeld: (State) -> Bool) async throws(SlugStoreError) {
        while self.state.withLock({ isHeld($0) }) {
            guard !Task.isCancelled else { throw SlugStoreError(code: .cancelled, message: "nobody waits any more") }
            await Task.yield()
        }
    }

    func summary(of id: SlugID) async throws(SlugStoreError) -> SlugSummary {
        try await self.wait { $0.hanging.contains(id) }
        return try await self.base.summary(of: id)
    }

    func list() async throws(SlugStoreError) -> [SlugSummary] {
        self.state.withLock { $0.lists += 1 }
        try await self.wait { $0.isHanging }
        return try await self.base.list()
    }

    func put(
        _ tree: FilePath, metadata: SlugMetadata, progress: (@Sendable (SlugProgress) -> Void)?
    ) async throws(SlugStoreError) -> SlugSummary {
        try await self.base.put(tree, metadata: metadata, progress: progress)
    }

    func materialise(_ id: SlugID) async throws(SlugStoreError) -> MaterialisedSlug {
        try await self.base.materialise(id)
    }

    func contents(of id: SlugID) async throws(SlugStoreError) -> [SlugEntry] { try await self.base.contents(of: id) }

    func add(_ signature: SlugSignature, to id: SlugID) async throws(SlugStoreError) {
        try await self.base.add(signature, to: id)
    }

    func signatures(of id: SlugID) async throws(SlugStoreError) -> [SlugSignature] {
        try await self.base.signatures(of: id)
    }

    func verify(_ id: SlugID) async throws(SlugStoreError) { try await self.base.verify(id) }
    func remove(_ id: SlugID) async throws(SlugStoreError) { try await self.base.remove(id) }
    func collectGarbage() async throws(SlugStoreError) -> GarbageReport { try await self.base.collectGarbage() }
}
