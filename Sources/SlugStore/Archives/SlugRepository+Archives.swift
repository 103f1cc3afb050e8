public import SystemPackage

extension SlugRepository {
    /// Writes a slug's tree into an archive that any program can read. Equal trees give equal bytes. The slug's metadata is not
    /// in it.
    /// - Parameters:
    ///   - id: The slug.
    ///   - file: The archive, in place of what is there.
    ///   - compression: What the archive is compressed with.
    /// - Returns: The size of the archive in bytes.
    /// - Throws: As ``materialise(_:)``; ``SlugStoreError/Code/unsupportedEntry`` for names that are not UTF-8.
    public func export(
        _ id: SlugID, to file: FilePath, compression: TreeArchiver.Compression = .zstd()
    ) async throws(SlugStoreError) -> Int64 {
        let archive = try await self.archive(id, compression: compression)
        return try await archive.archiver.write(archive.tree, to: file)
    }

    /// The archive of a slug's tree, made while it is read. The tree must not be removed before the end.
    /// - Parameters:
    ///   - id: The slug.
    ///   - compression: What the archive is compressed with.
    /// - Throws: As ``materialise(_:)``.
    public func archive(
        _ id: SlugID, compression: TreeArchiver.Compression = .zstd()
    ) async throws(SlugStoreError) -> TreeArchive {
        let tree = try await self.materialise(id)
        // The slug's own limits have let it in.
        var limits = TreeLimits()
        (limits.maxTreeBytes, limits.maxEntries, limits.maxDepth) = (.max, .max, .max)
        return TreeArchiver(compression: compression, limits: limits).archive(tree.path)
    }

    /// Stores the tree of an archive. Nothing in it is trusted.
    /// - Parameters:
    ///   - archive: A tar or zip archive, compressed or not.
    ///   - metadata: What the slug says about itself.
    ///   - extractor: What the archive may be at most.
    ///   - directory: Where the tree is unpacked to be stored; a new directory in it is made and removed.
    /// - Throws: As ``ArchiveExtractor/extract(archiveAt:into:)`` and ``put(_:metadata:progress:)``.
    public func importArchive(
        _ archive: FilePath, metadata: SlugMetadata, extractor: ArchiveExtractor = ArchiveExtractor(),
        workingIn directory: FilePath
    ) async throws(SlugStoreError) -> SlugSummary {
        try await WorkingDirectory.with(in: directory) { tree throws(SlugStoreError) in
            _ = try await extractor.extract(archiveAt: archive, into: tree)
            return try await self.put(tree, metadata: metadata)
        }
    }
}
