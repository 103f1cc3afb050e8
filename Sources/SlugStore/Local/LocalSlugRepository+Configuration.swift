public import SystemPackage

#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

extension LocalSlugRepository {
    /// Where and how a local repository keeps its slugs.
    public struct Configuration: Sendable {
        /// The repository's directory. It is made at first use, if its parent exists. Everything in it is the repository's.
        public var directory: FilePath
        /// The zstd level of what is stored, 1 (fast) to 19 (small). Repositories may mix levels. Default: 3.
        public var compressionLevel = 3
        /// What a tree may be at most.
        public var limits = TreeLimits()
        /// The threads that read, hash and compress one tree. Each takes some 5 MiB of memory. Default: as many as there are
        /// processors, at most 8.
        public var workers = min(ProcessInfo.processInfo.activeProcessorCount, 8)
        /// What is left of the disk for everybody else: what would take from that is refused beforehand with
        /// ``SlugStoreError/Code/noSpace`` and the numbers. In bytes; default: 256 MiB.
        public var reservedBytes: Int64 = 256 << 20
        /// Whose signature a slug needs before it is materialised. Default: nobody's.
        public var signatures = SignaturePolicy.none
        /// How long to wait for another process that holds the repository, for example while it collects garbage, before
        /// ``SlugStoreError/Code/busy`` is thrown. Default: one minute.
        public var lockTimeout: Duration = .seconds(60)
        /// Whether files are written through to the disk before they count. Without, a power failure can lose or damage
        /// what was stored last; only tests and repositories that can be made again should do without. Default: true.
        public var synchronises = true
        /// What the time of a slug's creation is taken from.
        public var now: @Sendable () -> Date = { Date() }

        /// The defaults, for a repository in `directory`.
        public init(directory: FilePath) { self.directory = directory }

        var reserve: DiskReserve { DiskReserve(bytes: self.reservedBytes) }
    }
}
