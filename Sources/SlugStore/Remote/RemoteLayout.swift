#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// What objects a remote repository consists of; Docs/SlugFormat.md describes them.
enum RemoteLayout {
    static let packs = "packs/"
    static let slugs = "slugs/"
    static let puts = "puts/"
    static let garbage = "garbage/"

    static func signatures(of id: SlugID) -> String { "signatures/\(id.hex)/" }

    /// By a digest of the key, since a key and a slug's identifier together are longer than an object's name may be.
    static func signature(of id: SlugID, by publicKey: Data) -> ObjectKey {
        ObjectKey(known: self.signatures(of: id) + ChunkID(of: Array(publicKey)).description.prefix(32))
    }

    static func record(of id: SlugID) -> ObjectKey { ObjectKey(known: self.slugs + id.hex) }
}

/// The time of an event by its author's clock, and chance, in 24 hexadecimal digits: a name that was never used before.
///
/// A name that is never used again is what makes late deletions harmless: a request to delete a pack, however long it was
/// under way, can only hit that pack and never one with the same content that was stored since.
struct RemoteStamp: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// Since 1970.
    let milliseconds: UInt64
    let chance: UInt64

    init(_ date: Date, chance: UInt64) {
        self.milliseconds = UInt64(max(0, date.timeIntervalSince1970 * 1000)) & 0xffff_ffff_ffff
        self.chance = chance & 0xffff_ffff_ffff
    }

    init?(_ text: some StringProtocol) {
        guard text.utf8.count == 24, text.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }),
            let milliseconds = UInt64(text.prefix(12), radix: 16), let chance = UInt64(text.suffix(12), radix: 16)
        else { return nil }
        self.milliseconds = milliseconds
        self.chance = chance
    }

    var description: String {
        [self.milliseconds, self.chance].map { word in
            let digits = String(word, radix: 16)
            return String(repeating: "0", count: 12 - digits.count) + digits
        }.joined()
    }

    /// Negative if it comes from a clock that is ahead.
    func age(at date: Date) -> Duration {
        .milliseconds(Int64(date.timeIntervalSince1970 * 1000) - Int64(self.milliseconds))
    }

    static func < (lhs: RemoteStamp, rhs: RemoteStamp) -> Bool {
        (lhs.milliseconds, lhs.chance) < (rhs.milliseconds, rhs.chance)
    }
}

/// The name of a pack in a remote: the digest of its index, which says what is in it, and a stamp.
struct PackName: Hashable, Sendable, Comparable, CustomStringConvertible {
    let digest: ChunkID
    let stamp: RemoteStamp

    init(digest: ChunkID, stamp: RemoteStamp) {
        self.digest = digest
        self.stamp = stamp
    }

    init?(_ text: some StringProtocol) {
        guard text.hasSuffix(PackFormat.fileExtension) else { return nil }
        let parts = text.dropLast(PackFormat.fileExtension.count).split(
            separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, let digest = ChunkID(hex: String(parts[0])), let stamp = RemoteStamp(parts[1]) else {
            return nil
        }
        self.init(digest: digest, stamp: stamp)
        // Upper case would be another key of the same pack.
        guard self.description == text else { return nil }
    }

    init?(key: ObjectKey, below prefix: String) {
        guard key.description.hasPrefix(prefix) else { return nil }
        self.init(key.description.dropFirst(prefix.count))
    }

    var description: String { "\(self.digest)-\(self.stamp)\(PackFormat.fileExtension)" }
    var key: ObjectKey { ObjectKey(known: RemoteLayout.packs + self.description) }
    var marker: ObjectKey { ObjectKey(known: RemoteLayout.garbage + self.description) }

    /// The newest first; the same for everybody.
    static func < (lhs: PackName, rhs: PackName) -> Bool { (rhs.stamp, lhs.digest) < (lhs.stamp, rhs.digest) }
}
