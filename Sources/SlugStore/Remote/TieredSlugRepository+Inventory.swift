import Logging
import Synchronization

extension TieredSlugRepository {
    /// What is known of a slug, on this machine or in the remote.
    public func summary(of id: SlugID) async throws(SlugStoreError) -> SlugSummary {
        let cache = try await self.cache()
        if cache.stored.contains(id) || cache.journal.contains(id) {
            do throws(SlugStoreError) {
                return try await self.local.summary(of: id)
            } catch {
                guard error.code == .notFound || error.code == .corrupted else { throw error }
            }
        }
        guard let remote = try await self.remoteRecord(of: id) else { throw self.notFound(id) }
        return remote.record.summary
    }

    /// All slugs that can be seen, oldest first: ``listing()`` says whether that is all.
    public func list() async throws(SlugStoreError) -> [SlugSummary] { try await self.listing().slugs }

    /// All slugs of the remote and those that wait to be sent, oldest first; those on this machine while the remote is away.
    public func listing() async throws(SlugStoreError) -> Listing {
        let cache = try await self.cache()
        let here = try await self.local.list()
        let pending = try cache.journal.ids
        var listing = Listing(slugs: [], unseen: nil)
        do throws(SlugStoreError) {
            listing.slugs = try await self.remoteSummaries().slugs
            let there = Set(listing.slugs.map(\.id))
            listing.slugs += here.filter { pending.contains($0.id) && !there.contains($0.id) }
        } catch {
            guard error.code == .remoteUnavailable else { throw error }
            self.logger.warning(
                "the remote is away: only the slugs on this machine are listed", metadata: ["error": "\(error)"])
            let stored = try cache.stored.ids
            listing.slugs = here.filter { pending.contains($0.id) || stored.contains($0.id) }
            listing.unseen = error
        }
        listing.slugs.sort { ($0.createdAt, $0.id) < ($1.createdAt, $1.id) }
        return listing
    }

    /// The files, directories and links of a slug; of one that is not on this machine, its list is fetched.
    public func contents(of id: SlugID) async throws(SlugStoreError) -> [SlugEntry] {
        let cache = try await self.cache()
        do throws(SlugStoreError) {
            return try await self.local.contents(of: id)
        } catch {
            guard error.code == .notFound || error.code == .corrupted else { throw error }
        }
        guard let remote = try await self.remoteRecord(of: id) else { throw self.notFound(id) }
        try await self.bring(manifest: remote.record.manifest, cache)
        return try await self.local.entries(of: remote.record)
    }

    /// The identifiers of the slugs that the remote has.
    func remoteIDs() async throws(SlugStoreError) -> [SlugID] {
        try await self.store.list(prefix: RemoteLayout.slugs).compactMap {
            SlugID(hex: String($0.description.dropFirst(RemoteLayout.slugs.count)))
        }
    }

    /// - Returns: What is known of the remote's slugs, and why of others nothing is: their records are damaged.
    private func remoteSummaries() async throws(SlugStoreError) -> (
        slugs: [SlugSummary], damaged: [SlugID: SlugStoreError]
    ) {
        let ids = Set(try await self.remoteIDs())
        // A record never changes but for its hints, so each is read once.
        let unknown = self.progress.withLock { progress in
            progress.summaries = progress.summaries.filter { ids.contains($0.key) }
            return ids.filter { progress.summaries[$0] == nil }.sorted()
        }
        let damaged = Mutex<[SlugID: SlugStoreError]>([:])
        try await inParallel(unknown, limit: self.configuration.limits.requests) { id throws(SlugStoreError) in
            do throws(SlugStoreError) {
                guard let summary = try await self.remoteRecord(of: id)?.record.summary else { return }
                self.progress.withLock { $0.summaries[id] = summary }
            } catch {
                guard [.corrupted, .unsupportedFormat, .limitExceeded].contains(error.code) else { throw error }
                self.logger.error(
                    "a slug's record in the remote cannot be read", metadata: ["slug.id": "\(id)", "error": "\(error)"])
                damaged.withLock { $0[id] = error }
            }
        }
        let slugs = self.progress.withLock { progress in ids.compactMap { progress.summaries[$0] } }
        return (slugs, damaged.withLock { $0 })
    }

    /// Reads and checks every stored byte of a slug: on this machine, if it is there, and in the remote, which sends all of
    /// it, unless the slug waits to be sent.
    public func verify(_ id: SlugID) async throws(SlugStoreError) {
        let cache = try await self.cache()
        var isHere = true
        do throws(SlugStoreError) {
            try await self.local.verify(id)
        } catch {
            guard error.code == .notFound else { throw error }
            isHere = false
        }
        if isHere, cache.journal.contains(id) { return }
        guard let remote = try await self.remoteRecord(of: id) else { throw self.notFound(id) }
        try await self.bring(manifest: remote.record.manifest, cache)
        let contents = try await self.local.parts(of: remote.record)
        let sink = FrameSink(into: nil, limit: 0)
        do throws(SlugStoreError) {
            try await self.read(contents.chunks, cache, into: sink)
        } catch {
            // A pack went meanwhile: once more, with where things are now.
            guard error.code == .notFound else { throw error }
            try await self.look(cache)
            try await self.read(contents.chunks, cache, into: sink)
        }
    }

    /// Checks what is on this machine, and that the records in the remote can be read, unless it is away; ``verify(_:)`` reads what
    /// the remote keeps of a slug.
    public func verifyAll(
        _ options: VerificationOptions, clock: any Clock<Duration>, randomness: any RandomNumberGenerator & Sendable,
        progress: (@Sendable (VerificationReport) -> Void)?
    ) async throws(SlugStoreError) -> VerificationReport {
        var report = try await self.local.verifyAll(
            options, clock: clock, randomness: randomness, progress: progress)
        do throws(SlugStoreError) {
            // In no list, so that nobody would ask for them one by one.
            for (id, error) in try await self.remoteSummaries().damaged.sorted(by: { $0.key < $1.key }) {
                report.damages.append(.init(description: "The record in the remote: \(error.message)", slugs: [id]))
            }
        } catch {
            guard error.code != .cancelled else { throw error }
            self.logger.warning(
                "the remote cannot be asked: only what is on this machine was checked", metadata: ["error": "\(error)"])
            // What was found here is told all the same. An absence passes; a refusal does not.
            if error.code != .remoteUnavailable {
                report.damages.append(
                    .init(description: "The records in the remote cannot be asked for: \(error.message)", slugs: []))
            }
        }
        return report
    }

    private func deleteSignatures(of id: SlugID) async throws(SlugStoreError) {
        do throws(SlugStoreError) {
            for key in try await self.store.list(prefix: RemoteLayout.signatures(of: id)) {
                try await self.store.delete(key)
            }
        } catch {
            guard error.code == .limitExceeded else { throw error }
            // Without the slug they vouch for nothing.
            self.logger.warning(
                "a slug is removed, and its many signatures stay",
                metadata: ["slug.id": "\(id)", "slug.objects": "\(RemoteLayout.signatures(of: id))"])
        }
    }

    /// Removes a slug from the remote and from this machine. Other hosts that have a tree of it keep that until they
    /// ``trim()``.
    /// - Throws: ``SlugStoreError/Code/remoteUnavailable`` while the remote is away, unless the slug was never sent.
    public func remove(_ id: SlugID) async throws(SlugStoreError) {
        let cache = try await self.cache()
        try await self.locks.withLock(.slug(id), .exclusive) { () async throws(SlugStoreError) in
            var isThere = false
            do throws(SlugStoreError) {
                let key = RemoteLayout.record(of: id)
                isThere = try await self.store.size(of: key) != nil
                if isThere {
                    try await self.store.delete(key)
                    try await self.deleteSignatures(of: id)
                }
            } catch {
                guard error.code == .remoteUnavailable, cache.journal.contains(id), !cache.stored.contains(id) else {
                    throw error
                }
            }
            let isKnown = cache.journal.contains(id) || cache.stored.contains(id)
            try cache.journal.remove(id)
            try cache.stored.remove(id)
            try cache.used.remove(id)
            do throws(SlugStoreError) {
                try await self.local.remove(id)
            } catch {
                guard error.code == .notFound else { throw error }
                guard isThere || isKnown else { throw self.notFound(id) }
                self.progress.withLock { $0.removed += 1 }
            }
        }
    }
}
