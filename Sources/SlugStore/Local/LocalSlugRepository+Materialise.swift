import SystemPackage

extension LocalSlugRepository {
    /// Makes the slug's tree below `trees` in the repository, or finds it there.
    public func materialise(_ id: SlugID) async throws(SlugStoreError) -> MaterialisedSlug {
        if let path = try self.existingTree(of: id) { return MaterialisedSlug(id: id, path: path) }
        // Concurrent calls wait here, and all but the first find the tree.
        return try await self.withTree(of: id) { () async throws(SlugStoreError) in
            let path = try await self.withRepository(.shared) { directory, cancellation throws(SlugStoreError) in
                if let path = try self.existingTree(of: id) { return path }
                return try self.makeTree(of: id, in: directory, cancellation)
            }
            return MaterialisedSlug(id: id, path: path)
        }
    }

    private func makeTree(
        of id: SlugID, in directory: RepositoryDirectory, _ cancellation: Cancellation
    ) throws(SlugStoreError) -> FilePath {
        let record = try directory.readRecord(of: id)
        let manifest = try directory.readManifest(
            record, reader: try ChunkReader(index: self.index, packs: directory.packs))
        let tree = try directory.makeTemporaryDirectory()
        try TreeWriter(
            manifest, into: tree.descriptor, index: self.index, packs: directory.packs,
            workers: self.configuration.workers, cancellation: cancellation
        ).run()
        // False if another process has made the same tree meanwhile: then ours goes.
        _ = try directory.publishTree(tree, as: id.hex)
        // A process that removed the slug meanwhile has removed its record first and looked for a tree after that: either
        // it has found ours, or we find the record gone.
        guard try directory.hasRecord(of: id) else {
            try TreeRemover.remove(id.hex.utf8, in: directory.trees)
            throw SlugStoreError(code: .notFound, message: "The slug \(id) was removed while its tree was made.")
        }
        return self.configuration.directory.appending("trees").appending(id.hex)
    }
}
