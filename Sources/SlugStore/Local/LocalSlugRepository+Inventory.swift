import Logging
import Synchronization

extension LocalSlugRepository {
    /// What is known of a slug; throws ``SlugStoreError/Code/notFound``.
    public func summary(of id: SlugID) async throws(SlugStoreError) -> SlugSummary {
        // Records appear and go in one step, so reading them needs no lock.
        try await BlockingWork.run { _ throws(SlugStoreError) in try self.directory().readRecord(of: id).summary }
    }

    /// The files, directories and links of a slug.
    public func contents(of id: SlugID) async throws(SlugStoreError) -> [SlugEntry] {
        try await self.withRepository(.shared) { directory, _ throws(SlugStoreError) in
            try directory.readManifest(
                try directory.readRecord(of: id), reader: try ChunkReader(index: self.index, packs: directory.packs)
            ).contents
        }
    }

    /// All slugs, oldest first. Damaged records are logged and left out.
    public func list() async throws(SlugStoreError) -> [SlugSummary] {
        let summaries: [SlugSummary] = try await BlockingWork.run { cancellation throws(SlugStoreError) in
            let directory = try self.directory()
            var summaries: [SlugSummary] = []
            for id in try directory.slugIDs() {
                try cancellation.check()
                do throws(SlugStoreError) {
                    summaries.append(try directory.readRecord(of: id).summary)
                } catch {
                    switch error.code {
                    case .notFound: continue  // removed since the directory was listed
                    case .corrupted, .unsupportedFormat:
                        self.logger.error(
                            "a slug's record cannot be read", metadata: ["slug.id": "\(id)", "error": "\(error)"])
                    default: throw error
                    }
                }
            }
            return summaries
        }
        return summaries.sorted { ($0.createdAt, $0.id) < ($1.createdAt, $1.id) }
    }

    /// Reads and checks every stored byte of a slug; throws ``SlugStoreError/Code/corrupted`` at the first damage.
    public func verify(_ id: SlugID) async throws(SlugStoreError) {
        try await self.withRepository(.shared) { directory, cancellation throws(SlugStoreError) in
            let record = try directory.readRecord(of: id)
            let manifest = try directory.readManifest(
                record, reader: try ChunkReader(index: self.index, packs: directory.packs))
            try self.verify(manifest, in: directory, cancellation)
        }
    }

    private func verify(
        _ manifest: SlugManifest, in directory: RepositoryDirectory, _ cancellation: Cancellation
    ) throws(SlugStoreError) {
        var users: [SlugManifest.ChunkReference: TreePath] = [:]
        for entry in manifest.entries {
            guard case .file(_, let chunks) = entry.kind else { continue }
            for chunk in chunks where users[chunk] == nil { users[chunk] = entry.path }
        }
        // In the order in which they are stored, so that every frame is decompressed once.
        let chunks = users.map {
            (chunk: $0.key, path: $0.value, place: self.index.location(of: $0.key.id)?.place ?? .start)
        }
        .sorted { ($0.place, $0.chunk.id) < ($1.place, $1.chunk.id) }
        let next = Atomic(0)
        try BlockingWork.parallel(self.configuration.workers) { stop throws(SlugStoreError) in
            let reader = try ChunkReader(index: self.index, packs: directory.packs)
            while !stop.isCancelled {
                let start = next.add(64, ordering: .relaxed).oldValue
                guard start < chunks.count else { return }
                try cancellation.check()
                for (chunk, path, _) in chunks[start..<min(start + 64, chunks.count)] {
                    try reader.withChunk(chunk, for: "the file \(path)") { _ in }
                }
            }
        }
    }

    /// Removes a slug and its materialised tree, which nobody may be using.
    public func remove(_ id: SlugID) async throws(SlugStoreError) {
        try await self.withTree(of: id) { () async throws(SlugStoreError) in
            try await self.withRepository(.shared) { directory, _ throws(SlugStoreError) in
                // The record first: without it, whoever makes the tree at this moment removes it again.
                guard try directory.move(id.hex, from: directory.slugs, to: directory.removed, as: id.hex) else {
                    throw directory.notFound(id)
                }
                self.distrust(id)
                try directory.removeSignatures(of: id)
                try directory.removeTree(id.hex)
            }
        }
    }
}

extension RepositoryDirectory {
    /// Removes a materialised tree: out of sight first, so that nobody finds half a tree.
    func removeTree(_ name: String) throws(SlugStoreError) {
        let hidden = try self.makeTemporaryDirectory()
        _ = try self.move(name, from: self.trees, to: self.temporary, as: hidden.name)
        try TreeRemover.remove(hidden.name.utf8, in: self.temporary)
        try TreeRemover.remove(Self.voucher(name).utf8, in: self.trees)
    }
}
