extension TieredSlugRepository {
    /// Makes the slug's tree on this machine, or finds it there. What is missing is fetched, verified, and stays.
    /// - Throws: ``SlugStoreError/Code/remoteUnavailable`` if something is missing and the remote is away.
    public func materialise(_ id: SlugID) async throws(SlugStoreError) -> MaterialisedSlug {
        let cache = try await self.cache()
        let slug: MaterialisedSlug
        do throws(SlugStoreError) {
            slug = try await self.local.materialise(id)
        } catch {
            guard [.notFound, .corrupted, .untrusted].contains(error.code) else { throw error }
            let code = error.code
            slug = try await self.locks.withLock(.slug(id), .exclusive) { () async throws(SlugStoreError) in
                // Another call may have fetched it while this one waited.
                let isHere = code == .corrupted ? false : try await self.local.has(id)
                if code == .corrupted { try await self.local.setDamageAside() }
                if !isHere { try await self.fetch(id, cache) }
                // Another host may have signed it since.
                try await self.fetchSignatures(of: id)
                return try await self.local.materialise(id)
            }
        }
        self.noteUse(of: id, cache)
        return slug
    }

    private static let attempts = 4

    /// Makes a slug of the remote one of the local repository.
    private func fetch(_ id: SlugID, _ cache: RemoteCache) async throws(SlugStoreError) {
        var failure: SlugStoreError?
        for _ in 0..<Self.attempts {
            guard let remote = try await self.remoteRecord(of: id) else { throw self.notFound(id) }
            try await self.packs.load(
                remote.hints.compactMap { hint in PackName(hint.pack).map { ($0, hint.bytes) } }, cache)
            do throws(SlugStoreError) {
                try await self.bring(manifest: remote.record.manifest, cache)
                let contents = try await self.local.parts(of: remote.record)
                try await self.bring(contents.chunks, cache)
                if try await self.local.adopt(contents) {
                    try cache.stored.write("", for: id)
                    return
                }
            } catch {
                // A garbage collection on this machine may have taken the first before the last came.
                guard error.code == .corrupted, failure == nil else { throw error }
                failure = error
            }
        }
        throw failure
            ?? SlugStoreError(
                code: .busy, message: "Garbage was collected on this machine each time that the slug \(id) was fetched."
            )
    }

    /// Brings a slug's manifest to this machine, list by list.
    func bring(manifest: ManifestTree, _ cache: RemoteCache) async throws(SlugStoreError) {
        var level = manifest.roots
        try await self.bring(level, cache)
        for _ in 0..<manifest.levels {
            level = try await self.local.chunks(listedIn: level)
            try await self.bring(level, cache)
        }
    }

    /// Brings chunks to this machine that are not here.
    func bring(_ chunks: [SlugManifest.ChunkReference], _ cache: RemoteCache) async throws(SlugStoreError) {
        for attempt in 1...Self.attempts {
            let wanted = try await self.local.missing(among: chunks)
            if wanted.isEmpty { return }
            let sink = FrameSink(into: self.local, limit: self.configuration.limits.heldBytes)
            var failure: SlugStoreError?
            do throws(SlugStoreError) {
                try await self.read(wanted, cache, into: sink)
            } catch {
                failure = error
            }
            await self.evenIfCancelled { () throws(SlugStoreError) in try await sink.flush() }
            guard let failure else { continue }
            // A pack went while it was read: what is needed of it is in another one.
            guard failure.code == .notFound, attempt < Self.attempts else { throw failure }
        }
        guard try await self.local.missing(among: chunks).isEmpty else {
            throw SlugStoreError(
                code: .busy, message: "Chunks were taken away by garbage collections as fast as they were fetched.")
        }
    }

    /// Reads and verifies the frames that hold `chunks`.
    func read(
        _ chunks: [SlugManifest.ChunkReference], _ cache: RemoteCache, into sink: FrameSink
    ) async throws(SlugStoreError) {
        var (wanted, missing) = self.packs.frames(with: chunks)
        if !missing.isEmpty {
            try await self.look(cache)
            (wanted, missing) = self.packs.frames(with: chunks)
        }
        if let chunk = missing.first {
            throw .corrupted(
                "\(missing.count) chunks are in no pack of the remote, \(chunk.id) among them. Remove the slugs that need "
                    + "them and deploy them again, or restore the remote from a backup.")
        }
        let limits = self.configuration.limits
        let requests = wanted.flatMap { pack, frames in
            FetchPlan(pack.frames, wanted: frames, gap: Int64(limits.gapBytes), limit: Int64(limits.requestBytes))
                .requests.map { (pack: pack, request: $0) }
        }
        try await inParallel(requests, limit: limits.requests) { entry throws(SlugStoreError) in
            do throws(SlugStoreError) {
                let bytes = try await self.store.read(entry.pack.name.key, range: entry.request.range)
                try await sink.take(bytes, of: entry.request, in: entry.pack)
            } catch {
                if error.code == .notFound { self.packs.forget(entry.pack.name) }
                throw error
            }
        }
    }
}
