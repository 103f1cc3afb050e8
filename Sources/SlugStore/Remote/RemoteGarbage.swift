/// What a garbage collection of a remote does with its packs; the rules by which hosts that do not know of each other put,
/// remove and collect at the same time without locks, conditional writes or clocks that agree.
///
/// ## The rules
/// A **put** (1) lists the markers, then the packs, and relies on packs without a marker only; (2) writes an *intent* that
/// names all packs which the slug will need, those that it will store under names that were never used among them;
/// (3) stores those; (4) lists markers and packs again: if a pack that it needs is marked or missing, it deletes the intent
/// and begins again; (5) writes the slug's record; (6) deletes the intent.
///
/// A **collection** (1) lists the markers, then the packs, (2) then the intents, (3) then the records, and reads them. A
/// chunk that some record needs is *live*; its *keeper* is the newest pack without a marker that has it. (4) Packs that were
/// marked at step 1, long enough ago, and that no intent names are deleted, and after each its marker; before that, their
/// live chunks that have no keeper are stored in a new pack. (5) Packs that keep nothing are marked, unless an intent names
/// them; packs that keep little are copied, and then keep nothing. A mark is never taken back.
///
/// ## Why nothing is lost
/// *A put against a collection.* Let a put need pack P and find it unmarked at step 4, and let a collection delete P. That
/// collection listed P's marker before it listed the intents, and the marker was written after the put's step 4 listed the
/// markers (marks are never taken back while the pack is there, and a deleted pack's marker goes after the pack, which the
/// put, listing markers first, would then have missed). The intent was written before step 4. So at the collection's step 2
/// the intent was there, and protected P, or it had been deleted, and then the record had been written before and was found
/// at step 3, unless it was removed: its chunks were live, and P was deleted only after each had a keeper.
///
/// *A collection against others.* Let a chunk be live, and every pack that has it be deleted. Order these packs by when they
/// were marked. Whoever deleted the last one had listed its marker, so all the others were marked, too, at that time or
/// gone: the chunk had no keeper in that collection's eyes, and was stored anew before. That new pack is in the order, too;
/// a contradiction.
///
/// *Delayed requests.* A deletion that arrives late can only hit a pack of a name that is never used again, a marker of such
/// a pack, or an intent. Only a record has a name that is used again: removing a slug while it is put is a race that either
/// may win.
///
/// *A crash* leaves packs that nobody needs, which the next collection finds, or an intent, which is ignored after
/// ``TieredSlugRepository/Configuration/putLifetime``. That is the one place where time matters: a put that has lasted half
/// of it begins again before it would write its record.
///
/// The tests try every order of these steps for a few hosts and packs (`GarbageProtocol`), and find for each rule an order that
/// loses chunks without it. Marking a pack too eagerly costs work, never data: a put that relied on it begins again. Packs younger than the grace time
/// are left alone, since their put may not have come to its record yet. Readers take no part in any of this; one whose pack
/// went looks again.
struct RemoteGarbage {
    struct Pack {
        var name: PackName
        var fileBytes: Int64
        /// What it keeps.
        var kept: [SlugManifest.ChunkReference] = []
        var keptBytes: Int64 = 0
        var bytes: Int64 = 0
    }

    /// A pack is copied when more than this share of it is garbage.
    static let tolerableGarbage = 0.3
    /// When there are more than this many small packs, they are merged.
    static let tolerableSmallPacks = 16
    static let smallPackBytes: Int64 = 4 << 20

    /// Packs that keep nothing.
    var useless: [PackName] = []
    /// Packs whose kept chunks are better copied, so that they keep nothing.
    var wasteful: [Pack] = []

    /// - Parameter packs: All packs without a marker that no intent names and that are old enough.
    init(_ packs: [Pack]) {
        let small = packs.filter { !$0.kept.isEmpty && $0.fileBytes < Self.smallPackBytes }.count
        for pack in packs {
            if pack.kept.isEmpty {
                self.useless.append(pack.name)
            } else if Double(pack.bytes - pack.keptBytes) > Self.tolerableGarbage * Double(pack.bytes)
                || (small > Self.tolerableSmallPacks && pack.fileBytes < Self.smallPackBytes)
            {
                self.wasteful.append(pack)
            }
        }
    }
}
