#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

extension TieredSlugRepository {
    /// When a `put` returns.
    public enum Mode: Sendable, Hashable {
        /// When the remote has the slug: every other host can run it from then on. Fails while the remote is away; the tree
        /// need then not be read again, since its chunks are kept here.
        case writeThrough
        /// When this machine has the slug, durably; ``run()`` sends it. Works while the remote is away. Other hosts, and this
        /// one after the loss of its disk, do not have the slug until it was sent.
        case writeBack
    }

    /// What a remote may make a repository hold in memory, and how hard it is worked.
    public struct Limits: Sendable, Hashable {
        /// Requests at a time of one operation. Default: 4.
        public var requests = 4
        /// The most bytes asked for at once, unless a frame alone has more (32 MiB at most). Default: 4 MiB.
        public var requestBytes = 4 << 20
        /// So many unwanted bytes between two wanted pieces are read rather than asked around. Default: 64 KiB.
        public var gapBytes = 64 << 10
        /// What is gathered in memory before it is stored locally, and what a crash makes fetch again. Default: 32 MiB.
        public var heldBytes = 32 << 20
        /// The largest index of a pack that is read. Default: 64 MiB, of a pack with some 1.7 million chunks.
        public var indexBytes = 64 << 20
        /// The largest record that is read. Default: 16 MiB.
        public var recordBytes = 16 << 20
        /// The most signatures of one slug that are read besides those of trusted keys, whoever has put them there. Default: 1,000.
        public var signatures = 1_000
        /// Slugs that may wait to be sent; further puts fail. Default: 1,000.
        public var pendingSlugs = 1_000

        /// The defaults.
        public init() {}
    }

    /// How a repository uses its remote.
    public struct Configuration: Sendable {
        /// When a `put` returns. Default: ``Mode/writeThrough``.
        public var mode = Mode.writeThrough
        /// What the remote may make this repository hold.
        public var limits = Limits()
        /// How long what nobody needs stays in the remote after it was condemned: what readers that have just looked at it
        /// may still be reading. With zero, a collection deletes what it has condemned. Default: 1 hour.
        public var graceTime: Duration = .seconds(3600)
        /// For how long a put that never ended protects what it would have needed. A put that lasts half as long begins again.
        /// The clocks of all hosts must agree to within half of it. Default: 24 hours.
        public var putLifetime: Duration = .seconds(24 * 3600)
        /// The longest pause before sending is tried again after a failure; it starts at a second and doubles, and its length
        /// is drawn from all up to that ("full jitter"). Default: 5 minutes.
        public var maximumPause: Duration = .seconds(300)
        /// What packs and trees may take on this machine before ``trim()`` takes out the slugs that were used least
        /// recently. `nil`, the default, is no limit.
        public var cacheBytes: Int64?
        /// Which slugs have to stay on this machine, for example those of running instances. It is asked before every
        /// ``trim()``; if it fails, nothing is taken out.
        public var inUse: @Sendable () async throws -> Set<SlugID> = { [] }
        /// A slug that was put or materialised so short a time ago stays: its user may not be known to ``inUse`` yet.
        /// Default: 15 minutes.
        public var minimumStay: Duration = .seconds(900)

        /// The defaults.
        public init() {}
    }

    /// How far a repository is with its remote.
    public struct State: Sendable {
        /// Slugs that wait to be sent, in the order in which they came.
        public var pending: [SlugID]
        /// Why sending failed the last time; `nil` if it did not.
        public var failure: SlugStoreError?
        /// When a slug was last sent by this object.
        public var lastSent: Date?
    }

    /// Slugs, as far as they could be seen.
    public struct Listing: Sendable {
        /// The slugs, oldest first.
        public var slugs: [SlugSummary]
        /// Why the remote could not be looked at: then the slugs are those that this machine has. `nil` if all are there.
        public var unseen: SlugStoreError?
    }
}
