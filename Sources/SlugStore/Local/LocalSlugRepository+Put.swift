public import SystemPackage

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension LocalSlugRepository {
    /// Stores the tree at `tree`; see ``SlugRepository/put(_:metadata:progress:)``.
    public func put(
        _ tree: FilePath, metadata: SlugMetadata, progress: (@Sendable (SlugProgress) -> Void)?
    ) async throws(SlugStoreError) -> SlugSummary {
        guard metadata.stringBytes <= self.configuration.limits.maxMetadataBytes else {
            throw SlugStoreError(
                code: .limitExceeded,
                message: "The metadata has \(metadata.stringBytes) bytes; the limit is "
                    + "\(self.configuration.limits.maxMetadataBytes).")
        }
        return try await self.withRepository(.shared) { directory, cancellation throws(SlugStoreError) in
            try self.store(tree, metadata, in: directory, cancellation, progress)
        }
    }

    private func store(
        _ tree: FilePath, _ metadata: SlugMetadata, in directory: RepositoryDirectory, _ cancellation: Cancellation,
        _ progress: (@Sendable (SlugProgress) -> Void)?
    ) throws(SlugStoreError) -> SlugSummary {
        let root = try Descriptor.directory(at: tree)
        let entries = try TreeScanner.scan(root, limits: self.configuration.limits, cancellation: cancellation)
        let pack = PendingPack(directory: directory, index: self.index, reserve: self.configuration.reserve)
        let ingest = TreeIngest(
            entries, of: root, into: pack, configuration: self.configuration, cancellation: cancellation,
            progress: progress)
        let manifest = Self.manifest(metadata, entries, try ingest.run())
        guard entries.reduce(0, { $0 + $1.path.bytes.count }) <= SlugManifest.maxPathBytes else {
            throw SlugStoreError(
                code: .limitExceeded,
                message:
                    "The paths of the tree have more than \(SlugManifest.maxPathBytes) bytes together, which is the limit."
            )
        }
        let bytes = manifest.encoded()
        let id = SlugID(ChunkID(of: bytes))
        let tree = try self.store(manifest: bytes, in: pack)
        try cancellation.check()

        // First the pack, then the record that makes the slug: at every instant, a record finds its chunks.
        let packBytes = try pack.publish()?.bytes ?? 0
        if try !directory.hasRecord(of: id) {
            let summary = SlugSummary(
                id: id, metadata: metadata, files: manifest.files, bytes: manifest.bytes, newBytesStored: packBytes,
                createdAt: self.configuration.now().toTheMillisecond)
            if let stored = try self.store(SlugRecord(summary: summary, manifest: tree), in: directory) {
                return stored
            }
        }
        // The slug was there before, or another put of the same tree was faster.
        var summary = try directory.readRecord(of: id).summary
        summary.newBytesStored = packBytes
        return summary
    }

    /// The slug that the tree at `root` would be, found out by reading all of it.
    func identify(
        _ root: Descriptor, _ metadata: SlugMetadata, _ cancellation: Cancellation
    ) throws(SlugStoreError) -> SlugID {
        let entries = try TreeScanner.scan(root, limits: self.configuration.limits, cancellation: cancellation)
        let ingest = TreeIngest(
            entries, of: root, into: nil, configuration: self.configuration, cancellation: cancellation, progress: nil)
        return SlugID(ChunkID(of: Self.manifest(metadata, entries, try ingest.run()).encoded()))
    }

    static func manifest(
        _ metadata: SlugMetadata, _ entries: [TreeScanner.Entry], _ files: [TreeIngest.File]
    ) -> SlugManifest {
        let files = Dictionary(uniqueKeysWithValues: files.map { ($0.position, $0) })
        return SlugManifest(
            metadata: metadata,
            entries: entries.enumerated().map { position, entry in
                let kind: SlugManifest.Kind =
                    switch entry.kind {
                    case .directory: .directory
                    case .symbolicLink(let target): .symbolicLink(target: target)
                    case .file:
                        .file(
                            executable: files[position]?.isExecutable ?? false, chunks: files[position]?.chunks ?? [])
                    }
                return SlugManifest.Entry(path: entry.path, kind: kind)
            })
    }

    func store(manifest bytes: [UInt8], in pack: PendingPack) throws(SlugStoreError) -> ManifestTree {
        guard bytes.count <= ManifestTree.maxBytes else {
            throw SlugStoreError(
                code: .limitExceeded,
                message: "The list of the tree's files has \(bytes.count) bytes; the limit is \(ManifestTree.maxBytes)."
            )
        }
        let frames = try FrameWriter(pack: pack, level: self.configuration.compressionLevel)
        let tree = try ManifestTree(bytes) { chunk, piece throws(SlugStoreError) in
            if pack.claim(chunk.id) { try frames.append(chunk, piece) }
        }
        try frames.flush()
        return tree
    }

    /// Writes a record. `nil` if the slug has one.
    private func store(
        _ record: SlugRecord, in directory: RepositoryDirectory
    ) throws(SlugStoreError) -> SlugSummary? {
        let id = record.summary.id
        var record = record
        record.summary.newBytesStored += Int64(try record.encoded().count)
        let entry = try directory.makeTemporaryFile()
        try record.encoded().withBytes { bytes throws(SlugStoreError) in
            try entry.descriptor.write(bytes, at: 0, "Writing the record of \(id)")
        }
        return try directory.publish(entry, as: id.hex, in: directory.slugs) ? record.summary : nil
    }
}

extension SlugMetadata {
    fileprivate var stringBytes: Int {
        let pairs = Array(self.processTypes) + Array(self.labels)
        return pairs.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count }
            + self.buildpacks.reduce(0) { $0 + $1.utf8.count }
    }
}

extension Date {
    /// What survives being stored.
    fileprivate var toTheMillisecond: Date {
        Date(timeIntervalSince1970: (self.timeIntervalSince1970 * 1000).rounded() / 1000)
    }
}
