public import Logging
import Synchronization
import SystemPackage

/// Slugs in a directory of this machine: chunks in packs, each stored once, and materialised trees beside them.
///
/// Docs/SlugFormat.md describes the files. Reading, hashing and compressing run on threads of their own. Several
/// repositories, in one process or in many, may work on one directory.
public final class LocalSlugRepository: SlugRepository, Sendable {
    enum LockKey: Hashable {
        case repository
        case tree(SlugID)
    }

    private struct Opened {
        var directory: RepositoryDirectory
        /// Packs whose index cannot be read. They are left alone; the next put stores their chunks anew.
        var damagedPacks: Set<String> = []
        /// Trees that are known to be sound.
        var trustedTrees: Set<SlugID> = []
    }

    let configuration: Configuration
    let logger: Logger
    let index = ChunkIndex()
    private let clock: any Clock<Duration>
    private let locks = LockTable<LockKey>()
    private let opened = Mutex<Opened?>(nil)

    /// Makes a repository. Nothing is read or written before the first call.
    /// - Parameters:
    ///   - configuration: Where and how slugs are kept.
    ///   - logger: Hears of leftovers and damage.
    ///   - clock: What waiting for another process's lock sleeps on.
    public init(configuration: Configuration, logger: Logger, clock: any Clock<Duration> = ContinuousClock()) {
        self.configuration = configuration
        self.logger = logger
        self.clock = clock
    }

    // MARK: Opening and locking

    /// The repository's directory, opened and swept by the first caller. Blocks: not for the cooperative pool.
    func directory() throws(SlugStoreError) -> RepositoryDirectory {
        let result = self.opened.withLock { opened in
            Result { () throws(SlugStoreError) -> RepositoryDirectory in
                if let opened { return opened.directory }
                let directory = try RepositoryDirectory(
                    path: self.configuration.directory, synchronises: self.configuration.synchronises)
                // If somebody else is at work, what is there is not a leftover.
                if let lock = try directory.lock(exclusively: true) {
                    let leftovers = try withExtendedLifetime(lock) { () throws(SlugStoreError) in try directory.sweep()
                    }
                    if leftovers > 0 {
                        self.logger.info(
                            "removed what unfinished operations had left",
                            metadata: [
                                "slug.repository": "\(self.configuration.directory)", "slug.leftovers": "\(leftovers)",
                            ])
                    }
                }
                opened = Opened(directory: directory)
                return directory
            }
        }
        return try result.get()
    }

    /// The path of a tree that is there and known to be sound, at the cost of one look.
    func trustedTree(of id: SlugID) throws(SlugStoreError) -> FilePath? {
        let trusting = self.opened.withLock { $0?.trustedTrees.contains(id) == true ? $0?.directory : nil }
        guard let trusting, try trusting.trees.status(of: id.hex.utf8, "Looking for the tree of \(id)") != nil else {
            return nil
        }
        return self.path(ofTree: id)
    }

    /// Notes that a tree is sound.
    func trust(_ id: SlugID) -> FilePath {
        self.opened.withLock { _ = $0?.trustedTrees.insert(id) }
        return self.path(ofTree: id)
    }

    /// Forgets that a tree was sound.
    func distrust(_ id: SlugID) { self.opened.withLock { _ = $0?.trustedTrees.remove(id) } }

    private func path(ofTree id: SlugID) -> FilePath {
        self.configuration.directory.appending("trees").appending(id.hex)
    }

    /// Runs `body` on a thread of its own, with the repository locked here and towards other processes and with the index
    /// as it is on disk.
    func withRepository<R: Sendable>(
        _ mode: LockQueue.Mode,
        _ body: @escaping @Sendable (RepositoryDirectory, Cancellation) throws(SlugStoreError) -> R
    ) async throws(SlugStoreError) -> R {
        try await self.locks.withLock(.repository, mode) { () async throws(SlugStoreError) -> R in
            var waited = Duration.zero
            while true {
                let result: R? = try await BlockingWork.run { cancellation throws(SlugStoreError) in
                    let directory = try self.directory()
                    guard let lock = try directory.lock(exclusively: mode == .exclusive) else { return nil }
                    return try withExtendedLifetime(lock) { () throws(SlugStoreError) -> R in
                        try self.refreshIndex(directory)
                        return try body(directory, cancellation)
                    }
                }
                if let result { return result }
                // Another process's lock gives no sign when it is released, so there is nothing to wait for but time.
                let pause = Duration.milliseconds(25)
                guard waited < self.configuration.lockTimeout else {
                    throw SlugStoreError(
                        code: .busy,
                        message: "Another process has held the repository \(self.configuration.directory) for "
                            + "\(self.configuration.lockTimeout). Try again later.")
                }
                waited += pause
                do { try await self.clock.sleep(for: pause) } catch { throw .cancelled }
            }
        }
    }

    /// Keeps others from making or removing the tree of a slug meanwhile.
    func withTree<R>(
        of id: SlugID, _ body: () async throws(SlugStoreError) -> R
    ) async throws(SlugStoreError) -> R {
        try await self.locks.withLock(.tree(id), .exclusive, body)
    }

    // MARK: The index

    /// Forgets which packs there are, damaged ones too, to look again.
    func forgetPacks() {
        self.opened.withLock { $0?.damagedPacks = [] }
        self.index.removeAll()
    }

    /// Loads the packs that have come since, for example from another process.
    func refreshIndex(_ directory: RepositoryDirectory) throws(SlugStoreError) {
        let result = self.opened.withLock { opened in
            Result { () throws(SlugStoreError) in
                let present = Set(try directory.packNames())
                let known = self.index.packNames
                if !known.isSubset(of: present) { self.index.removeAll() }
                let damaged = opened?.damagedPacks ?? []
                for name in present.subtracting(self.index.packNames).subtracting(damaged).sorted() {
                    do throws(SlugStoreError) {
                        let pack = try directory.readPackIndex(name)
                        self.index.add(name: name, fileBytes: pack.fileBytes, frames: pack.frames)
                    } catch {
                        guard error.code == .corrupted || error.code == .unsupportedFormat else { throw error }
                        // One pack that is damaged, or of a newer program, must not keep the slugs of all others from starting.
                        self.logger.error(
                            "a pack cannot be read and is left out",
                            metadata: ["slug.pack": "\(name)", "error": "\(error)"])
                        opened?.damagedPacks.insert(name)
                    }
                }
            }
        }
        try result.get()
    }
}
