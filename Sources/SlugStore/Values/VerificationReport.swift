/// How much of a repository is checked, and how fast.
public struct VerificationOptions: Sendable, Hashable {
    /// The share of what is stored that is read, from 0 to 1, chosen anew each time. Records, lists of files and indexes are
    /// read always. Default: 1, all of it.
    public var share: Double = 1
    /// The bytes that are read from the disk in a second at most; `nil`, the default: as fast as it goes.
    public var maxBytesPerSecond: Int64?

    /// Whether trees that were made are compared with their slugs. Where instances may write to them, each differs. Default:
    /// true.
    public var checksTrees = true

    /// Checks everything.
    public init() {}
}

/// What a check of a repository found.
public struct VerificationReport: Sendable, Hashable {
    /// Something that is not as it was stored.
    public struct Damage: Sendable, Hashable {
        /// What is damaged and where.
        public var description: String
        /// The slugs that cannot be made any more, in order; none if nobody needs it.
        public var slugs: [SlugID]

        /// Describes a damage.
        public init(description: String, slugs: [SlugID]) {
            self.description = description
            self.slugs = slugs
        }
    }

    /// Slugs whose records and lists of files were read.
    public var slugs = 0
    /// Chunks that were read.
    public var chunks = 0
    /// Bytes that were read from the disk.
    public var bytes: Int64 = 0
    /// What is not as it was stored.
    public var damages: [Damage] = []

    /// Nothing read yet.
    public init() {}

    /// Whether all that was read was sound.
    public var isSound: Bool { self.damages.isEmpty }
    /// The slugs that cannot be made any more, in order.
    public var damagedSlugs: [SlugID] { Set(self.damages.flatMap(\.slugs)).sorted() }
}
