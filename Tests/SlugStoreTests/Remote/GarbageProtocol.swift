/// The rules of `RemoteGarbage` as steps of hosts that share nothing but objects, so that every order of these steps can be
/// tried. A host may stop at any step for ever, for what holds in every state holds in the last one that it has seen. Time is
/// not in it: each condemned pack is due at once, and no intent is too old.
struct GarbageProtocol {
    /// A rule that is broken, which shows what it is there for.
    enum Breach: CaseIterable, Sendable {
        /// The put relies on what it saw before it wrote its intent.
        case putLooksOnce
        /// The put lists packs, then markers.
        case putListsPacksFirst
        case intentIsWrittenAfterLookingAgain
        case intentIsDeletedBeforeTheRecord
        /// The collection lists intents, then markers and packs.
        case intentsAreListedFirst
        /// The collection lists records, then intents.
        case recordsAreListedBeforeIntents
        /// A condemned pack counts as one that keeps.
        case condemnedPacksKeep
        case nothingIsCopiedBeforeDeletion
        case markersAreDeletedBeforePacks
        case intentsDoNotKeepFromDeletion
        /// A condemned pack that a slug needs is not copied and deleted, but a pack like any other again.
        case marksAreTakenBack
        case namesAreUsedAgain
        /// Condemned is also what an unfinished put needs.
        case intentsDoNotKeepFromMarks
        case keptChunksAreNotCopied

        /// What costs work, and never data.
        static let harmless: Set<Self> = [.intentsDoNotKeepFromMarks, .keptChunksAreNotCopied]
    }

    /// A set of packs, or of chunks, by number.
    typealias Bits = UInt16

    enum Host: Hashable {
        case put(Put)
        case collection(Collection)
        case removal(Removal)
    }

    struct Removal: Hashable {
        var slug = 0
        var isDone = false
    }

    struct Put: Hashable {
        enum Step: Hashable { case look, lookOn, intent, upload, again, againOn, record, end, done }
        var slug = 0
        var step = Step.look
        var attempts = 2
        /// What a look has listed first.
        var seen: Bits = 0
        var needed: Bits = 0
        var new: Bits = 0
    }

    struct Collection: Hashable {
        enum Step: Hashable { case look, lookOn, intents, list, read, due, copy, delete, unmark, condemn, mark, done }
        var step = Step.look
        var markers: Bits = 0
        var packs: Bits = 0
        var intended: Bits?
        var records: Bits = 0
        /// What it is about to delete or to mark.
        var chosen: Bits = 0
    }

    struct World: Hashable {
        /// What is in each pack that ever was, by its name; a later one is newer.
        var contents: [Bits]
        var packs: Bits
        var markers: Bits = 0
        /// What was deleted once: the request may arrive again.
        var deletedPacks: Bits = 0
        var deletedMarkers: Bits = 0
        var intents: [Bits]
        /// Which slugs have one.
        var records: Bits
        var hosts: [Host]

        init(packs contents: [Bits], markers: Bits = 0, records: Bits, hosts: [Host]) {
            self.contents = contents
            self.markers = markers
            self.packs = Bits(truncatingIfNeeded: (1 << contents.count) - 1)
            self.intents = hosts.map { _ in 0 }
            self.records = records
            self.hosts = hosts
        }
    }

    /// What each slug needs.
    static let needs: [Bits] = [0b011, 0b110]

    var breach: Breach?

    /// Whether every chunk of a slug that has a record is in a pack.
    func isSound(_ world: World) -> Bool {
        self.live(world.records) & ~self.chunks(in: world.packs, world) == 0
    }

    /// Every state that is one step away.
    func successors(of world: World) -> [World] {
        var next: [World] = []
        for number in world.hosts.indices {
            switch world.hosts[number] {
            case .put(let put): next += self.step(put, number, world)
            case .collection(let collection): next += self.step(collection, number, world)
            case .removal(let removal):
                guard !removal.isDone else { continue }
                var world = world
                world.records &= ~(1 << removal.slug)
                world.hosts[number] = .removal(Removal(slug: removal.slug, isDone: true))
                next.append(world)
            }
        }
        for pack in Self.members(world.deletedPacks & world.packs) {
            var world = world
            world.packs &= ~pack
            next.append(world)
        }
        for marker in Self.members(world.deletedMarkers & world.markers) {
            var world = world
            world.markers &= ~marker
            next.append(world)
        }
        return next
    }

    // MARK: Putting

    private func step(_ put: Put, _ number: Int, _ world: World) -> [World] {
        var (put, world) = (put, world)
        let packsFirst = self.breach == .putListsPacksFirst
        // What a look has seen when it ends.
        let (markers, packs) = packsFirst ? (world.markers, put.seen) : (put.seen, world.packs)
        switch put.step {
        case .look, .again:
            put.seen = packsFirst ? world.packs : world.markers
            put.step = put.step == .look ? .lookOn : .againOn
        case .lookOn:
            var missing: Bits = 0
            for chunk in Self.members(Self.needs[put.slug]) {
                if let keeper = self.keeper(of: chunk, packs, markers, world) {
                    put.needed |= keeper
                } else {
                    missing |= chunk
                }
            }
            put.seen = 0
            // The name of what it is about to store is chosen by now.
            put.new = missing == 0 ? 0 : self.name(for: missing, &world)
            put.needed |= put.new
            put.step = self.breach == .intentIsWrittenAfterLookingAgain ? .upload : .intent
        case .intent:
            world.intents[number] = put.needed
            put.step = self.breach == .intentIsWrittenAfterLookingAgain ? .record : .upload
        case .upload:
            world.packs |= put.new
            put.new = 0
            put.step = self.breach == .putLooksOnce ? .record : .again
        case .againOn:
            put.seen = 0
            if packs & ~markers & put.needed == put.needed {
                put.step = self.breach == .intentIsWrittenAfterLookingAgain ? .intent : .record
            } else {
                put.attempts -= 1
                put.step = .end
            }
            if put.step == .record, self.breach == .intentIsDeletedBeforeTheRecord { world.intents[number] = 0 }
        case .record:
            world.records |= 1 << put.slug
            put.attempts = 0
            put.step = .end
        case .end:
            world.intents[number] = 0
            // As the next attempt begins: what it knew is nothing to it any more.
            put = Put(slug: put.slug, step: put.attempts > 0 ? .look : .done, attempts: put.attempts)
        case .done:
            return []
        }
        world.hosts[number] = .put(put)
        return [world]
    }

    // MARK: Collecting

    private func step(_ collection: Collection, _ number: Int, _ world: World) -> [World] {
        var (own, world) = (collection, world)
        switch own.step {
        case .look:
            if self.breach == .intentsAreListedFirst, own.intended == nil {
                own.intended = Self.union(world.intents)
            } else {
                own.markers = world.markers
                own.step = .lookOn
            }
        case .lookOn:
            own.packs = world.packs
            own.step = .intents
            if self.breach == .recordsAreListedBeforeIntents { own.records = world.records }
        case .intents:
            if self.breach != .intentsAreListedFirst { own.intended = Self.union(world.intents) }
            own.step = self.breach == .recordsAreListedBeforeIntents ? .due : .list
        case .list:
            own.records = world.records
            own.step = .read
        case .read:
            // But those that were removed since the list was made.
            own.records &= world.records
            own.step = .due
        case .due:
            // Its marker is read: another collection may have deleted both.
            own.chosen = own.markers & own.packs & world.markers
            if self.breach != .intentsDoNotKeepFromDeletion { own.chosen &= ~(own.intended ?? 0) }
            if self.breach == .marksAreTakenBack {
                let orphans = self.orphans(own, world)
                for pack in Self.members(own.chosen) where self.chunks(in: pack, world) & orphans != 0 {
                    world.markers &= ~pack
                    own.chosen &= ~pack
                }
            }
            own.step = .copy
        case .copy:
            let orphans = self.orphans(own, world)
            if orphans != 0, self.breach != .nothingIsCopiedBeforeDeletion {
                // What is brought to the host has to be there still.
                guard self.chunks(in: world.packs, world) & orphans == orphans else {
                    return self.end(number, world)
                }
                own.packs |= self.store(orphans, &world)
            }
            own.step = .delete
        case .delete:
            guard own.chosen != 0 else {
                own.step = .condemn
                break
            }
            let pack = Self.newest(own.chosen)
            if self.breach == .markersAreDeletedBeforePacks {
                self.unmark(pack, &world)
            } else {
                self.delete(pack, &world)
            }
            own.step = .unmark
        case .unmark:
            let pack = Self.newest(own.chosen)
            if self.breach == .markersAreDeletedBeforePacks {
                self.delete(pack, &world)
            } else {
                self.unmark(pack, &world)
            }
            own.packs &= ~pack
            own.chosen &= ~pack
            own.step = .delete
        case .condemn:
            return self.condemn(own, number, world)
        case .mark:
            guard own.chosen != 0 else { return self.end(number, world) }
            let pack = Self.newest(own.chosen)
            world.markers |= pack
            own.chosen &= ~pack
        case .done:
            return []
        }
        world.hosts[number] = .collection(own)
        return [world]
    }

    /// Chooses what keeps nothing, and beside it no pack, or any one whose chunks it stores anew.
    private func condemn(_ collection: Collection, _ number: Int, _ world: World) -> [World] {
        let intended = self.breach == .intentsDoNotKeepFromMarks ? 0 : collection.intended ?? 0
        let candidates = Self.members(collection.packs & ~collection.markers & ~intended)
        var kept: [Bits: Bits] = [:]
        for chunk in Self.members(self.live(collection.records)) {
            guard let keeper = self.keeper(of: chunk, collection.packs, collection.markers, world) else { continue }
            kept[keeper, default: 0] |= chunk
        }
        let useless = Self.union(candidates.filter { kept[$0] == nil })
        var next: [World] = []
        for wasteful in [nil] + candidates.filter({ kept[$0] != nil }).map(Optional.some) {
            var (own, world) = (collection, world)
            own.chosen = useless
            if let wasteful, let chunks = kept[wasteful] {
                guard self.chunks(in: world.packs, world) & chunks == chunks else { continue }
                if self.breach != .keptChunksAreNotCopied { own.packs |= self.store(chunks, &world) }
                own.chosen |= wasteful
            }
            own.step = .mark
            world.hosts[number] = .collection(own)
            next.append(world)
        }
        return next
    }

    private func end(_ number: Int, _ world: World) -> [World] {
        var world = world
        // What it has seen is nothing to it any more.
        world.hosts[number] = .collection(Collection(step: .done))
        return [world]
    }

    /// What slugs need of the packs that it is about to delete, and no other keeps.
    private func orphans(_ collection: Collection, _ world: World) -> Bits {
        let unkept = Self.members(self.chunks(in: collection.chosen, world) & self.live(collection.records)).filter {
            self.keeper(of: $0, collection.packs, collection.markers, world) == nil
        }
        return Self.union(unkept)
    }

    // MARK: Packs

    private func live(_ records: Bits) -> Bits {
        Self.needs.indices.reduce(0) { records & 1 << $1 == 0 ? $0 : $0 | Self.needs[$1] }
    }

    private func delete(_ pack: Bits, _ world: inout World) {
        world.packs &= ~pack
        world.deletedPacks |= pack
    }

    private func unmark(_ pack: Bits, _ world: inout World) {
        world.markers &= ~pack
        world.deletedMarkers |= pack
    }

    /// The newest pack without a marker, among those that were seen, that has a chunk.
    private func keeper(of chunk: Bits, _ packs: Bits, _ markers: Bits, _ world: World) -> Bits? {
        let candidates = self.breach == .condemnedPacksKeep ? packs : packs & ~markers
        return Self.members(candidates).last { self.chunks(in: $0, world) & chunk != 0 }
    }

    private func chunks(in packs: Bits, _ world: World) -> Bits {
        world.contents.indices.reduce(0) { packs & 1 << $1 == 0 ? $0 : $0 | world.contents[$1] }
    }

    /// Stores chunks under a name of their own.
    private func store(_ chunks: Bits, _ world: inout World) -> Bits {
        let name = self.name(for: chunks, &world)
        world.packs |= name
        return name
    }

    private func name(for chunks: Bits, _ world: inout World) -> Bits {
        if self.breach == .namesAreUsedAgain,
            let former = world.contents.indices.first(where: {
                world.contents[$0] == chunks && world.packs & 1 << $0 == 0
            })
        {
            return 1 << former
        }
        world.contents.append(chunks)
        return 1 << (world.contents.count - 1)
    }

    static func members(_ bits: Bits) -> [Bits] { (0..<Bits.bitWidth).map { 1 << $0 }.filter { bits & $0 != 0 } }

    private static func newest(_ bits: Bits) -> Bits { Self.members(bits).last ?? 0 }

    private static func union(_ sets: [Bits]) -> Bits { sets.reduce(0, |) }
}
