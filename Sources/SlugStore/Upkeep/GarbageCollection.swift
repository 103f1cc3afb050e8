import Logging

/// One garbage collection. It has the repository for itself.
///
/// At every instant each chunk of each slug is in some pack: a pack goes only after what is still needed of it is in
/// another one, durably. What an interrupted collection leaves is found by the next one.
struct GarbageCollection {
    /// A pack is written anew when more than this share of it is garbage: rewriting costs time and wear, garbage space.
    private static let tolerableGarbage = 0.3
    /// When there are more than this many small packs, they are merged.
    private static let tolerableSmallPacks = 16
    private static let smallPackBytes: Int64 = 4 << 20

    private struct Pack {
        var name: String
        var fileBytes: Int64
        var live: [SlugManifest.ChunkReference] = []
        var deadChunks = 0
        var liveBytes: Int64 = 0
        var deadBytes: Int64 = 0
    }

    let directory: RepositoryDirectory
    let index: ChunkIndex
    let compressionLevel: Int
    let logger: Logger
    let cancellation: Cancellation

    /// Blocks.
    func run() throws(SlugStoreError) -> GarbageReport {
        _ = try self.directory.sweep()
        let ids = Set(try self.directory.slugIDs())
        let live = try self.liveChunks(of: ids)
        var report = GarbageReport()
        try self.removeOrphans(ids, &report)

        var packs: [Pack] = []
        for name in self.index.packNames.sorted() { packs.append(try self.survey(name, live)) }
        let small = packs.filter { !$0.live.isEmpty && $0.fileBytes < Self.smallPackBytes }.count
        for pack in packs where pack.live.isEmpty { try self.delete(pack, &report) }
        let rewritten = packs.filter { pack in
            guard !pack.live.isEmpty else { return false }
            if small > Self.tolerableSmallPacks, pack.fileBytes < Self.smallPackBytes { return true }
            return Double(pack.deadBytes) > Self.tolerableGarbage * Double(pack.deadBytes + pack.liveBytes)
        }
        if !rewritten.isEmpty { try self.rewrite(rewritten, &report) }
        return report
    }

    /// What the slugs need. A slug that cannot be read stops the collection: what it needs must not be guessed.
    private func liveChunks(of ids: Set<SlugID>) throws(SlugStoreError) -> Set<ChunkID> {
        let reader = try ChunkReader(index: self.index, packs: self.directory.packs)
        var live: Set<ChunkID> = []
        for id in ids.sorted() {
            try self.cancellation.check()
            do throws(SlugStoreError) {
                let record = try self.directory.readRecord(of: id)
                let (manifest, chunks) = try self.directory.readManifestAndChunks(record, reader: reader)
                for chunk in chunks + manifest.chunks { live.insert(chunk.id) }
            } catch {
                guard error.code == .corrupted else { throw error }
                throw SlugStoreError(
                    code: .corrupted,
                    message: "No garbage was collected, because it is not known what \(id) needs. Remove that slug, or "
                        + "restore it from a backup.", cause: error)
            }
        }
        return live
    }

    private func removeOrphans(_ ids: Set<SlugID>, _ report: inout GarbageReport) throws(SlugStoreError) {
        for (name, _) in try self.directory.removed.entries("Listing the removed slugs") {
            if let id = String(validating: name, as: UTF8.self).flatMap({ SlugID(hex: $0) }), !ids.contains(id) {
                report.slugs += 1
            }
            try TreeRemover.remove(name, in: self.directory.removed)
        }
        for (name, _) in try self.directory.signatures.entries("Listing the signatures") {
            let slug = String(validating: name.prefix { $0 != UInt8(ascii: ".") }, as: UTF8.self)
            if let id = slug.flatMap({ SlugID(hex: $0) }), ids.contains(id) { continue }
            try TreeRemover.remove(name, in: self.directory.signatures)
        }
        for (name, _) in try self.directory.trees.entries("Listing the materialised trees") {
            if let id = RepositoryDirectory.slug(ofTree: name), ids.contains(id) { continue }
            if self.directory.isSetAside(name) { continue }
            try TreeRemover.remove(name, in: self.directory.trees)
        }
    }

    private func survey(_ name: String, _ live: Set<ChunkID>) throws(SlugStoreError) -> Pack {
        try self.cancellation.check()
        let (frames, fileBytes) = try self.directory.readPackIndex(name)
        var pack = Pack(name: name, fileBytes: fileBytes)
        for chunk in frames.lazy.flatMap(\.chunks) {
            // A copy that readers do not use is garbage like a chunk that nobody needs.
            if live.contains(chunk.id), self.index.isStored(chunk.id, in: name) {
                pack.live.append(chunk)
                pack.liveBytes += Int64(chunk.length)
            } else {
                pack.deadChunks += 1
                pack.deadBytes += Int64(chunk.length)
            }
        }
        return pack
    }

    private func rewrite(_ packs: [Pack], _ report: inout GarbageReport) throws(SlugStoreError) {
        let reader = try ChunkReader(index: self.index, packs: self.directory.packs)
        // Of the reserve, too: more is given back than is taken.
        let target = PendingPack(directory: self.directory, index: nil, reserve: DiskReserve(bytes: 0))
        let frames = try FrameWriter(pack: target, level: self.compressionLevel)
        var replaced: [Pack] = []
        for pack in packs {
            do throws(SlugStoreError) {
                for chunk in pack.live where target.claim(chunk.id) {
                    try self.cancellation.check()
                    try reader.withChunk(chunk, for: "some slug") { bytes throws(SlugStoreError) in
                        try frames.append(chunk, bytes)
                    }
                }
                replaced.append(pack)
            } catch {
                guard error.code == .corrupted else { throw error }
                // What is left of it may be all that somebody can still save.
                self.logger.error(
                    "a damaged pack is kept as it is", metadata: ["slug.pack": "\(pack.name)", "error": "\(error)"])
            }
        }
        try frames.flush()
        let new = try target.publish()
        report.bytes -= new?.bytes ?? 0
        for pack in replaced {
            // After an interrupted collection, the new pack can be just what one of the old ones is.
            if pack.name == new?.name { report.bytes += pack.fileBytes } else { try self.delete(pack, &report) }
        }
        report.bytes = max(report.bytes, 0)
    }

    private func delete(_ pack: Pack, _ report: inout GarbageReport) throws(SlugStoreError) {
        try self.directory.packs.unlink(pack.name.utf8, "Removing the pack \(pack.name)")
        report.chunks += pack.deadChunks
        report.bytes += pack.fileBytes
    }
}
