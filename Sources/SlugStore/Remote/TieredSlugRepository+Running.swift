import Logging
import Synchronization

extension TieredSlugRepository {
    /// How far it is with sending.
    public func state() async throws(SlugStoreError) -> State {
        let pending = try self.pending(try await self.cache())
        return self.progress.withLock { State(pending: pending, failure: $0.failure, lastSent: $0.lastSent) }
    }

    /// What waits to be sent, in the order in which it came.
    private func pending(_ cache: RemoteCache) throws(SlugStoreError) -> [SlugID] {
        let entries = try cache.journal.ids.map { (stamp: cache.journal.read($0) ?? "", id: $0) }
        return entries.sorted { ($0.stamp, $0.id) < ($1.stamp, $1.id) }.map(\.id)
    }

    /// Sends what waits, one slug after the other. What another slug's trouble does not concern is sent all the same.
    /// - Throws: The first failure, after all were tried; at once when the remote is away or the task is cancelled.
    public func drain() async throws(SlugStoreError) {
        let cache = try await self.cache()
        var failure: SlugStoreError?
        for id in try self.pending(cache) {
            do throws(SlugStoreError) {
                try await self.locks.withLock(.slug(id), .exclusive) { () async throws(SlugStoreError) in
                    // Removed, or sent by somebody else, since the journal was read.
                    guard let entry = cache.journal.read(id) else { return }
                    _ = try await self.send(try await self.local.summary(of: id), cache)
                    // Put again meanwhile, by another process: once more.
                    if cache.journal.read(id) == entry { try cache.journal.remove(id) }
                }
                self.logger.debug("a slug was sent to the remote", metadata: ["slug.id": "\(id)"])
                let now = self.now()
                self.progress.withLock { $0.lastSent = now }
            } catch {
                failure = failure ?? error
                self.progress.withLock { $0.failure = error }
                if error.code == .cancelled { throw error }
                self.logger.warning(
                    "a slug could not be sent to the remote", metadata: ["slug.id": "\(id)", "error": "\(error)"])
                if error.code == .remoteUnavailable || error.code == .unauthorised { throw error }
            }
        }
        if let failure { throw failure }
        self.progress.withLock { $0.failure = nil }
    }

    /// Sends what waits, as it comes and again after failures, and trims the cache, until the task is cancelled.
    public func run() async {
        var failures = 0
        while !Task.isCancelled {
            do throws(SlugStoreError) {
                try await self.drain()
                failures = 0
            } catch {
                failures += 1
            }
            if Task.isCancelled { return }
            do throws(SlugStoreError) {
                try await self.trim()
            } catch {
                self.logger.info("the cache was not trimmed", metadata: ["error": "\(error)"])
            }
            let longest = self.configuration.maximumPause
            guard failures > 0 else {
                await self.arrival.wait(upTo: longest, on: self.clock)
                continue
            }
            // Full jitter: hosts that lost the same remote do not come back to it at the same moment. What arrives
            // meanwhile waits, since it would meet the same failure.
            let bound = min(longest, .seconds(1 << min(failures - 1, 20)))
            let share = Double(self.random() >> 11) / Double(1 << 53)
            try? await self.clock.sleep(for: bound * share)
        }
    }

    /// Takes slugs out of the local repository that were used least recently, until it is within its limit. What waits to be
    /// sent, is in use, was used just now, or cannot be fetched again stays.
    public func trim() async throws(SlugStoreError) {
        guard let limit = self.configuration.cacheBytes else { return }
        let cache = try await self.cache()
        let (packs, trees) = try await self.local.diskUse()
        let slugs = try await self.local.list()
        func treeBytes(_ slug: SlugSummary) -> Int64 { trees.contains(slug.id) ? slug.bytes : 0 }
        var excess = packs + slugs.reduce(0) { $0 + treeBytes($1) } - limit
        guard excess > 0 else { return }
        let inUse: Set<SlugID>
        do {
            inUse = try await self.configuration.inUse()
        } catch {
            throw SlugStoreError(
                code: .inputOutput, message: "It is not known which slugs are in use, so none was taken out.",
                cause: error)
        }
        // With the remote away, nothing here may go.
        let fetchable = Set(try await self.remoteIDs())
        let now = RemoteStamp(self.now(), chance: 0).milliseconds
        let stay = UInt64(max(0, self.configuration.minimumStay / .milliseconds(1)))
        let candidates = slugs.map { (slug: $0, used: cache.used.read($0.id).flatMap { UInt64($0) } ?? 0) }
            .filter { slug, used in
                !inUse.contains(slug.id) && !cache.journal.contains(slug.id) && used &+ stay <= now
                    && (fetchable.contains(slug.id) || cache.stored.contains(slug.id))
            }
            .sorted { ($0.used, $0.slug.id) < ($1.used, $1.slug.id) }
        var evicted = 0
        for (slug, used) in candidates where excess > 0 {
            try await self.locks.withLock(.slug(slug.id), .exclusive) { () async throws(SlugStoreError) in
                // Used again since.
                guard (cache.used.read(slug.id).flatMap { UInt64($0) } ?? 0) == used else { return }
                try await self.local.evict(slug.id)
                try cache.stored.remove(slug.id)
                try cache.used.remove(slug.id)
                // What its chunks take is known only after the collection; what the slug added is the best guess.
                excess -= treeBytes(slug) + slug.newBytesStored
                evicted += 1
            }
        }
        guard evicted > 0 else { return }
        self.logger.info("slugs were taken out of the cache", metadata: ["slug.count": "\(evicted)"])
        _ = try await self.local.collectGarbage()
    }
}
