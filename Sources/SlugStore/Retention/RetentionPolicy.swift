#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// Which slugs may go: what is beyond the last so many, too old, or over the budget. It decides and removes nothing; see
/// ``SlugRepository/remove(_:)`` and ``SlugRepository/collectGarbage()``.
///
/// A slug expires when any of the limits says so. What is protected never does: the slug that is live, those that somebody
/// pinned, and those that anything is still running from.
public struct RetentionPolicy: Sendable, Hashable, Codable {
    /// A slug that may go or stay.
    public struct Candidate: Sendable, Hashable {
        /// The slug.
        public var id: SlugID
        /// When it was last of use, for example when the newest release of it was made.
        public var lastUse: Date
        /// What it takes in bytes. Since slugs share what they have in common, what storing it added
        /// (``SlugSummary/newBytesStored``) is nearer to what its removal gives back than its size.
        public var bytes: Int64

        /// Describes a slug.
        public init(id: SlugID, lastUse: Date, bytes: Int64) {
            self.id = id
            self.lastUse = lastUse
            self.bytes = bytes
        }

        /// A slug as the repository knows it: last used when it was made.
        public init(_ summary: SlugSummary) {
            self.init(id: summary.id, lastUse: summary.createdAt, bytes: summary.newBytesStored)
        }
    }

    /// How many stay, counting from the newest, at least 1. `nil`: any number.
    public var keepLast: Int?
    /// How long ago the last use may be, in seconds. `nil`: any time.
    public var maxAge: TimeInterval?
    /// What those that stay may take together in bytes; the oldest go first. `nil`: anything.
    public var maxBytes: Int64?

    /// Makes a policy; without limits, everything stays.
    public init(keepLast: Int? = nil, maxAge: TimeInterval? = nil, maxBytes: Int64? = nil) {
        self.keepLast = keepLast
        self.maxAge = maxAge
        self.maxBytes = maxBytes
    }

    /// What may be removed, the oldest first.
    /// - Parameters:
    ///   - candidates: Slugs in any order, each once. Of two that were used at the same time, the one with the lower
    ///     identifier counts as older.
    ///   - protected: What stays whatever the limits say. It counts towards them.
    ///   - now: What ages are counted from.
    public func expired(_ candidates: [Candidate], keeping protected: Set<SlugID>, now: Date) -> [SlugID] {
        var (kept, bytes): (Int, Int64) = (0, 0)
        var expired: [SlugID] = []
        // What is protected takes its place first: a budget that it fills leaves nothing for others.
        for candidate in candidates where protected.contains(candidate.id) {
            kept += 1
            bytes += candidate.bytes
        }
        for candidate in candidates.sorted(by: { ($0.lastUse, $0.id) > ($1.lastUse, $1.id) })
        where !protected.contains(candidate.id) {
            let isOld = self.maxAge.map { now.timeIntervalSince(candidate.lastUse) > $0 } ?? false
            let isBeyond = self.keepLast.map { kept >= max($0, 1) } ?? false
            let isOver = self.maxBytes.map { bytes + candidate.bytes > $0 } ?? false
            // Where one goes, all that are older go: a small old slug never stays in the place of a large newer one.
            if !expired.isEmpty || isOld || isBeyond || isOver {
                expired.append(candidate.id)
            } else {
                kept += 1
                bytes += candidate.bytes
            }
        }
        return expired.reversed()
    }
}
