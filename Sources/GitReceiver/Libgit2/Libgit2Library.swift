import CLibgit2

/// The process's use of libgit2, from its start to its end.
///
/// libgit2 keeps global state: it counts how often it was started, and its options hold for the whole process. Each
/// value of this type starts it once and stops it when it is released, so several servers can share one value or have
/// one each. **Options are the process's, though: the last value made decides**, which matters to a program that
/// uses libgit2 for something else too. Make the value before opening any repository.
///
/// Besides the limits below, the searches for system and account configuration are turned off (or the account's
/// `.gitconfig` would leak into every repository), and what is written to repositories is synced to disk.
public final class Libgit2Library: Sendable {
    /// The process-wide limits of libgit2.
    public struct Options: Sendable, Hashable {
        /// The most bytes one object may have once a delta is applied. Default: 512 MiB.
        ///
        /// See ``Libgit2Library/limitsDeltas`` for whether this libgit2 knows the option.
        public var maximumObjectBytes = 512 << 20
        /// The most objects in one pack; the header's claim sizes an allocation. Default: 4 million.
        public var maximumPackObjects = 4_000_000
        /// The memory for recently used objects. Default: 32 MiB.
        public var cacheBytes = 32 << 20
        /// The address space for pack files. Default: 1 GiB.
        public var mappedBytes = 1 << 30

        /// Whether an object is hashed again each time it is read, as libgit2 does by default. Objects are hashed when they are
        /// received, and packed ones have a checksum of their own; git does not hash them either, and it costs a third of
        /// an export. Default: false.
        public var hashesOnRead = false

        /// The defaults.
        public init() {}
    }

    /// Whether this libgit2 can stop a delta that grows beyond ``Options/maximumObjectBytes`` while it is applied.
    /// Without it (before 1.9.5, except Debian's 1.5.1) such a delta is noticed afterwards.
    public let limitsDeltas: Bool

    /// Starts libgit2, or counts one more user of it.
    public init(options: Options = Options()) throws(GitReceiverError) {
        guard git_libgit2_init() > 0 else {
            throw GitReceiverError(.storage, "libgit2 could not be started.", cause: Libgit2Failure.last(-1))
        }
        let levels = [
            GIT_CONFIG_LEVEL_SYSTEM, GIT_CONFIG_LEVEL_GLOBAL, GIT_CONFIG_LEVEL_XDG, GIT_CONFIG_LEVEL_PROGRAMDATA,
        ]
        var worst: Int32 = 0
        // A path below which nothing can exist; an empty one would mean the default.
        for level in levels { worst = min(worst, slipway_git_set_search_path(level.rawValue, "/dev/null")) }
        worst = min(worst, slipway_git_set_pack_max_objects(options.maximumPackObjects))
        worst = min(worst, slipway_git_set_hash_on_read(options.hashesOnRead ? 1 : 0))
        worst = min(worst, slipway_git_enable_fsync(1))
        worst = min(worst, slipway_git_set_cache_max_size(options.cacheBytes))
        worst = min(worst, slipway_git_set_mapped_limit(options.mappedBytes))
        self.limitsDeltas = slipway_git_set_pack_max_object_size(options.maximumObjectBytes) == 0
        guard worst == 0 else {
            let failure = Libgit2Failure.last(worst)
            git_libgit2_shutdown()
            throw GitReceiverError(.storage, "libgit2 refused an option.", cause: failure)
        }
    }

    deinit { git_libgit2_shutdown() }
}
