import Logging
import Synchronization

extension TieredSlugRepository {
    /// Frees what no slug needs, in the remote and on this machine.
    ///
    /// In the remote, what nobody needs is condemned first and deleted by the first collection after the grace time. Any
    /// host may collect at any time; one that does so once a day is enough. It reads every record and manifest.
    /// - Returns: What was deleted in the remote and on this machine together, and how many slugs this host has removed.
    /// - Throws: ``SlugStoreError/Code/remoteUnavailable`` while the remote is away, after this machine was done.
    public func collectGarbage() async throws(SlugStoreError) -> GarbageReport {
        let cache = try await self.cache()
        return try await self.locks.withLock(.collection, .exclusive) { () async throws(SlugStoreError) in
            var report = try await self.local.collectGarbage()
            report.slugs += self.progress.withLock { progress in
                defer { progress.removed = 0 }
                return progress.removed
            }
            try await self.collect(cache, &report)
            // What it condemned is due already.
            if self.configuration.graceTime <= .zero { try await self.collect(cache, &report) }
            report.bytes = max(report.bytes, 0)
            return report
        }
    }

    /// The steps are those of ``RemoteGarbage``; their order matters.
    private func collect(_ cache: RemoteCache, _ report: inout GarbageReport) async throws(SlugStoreError) {
        let marked = try await self.look(cache)
        let intended = try await self.intendedPacks()
        let live = try await self.liveChunks(cache)
        try await self.deleteMarked(marked, except: intended, live, cache, &report)
        try await self.condemn(except: intended, live, cache, &report)
    }

    /// The packs that unfinished puts name.
    private func intendedPacks() async throws(SlugStoreError) -> Set<PackName> {
        var packs: Set<PackName> = []
        for key in try await self.store.list(prefix: RemoteLayout.puts) {
            guard let stamp = RemoteStamp(key.description.dropFirst(RemoteLayout.puts.count)) else { continue }
            guard stamp.age(at: self.now()) < self.configuration.putLifetime else {
                try await self.store.delete(key)
                continue
            }
            do throws(SlugStoreError) {
                let bytes = try await self.store.read(key, limit: self.configuration.limits.recordBytes)
                let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
                packs.formUnion(lines.compactMap { PackName($0) })
            } catch {
                // Its put has ended: its record, if it wrote one, is found in the list that comes now.
                guard error.code == .notFound else { throw error }
            }
        }
        return packs
    }

    /// What the slugs need. A slug that cannot be read stops the collection: what it needs must not be guessed.
    private func liveChunks(_ cache: RemoteCache) async throws(SlugStoreError) -> Set<ChunkID> {
        let live = Mutex<Set<ChunkID>>([])
        let ids = try await self.remoteIDs().sorted()
        try await inParallel(ids, limit: self.configuration.limits.requests) { id throws(SlugStoreError) in
            do throws(SlugStoreError) {
                // Removed since the list was made.
                guard let remote = try await self.remoteRecord(of: id) else { return }
                try await self.bring(manifest: remote.record.manifest, cache)
                let chunks = try await self.local.parts(of: remote.record).chunks
                live.withLock { $0.formUnion(chunks.lazy.map(\.id)) }
            } catch {
                guard [.corrupted, .unsupportedFormat, .limitExceeded].contains(error.code) else { throw error }
                throw SlugStoreError(
                    code: error.code,
                    message:
                        "No garbage was collected in the remote, because it is not known what \(id) needs. Remove that "
                        + "slug, or put its tree again.", cause: error)
            }
        }
        return live.withLock { $0 }
    }

    private func deleteMarked(
        _ marked: Set<PackName>, except intended: Set<PackName>, _ live: Set<ChunkID>, _ cache: RemoteCache,
        _ report: inout GarbageReport
    ) async throws(SlugStoreError) {
        let present = Dictionary(uniqueKeysWithValues: self.packs.all.map { ($0.name, $0) })
        var due: [RemotePacks.Pack] = []
        var orphans: [SlugManifest.ChunkReference] = []
        var seen: Set<ChunkID> = []
        for name in marked.sorted() {
            guard let pack = present[name] else {
                // A pack that cannot be read is kept: what is in it may be all that somebody can still save.
                if try await self.store.size(of: name.key) == nil { try await self.store.delete(name.marker) }
                continue
            }
            guard !intended.contains(name), try await self.isDue(name) else { continue }
            let own = pack.frames.lazy.flatMap(\.chunks).filter {
                live.contains($0.id) && self.packs.keeper(of: $0.id) == nil
            }
            guard try await self.canBring(Array(own), of: name, cache) else { continue }
            due.append(pack)
            orphans += own.filter { seen.insert($0.id).inserted }
        }
        try await self.copy(orphans, cache, &report)
        for pack in due {
            try await self.store.delete(pack.name.key)
            try await self.store.delete(pack.name.marker)
            self.packs.forget(pack.name)
            report.bytes += pack.fileBytes
            report.chunks += pack.frames.lazy.flatMap(\.chunks).filter { !live.contains($0.id) }.count
        }
    }

    /// Whether a pack was condemned long enough ago.
    private func isDue(_ name: PackName) async throws(SlugStoreError) -> Bool {
        do throws(SlugStoreError) {
            let bytes = try await self.store.read(name.marker, limit: 1024)
            guard let stamp = RemoteStamp(String(decoding: bytes, as: UTF8.self)) else { return true }
            return stamp.age(at: self.now()) >= self.configuration.graceTime
        } catch {
            // Another collection has just deleted both.
            guard error.code == .notFound else { throw error }
            return false
        }
    }

    private func condemn(
        except intended: Set<PackName>, _ live: Set<ChunkID>, _ cache: RemoteCache, _ report: inout GarbageReport
    ) async throws(SlugStoreError) {
        let grace = self.configuration.graceTime
        let candidates = self.packs.sound.filter {
            !intended.contains($0.name) && $0.name.stamp.age(at: self.now()) >= grace
        }
        let surveyed = candidates.map { pack in
            var survey = RemoteGarbage.Pack(name: pack.name, fileBytes: pack.fileBytes)
            for chunk in pack.frames.lazy.flatMap(\.chunks) {
                survey.bytes += Int64(chunk.length)
                if live.contains(chunk.id), self.packs.keeper(of: chunk.id) == pack.name {
                    survey.kept.append(chunk)
                    survey.keptBytes += Int64(chunk.length)
                }
            }
            return survey
        }
        let garbage = RemoteGarbage(surveyed.sorted { $0.name < $1.name })
        var copied: [RemoteGarbage.Pack] = []
        for pack in garbage.wasteful where try await self.canBring(pack.kept, of: pack.name, cache) {
            copied.append(pack)
        }
        try await self.copy(copied.flatMap(\.kept), cache, &report)
        for name in garbage.useless + copied.map(\.name) {
            try await self.store.write(Array(self.stamp().description.utf8), to: name.marker)
        }
    }

    /// Brings chunks of a pack to this machine. One that is damaged is left as it is, since what is in it may be all that somebody
    /// can still save, and keeps no other from being collected.
    private func canBring(
        _ chunks: [SlugManifest.ChunkReference], of name: PackName, _ cache: RemoteCache
    ) async throws(SlugStoreError) -> Bool {
        do throws(SlugStoreError) {
            try await self.bring(chunks, cache)
            return true
        } catch {
            guard error.code == .corrupted else { throw error }
            self.logger.error(
                "a damaged pack of the remote is kept as it is",
                metadata: ["slug.pack": "\(name)", "error": "\(error)"])
            return false
        }
    }

    /// Stores chunks in a new pack, which is then their keeper.
    private func copy(
        _ chunks: [SlugManifest.ChunkReference], _ cache: RemoteCache, _ report: inout GarbageReport
    ) async throws(SlugStoreError) {
        guard !chunks.isEmpty else { return }
        try await self.bring(chunks, cache)
        let new = try await self.local.stage(chunks, in: cache.staging, names: cache.names).map {
            (name: PackName(digest: $0.digest, stamp: self.stamp()), pack: $0)
        }
        try await self.upload(new, cache)
        report.bytes -= new.reduce(0) { $0 + $1.pack.bytes }
    }
}
