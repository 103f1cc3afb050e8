import Logging
import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// What a repository gives to, and takes from, a remote that it stands before.
extension LocalSlugRepository {
    /// A slug's record, and every chunk that it needs, each once: those of its manifest first.
    struct Parts: Sendable {
        var record: SlugRecord
        var chunks: [SlugManifest.ChunkReference]
    }

    /// A frame as another repository has stored it.
    struct StoredFrame: Sendable {
        var stored: [UInt8]
        var bytes: Int
        var chunks: [SlugManifest.ChunkReference]
    }

    /// What a slug consists of.
    func parts(of id: SlugID) async throws(SlugStoreError) -> Parts {
        try await self.withRepository(.shared) { directory, _ throws(SlugStoreError) in
            try self.parts(of: try directory.readRecord(of: id), in: directory)
        }
    }

    /// What the slug of a record that may not be here consists of. Its manifest's chunks must be here.
    func parts(of record: SlugRecord) async throws(SlugStoreError) -> Parts {
        try await self.withRepository(.shared) { directory, _ throws(SlugStoreError) in
            try self.parts(of: record, in: directory)
        }
    }

    private func parts(
        of record: SlugRecord, in directory: RepositoryDirectory
    ) throws(SlugStoreError) -> Parts {
        let (manifest, chunks) = try directory.readManifestAndChunks(
            record, reader: try ChunkReader(index: self.index, packs: directory.packs))
        var seen: Set<ChunkID> = []
        return Parts(record: record, chunks: (chunks + manifest.chunks).filter { seen.insert($0.id).inserted })
    }

    /// The chunks that a list of them names, which is in these chunks. They must be here.
    func chunks(
        listedIn list: [SlugManifest.ChunkReference]
    ) async throws(SlugStoreError) -> [SlugManifest.ChunkReference] {
        try await self.withRepository(.shared) { directory, _ throws(SlugStoreError) in
            let reader = try ChunkReader(index: self.index, packs: directory.packs)
            return try ManifestTree.expand(list) { chunk, bytes throws(SlugStoreError) in
                try reader.withChunk(chunk, for: "the manifest of a slug") { bytes.append(contentsOf: $0) }
            }
        }
    }

    /// The files, directories and links of a slug whose record may not be here. Its manifest's chunks must be.
    func entries(of record: SlugRecord) async throws(SlugStoreError) -> [SlugEntry] {
        try await self.withRepository(.shared) { directory, _ throws(SlugStoreError) in
            try directory.readManifest(record, reader: try ChunkReader(index: self.index, packs: directory.packs))
                .contents
        }
    }

    /// Whether the slug is here.
    func has(_ id: SlugID) async throws(SlugStoreError) -> Bool {
        try await BlockingWork.run { _ throws(SlugStoreError) in try self.directory().hasRecord(of: id) }
    }

    /// Those chunks that are in no pack here.
    func missing(among chunks: [SlugManifest.ChunkReference]) async throws(SlugStoreError)
        -> [SlugManifest.ChunkReference]
    {
        try await self.withRepository(.shared) { _, _ in chunks.filter { !self.index.contains($0.id) } }
    }

    /// Stores frames, which have been verified, as a pack.
    func adopt(_ frames: [StoredFrame]) async throws(SlugStoreError) {
        try await self.withRepository(.shared) { directory, _ throws(SlugStoreError) in
            let pack = PendingPack(directory: directory, index: self.index, reserve: self.configuration.reserve)
            for frame in frames {
                // A frame is taken as a whole: splitting it would mean to compress it again.
                for chunk in frame.chunks { _ = pack.claim(chunk.id) }
                try frame.stored.withBytes { bytes throws(SlugStoreError) in
                    try pack.writer().append(bytes, chunks: frame.chunks)
                }
            }
            _ = try pack.publish()
        }
    }

    /// Makes the slug of a record from elsewhere one of this repository's, if all that it needs is here.
    /// - Returns: Whether it is.
    func adopt(_ contents: Parts) async throws(SlugStoreError) -> Bool {
        try await self.withRepository(.shared) { directory, _ throws(SlugStoreError) in
            // Under the lock, so that no garbage collection takes away what was found.
            guard contents.chunks.allSatisfy({ self.index.contains($0.id) }) else { return false }
            let bytes = try contents.record.encoded()
            let entry = try directory.makeTemporaryFile()
            try bytes.withBytes { bytes throws(SlugStoreError) in
                try entry.descriptor.write(bytes, at: 0, "Writing the record of \(contents.record.summary.id)")
            }
            try directory.replace(with: entry, as: contents.record.summary.id.hex, in: directory.slugs)
            return true
        }
    }

    /// Takes a slug out of the repository that is kept elsewhere: it does not count as removed.
    func evict(_ id: SlugID) async throws(SlugStoreError) {
        try await self.withTree(of: id) { () async throws(SlugStoreError) in
            try await self.withRepository(.shared) { directory, _ throws(SlugStoreError) in
                try directory.slugs.unlink(id.hex.utf8, "Removing the record of \(id)")
                self.distrust(id)
                try directory.removeSignatures(of: id)
                try directory.removeTree(id.hex)
            }
        }
    }

    /// What packs take on disk, and which slugs have a tree.
    func diskUse() async throws(SlugStoreError) -> (packs: Int64, trees: Set<SlugID>) {
        try await BlockingWork.run { _ throws(SlugStoreError) in
            let directory = try self.directory()
            var bytes: Int64 = 0
            for name in try directory.packNames() {
                bytes += Int64(try directory.packs.status(of: name.utf8, "Looking at the pack \(name)")?.st_size ?? 0)
            }
            let trees = try directory.trees.entries("Listing the materialised trees")
            return (bytes, Set(trees.compactMap { RepositoryDirectory.slug(ofTree: $0.name) }))
        }
    }
}
