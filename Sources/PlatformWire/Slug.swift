#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// A slug as clients see it: a built tree, stored once, that releases refer to.
public struct SlugInfo: Codable, Sendable, Hashable {
    /// A release that has this slug.
    public struct Use: Codable, Sendable, Hashable {
        /// The application's name.
        public var application: String
        /// The number in `v12`.
        public var release: Int
        /// Whether the release is the one that is routed to.
        public var isLive: Bool
        /// Whether somebody pinned the release.
        public var isPinned: Bool

        /// Makes one from its parts.
        public init(application: String, release: Int, isLive: Bool, isPinned: Bool) {
            self.application = application
            self.release = release
            self.isLive = isLive
            self.isPinned = isPinned
        }
    }

    /// Its identifier: a digest of all that is in it.
    public var id: String
    /// The number of regular files.
    public var files: Int
    /// The size of all files in bytes.
    public var bytes: Int64
    /// What storing it added on disk in bytes: what no earlier slug had, compressed.
    public var newBytesStored: Int64
    /// When it was stored first.
    public var createdAt: Date
    /// The names of the buildpacks that made it, in the order in which they ran.
    public var buildpacks: [String]
    /// The releases that have it, by application and number; none when nothing refers to it any more, or only another host.
    public var uses: [Use]

    /// Makes one from its parts.
    public init(
        id: String, files: Int, bytes: Int64, newBytesStored: Int64, createdAt: Date, buildpacks: [String], uses: [Use]
    ) {
        self.id = id
        self.files = files
        self.bytes = bytes
        self.newBytesStored = newBytesStored
        self.createdAt = createdAt
        self.buildpacks = buildpacks
        self.uses = uses
    }
}

/// What one release's slug has that another's has not.
public struct SlugDifferenceInfo: Codable, Sendable, Hashable {
    /// A file, directory or link that is not in both, or not the same in both.
    public struct Entry: Codable, Sendable, Hashable {
        /// What became of it.
        public enum Change: String, Codable, Sendable, Hashable {
            case added, removed, changed
        }

        /// What became of it.
        public var change: Change
        /// Where it is in the tree. Bytes that are not UTF-8 are replaced.
        public var path: String
        /// The size in bytes that it had; `nil` if it is new.
        public var oldBytes: Int64?
        /// The size in bytes that it has; `nil` if it is gone.
        public var newBytes: Int64?

        /// Makes one from its parts.
        public init(change: Change, path: String, oldBytes: Int64?, newBytes: Int64?) {
            self.change = change
            self.path = path
            self.oldBytes = oldBytes
            self.newBytes = newBytes
        }
    }

    /// How many entries are new.
    public var added: Int
    /// How many entries are gone.
    public var removed: Int
    /// How many entries are not what they were.
    public var changed: Int
    /// The size of what is new or changed, as it is now, in bytes.
    public var bytesIn: Int64
    /// The size of what is gone or changed, as it was, in bytes.
    public var bytesOut: Int64
    /// The entries by path, as far as the host tells them; the counts are of all.
    public var entries: [Entry]

    /// Makes one from its parts.
    public init(added: Int, removed: Int, changed: Int, bytesIn: Int64, bytesOut: Int64, entries: [Entry]) {
        self.added = added
        self.removed = removed
        self.changed = changed
        self.bytesIn = bytesIn
        self.bytesOut = bytesOut
        self.entries = entries
    }
}

/// The body of a request to check the slug store.
public struct SlugCheckRequest: Codable, Sendable, Hashable {
    /// How much of what is stored is read, above 0 to 1; without it, all.
    public var share: Double?

    /// Makes one.
    public init(share: Double? = nil) { self.share = share }
}

/// What a check of the slug store found.
public struct SlugCheckInfo: Codable, Sendable, Hashable {
    /// How many slugs were looked at.
    public var slugs: Int
    /// How many bytes were read from the disk.
    public var bytes: Int64
    /// What is not as it was stored, in words.
    public var damages: [String]
    /// The identifiers of the slugs that cannot be made any more.
    public var lostSlugs: [String]

    /// Makes one from its parts.
    public init(slugs: Int, bytes: Int64, damages: [String], lostSlugs: [String]) {
        self.slugs = slugs
        self.bytes = bytes
        self.damages = damages
        self.lostSlugs = lostSlugs
    }
}

/// What a collection of garbage in the slug store freed.
public struct SlugGarbageInfo: Codable, Sendable, Hashable {
    /// Slugs that no release refers to and that were removed.
    public var slugs: Int
    /// Chunks that no slug needed any more.
    public var chunks: Int
    /// Bytes on disk that were given back.
    public var bytes: Int64

    /// Makes one from its parts.
    public init(slugs: Int, chunks: Int, bytes: Int64) {
        self.slugs = slugs
        self.chunks = chunks
        self.bytes = bytes
    }
}
