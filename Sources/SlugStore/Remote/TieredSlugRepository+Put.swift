import Synchronization
public import SystemPackage

extension TieredSlugRepository {
    /// Stores the tree at `tree`; see ``SlugRepository/put(_:metadata:progress:)`` and ``Mode``.
    ///
    /// The result's `newBytesStored` is what the put added to the local packs, or 0 if the remote had the slug.
    public func put(
        _ tree: FilePath, metadata: SlugMetadata, progress: (@Sendable (SlugProgress) -> Void)?
    ) async throws(SlugStoreError) -> SlugSummary {
        let cache = try await self.cache()
        if self.configuration.mode == .writeBack {
            let limit = self.configuration.limits.pendingSlugs
            guard try cache.journal.ids.count < limit else {
                throw SlugStoreError(
                    code: .limitExceeded,
                    message: "\(limit) slugs wait to be sent to the remote, which is the limit (Limits.pendingSlugs). "
                        + "Find out why they are not sent.",
                    cause: self.progress.withLock { $0.failure })
            }
        }
        while true {
            let summary = try await self.local.put(tree, metadata: metadata, progress: progress)
            let id = summary.id
            let sent = try await self.locks.withLock(.slug(id), .exclusive) {
                () async throws(SlugStoreError) -> SlugSummary? in
                self.noteUse(of: id, cache)
                // Taken out of the cache, where it was before, at this very moment: once more.
                guard try await self.local.has(id) else { return nil }
                switch self.configuration.mode {
                case .writeBack:
                    // Durable when this returns, so not on a thread that others need.
                    let stamp = self.stamp().description
                    try await BlockingWork.run { _ throws(SlugStoreError) in try cache.journal.write(stamp, for: id) }
                    self.arrival.raise()
                    return summary
                case .writeThrough:
                    return try await self.sendOrTakeBack(summary, cache)
                }
            }
            if let sent { return sent }
        }
    }

    private func sendOrTakeBack(
        _ summary: SlugSummary, _ cache: RemoteCache
    ) async throws(SlugStoreError) -> SlugSummary {
        let id = summary.id
        do throws(SlugStoreError) {
            let sent = try await self.send(summary, cache)
            // It may have waited to be sent, from before.
            if cache.journal.contains(id) { try cache.journal.remove(id) }
            return sent
        } catch {
            // Nobody is to find a slug whose put failed. Its chunks stay until the next garbage collection, so that trying
            // again sends, but need not compress again.
            await self.evenIfCancelled { () throws(SlugStoreError) in
                guard !cache.stored.contains(id), !cache.journal.contains(id) else { return }
                try await self.local.evict(id)
            }
            throw error
        }
    }

    /// How often a put begins again because what it relied on was condemned meanwhile.
    private static let attempts = 8

    /// Brings a slug of the local repository to the remote. See ``RemoteGarbage`` for the order of things.
    func send(_ summary: SlugSummary, _ cache: RemoteCache) async throws(SlugStoreError) -> SlugSummary {
        let id = summary.id
        var contents = try await self.local.parts(of: id)
        var summary = summary
        let known = try await self.existingRecord(of: id)
        if let known {
            // Somebody has put it before: when, and what it cost, stays as it is.
            contents.record.summary.createdAt = known.record.summary.createdAt
            contents.record.summary.newBytesStored = known.record.summary.newBytesStored
            summary = contents.record.summary
            summary.newBytesStored = 0
        }
        for _ in 0..<Self.attempts {
            try await self.look(cache)
            var missing: [SlugManifest.ChunkReference] = []
            var needed: Set<PackName> = []
            for chunk in contents.chunks {
                if let keeper = self.packs.keeper(of: chunk.id) {
                    needed.insert(keeper)
                } else {
                    missing.append(chunk)
                }
            }
            let new = try await self.local.stage(missing, in: cache.staging, names: cache.names).map {
                (name: PackName(digest: $0.digest, stamp: self.stamp()), pack: $0)
            }
            needed.formUnion(new.map(\.name))

            let begun = self.stamp()
            let intent = ObjectKey(known: RemoteLayout.puts + begun.description)
            try await self.store.write(Array(needed.sorted().map { "\($0)\n" }.joined().utf8), to: intent)
            try await self.upload(new, cache)
            try await self.look(cache)
            let sound = Set(self.packs.sound.map(\.name))
            let isInTime = begun.age(at: self.now()) < self.configuration.putLifetime / 2
            if isInTime, needed.isSubset(of: sound) {
                let hints = self.packs.sound.filter { needed.contains($0.name) }.map {
                    RemoteRecord.Hint(pack: $0.name.description, bytes: $0.fileBytes)
                }.sorted { $0.pack < $1.pack }
                let record = RemoteRecord(record: contents.record, hints: hints)
                try await self.store.write(try record.encoded(), to: RemoteLayout.record(of: id))
                for signature in try await self.local.signatures(of: id) { try await self.send(signature, of: id) }
                try cache.stored.write("", for: id)
                if known != nil { _ = try await self.local.adopt(contents) }
                // One that stays protects its packs for a while longer, and that is all.
                await self.evenIfCancelled { () throws(SlugStoreError) in try await self.store.delete(intent) }
                return summary
            }
            await self.evenIfCancelled { () throws(SlugStoreError) in try await self.store.delete(intent) }
        }
        throw SlugStoreError(
            code: .busy,
            message: "What the slug \(id) needs was condemned in the remote \(Self.attempts) times while it was put. "
                + "Collect garbage less often, or with a longer grace time.")
    }

    /// The record that somebody has stored; one that cannot be read is replaced.
    private func existingRecord(of id: SlugID) async throws(SlugStoreError) -> RemoteRecord? {
        do throws(SlugStoreError) {
            return try await self.remoteRecord(of: id)
        } catch {
            guard [.corrupted, .unsupportedFormat, .limitExceeded].contains(error.code) else { throw error }
            return nil
        }
    }

    /// Stores packs under names that were never used before.
    func upload(
        _ packs: [(name: PackName, pack: StagedPack)], _ cache: RemoteCache
    ) async throws(SlugStoreError) {
        try await inParallel(packs, limit: self.configuration.limits.requests) { entry throws(SlugStoreError) in
            try await self.store.write(contentsOf: entry.pack.path, to: entry.name.key)
            self.packs.add(entry.name, entry.pack, cache)
        }
    }
}
