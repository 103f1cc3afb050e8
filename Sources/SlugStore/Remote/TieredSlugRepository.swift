public import Logging
import Synchronization
import SystemPackage

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Slugs in an object store that several hosts share, with a local repository before it: what one host puts, the others run.
///
/// A put stores the tree locally and sends the chunks that no pack of the remote has. A materialisation takes what is here
/// and fetches the rest in ranges; what was fetched before a failure stays. While the remote is away, what is here can be
/// materialised, and with ``Mode/writeBack`` slugs can be put.
///
/// Hosts need not know of each other, and the store needs no locks and no conditional writes; `RemoteGarbage` in the
/// sources says why nothing is lost when hosts put, remove and collect garbage at the same time.
///
/// The local repository must be used through this one only; what it had before is sent by ``run()`` or ``drain()``. `Docs/SlugFormat.md` describes the objects.
public final class TieredSlugRepository: SlugRepository, Sendable {
    enum LockKey: Hashable {
        case cache
        case slug(SlugID)
        case look
        case collection
    }

    struct Progress: Sendable {
        var failure: SlugStoreError?
        var lastSent: Date?
        /// Summaries of the remote's records.
        var summaries: [SlugID: SlugSummary] = [:]
        /// Slugs removed since the last collection that were not on this machine.
        var removed = 0
        var cache: RemoteCache?
    }

    let configuration: Configuration
    let local: LocalSlugRepository
    let store: any ObjectStore
    let packs: RemotePacks
    let logger: Logger
    let clock: any Clock<Duration>
    let random: @Sendable () -> UInt64
    let locks = LockTable<LockKey>()
    let progress = Mutex(Progress())
    let arrival = Signal()

    /// Makes a repository. Nothing is read, written or asked for before the first call.
    /// - Parameters:
    ///   - local: Where slugs are on this machine; a directory `remote` is made in its directory.
    ///   - remote: Where they are for all hosts.
    ///   - configuration: How the two work together.
    ///   - logger: Hears of a remote that is away, of damage, and of what was sent later.
    ///   - clock: What pauses in ``run()`` sleep on.
    ///   - random: What names of objects, which must differ from all others, and pauses are drawn from.
    public init(
        local: LocalSlugRepository, remote: any ObjectStore, configuration: Configuration = .init(), logger: Logger,
        clock: any Clock<Duration> = ContinuousClock(),
        random: @escaping @Sendable () -> UInt64 = { UInt64.random(in: .min ... .max) }
    ) {
        self.local = local
        self.store = remote
        self.configuration = configuration
        self.logger = logger
        self.clock = clock
        self.random = random
        self.packs = RemotePacks(store: remote, limits: configuration.limits, logger: logger)
    }

    func now() -> Date { self.local.configuration.now() }

    func stamp() -> RemoteStamp { RemoteStamp(self.now(), chance: self.random()) }

    /// The files beside the local repository, opened by the first caller.
    func cache() async throws(SlugStoreError) -> RemoteCache {
        if let cache = self.progress.withLock({ $0.cache }) { return cache }
        return try await self.locks.withLock(.cache, .exclusive) { () async throws(SlugStoreError) in
            if let cache = self.progress.withLock({ $0.cache }) { return cache }
            let cache = try await BlockingWork.run { _ throws(SlugStoreError) in try self.openCache() }
            self.progress.withLock { $0.cache = cache }
            return cache
        }
    }

    /// Blocks.
    private func openCache() throws(SlugStoreError) -> RemoteCache {
        let directory = try self.local.directory()
        let cache = try RemoteCache(
            directory: self.local.configuration.directory, synchronises: self.local.configuration.synchronises,
            chance: self.random())
        // What was put before there was a remote is to be there, too.
        if try !cache.isInitialised() {
            for id in try directory.slugIDs().sorted() { try cache.journal.write(self.stamp().description, for: id) }
            try cache.initialise()
        }
        return cache
    }

    /// Looks at what the remote has; one at a time, so that indexes are read once.
    @discardableResult
    func look(_ cache: RemoteCache) async throws(SlugStoreError) -> Set<PackName> {
        try await self.locks.withLock(.look, .exclusive) { () async throws(SlugStoreError) in
            try await self.packs.refresh(cache)
        }
    }

    /// The remote's record of a slug; `nil` if it has none.
    func remoteRecord(of id: SlugID) async throws(SlugStoreError) -> RemoteRecord? {
        do throws(SlugStoreError) {
            let bytes = try await self.store.read(
                RemoteLayout.record(of: id), limit: self.configuration.limits.recordBytes)
            return try RemoteRecord(decoding: bytes, of: id)
        } catch {
            guard error.code == .notFound else { throw error }
            return nil
        }
    }

    func notFound(_ id: SlugID) -> SlugStoreError {
        SlugStoreError(code: .notFound, message: "There is no slug \(id), neither in the remote nor on this machine.")
    }

    /// Runs what has to be done even though the task is cancelled. It is waited for, and what goes wrong is left to whoever
    /// comes next.
    func evenIfCancelled(_ body: @escaping @Sendable () async throws(SlugStoreError) -> Void) async {
        // A task of its own does not inherit the cancellation.
        await Task {
            do throws(SlugStoreError) {
                try await body()
            } catch {
                self.logger.info("could not clean up", metadata: ["error": "\(error)"])
            }
        }.value
    }

    /// Notes that a slug was used, for ``trim()``.
    func noteUse(of id: SlugID, _ cache: RemoteCache) {
        try? cache.used.write("\(RemoteStamp(self.now(), chance: 0).milliseconds)", for: id)
    }
}
