/// The objects that a new pack is to have, and where each of them lies.
struct PackContents: Sendable {
    /// An entry of a pack on disk.
    struct Entry: Sendable {
        /// The pack, by its place in ``PackContents/packs``; -1 for an object that is in none.
        var pack: Int32 = -1
        var crc: UInt32 = 0
        var offset = 0
        /// The packed bytes, header included.
        var count = 0
    }

    /// The names, each once.
    var objects: [ObjectID]
    /// For each object.
    var entries: [Entry]
    var bases: [PackPlan.Base]
    /// The names of the bases that the receiver has, for the objects that are deltas of one.
    var heldBases: [Int32: ObjectID] = [:]
    /// The packs that have some of the objects.
    var packs: [StoredPack]

    /// Forgets what was found in a pack; returns all objects that are in none now.
    mutating func forget(pack: Int32) -> [Int32] {
        var missing: [Int32] = []
        for number in self.entries.indices where self.entries[number].pack == pack || self.entries[number].pack < 0 {
            self.entries[number] = Entry()
            self.bases[number] = .loose
            self.heldBases[Int32(number)] = nil
            missing.append(Int32(number))
        }
        return missing
    }

    /// Lets go of packs that have none of the objects, each of which is a mapped index.
    mutating func dropUnusedPacks() {
        var places = [Int32](repeating: -1, count: self.packs.count)
        for entry in self.entries where entry.pack >= 0 { places[Int(entry.pack)] = 0 }
        var used: [StoredPack] = []
        for place in places.indices where places[place] == 0 {
            places[place] = Int32(used.count)
            used.append(self.packs[place])
        }
        for number in self.entries.indices where self.entries[number].pack >= 0 {
            self.entries[number].pack = places[Int(self.entries[number].pack)]
        }
        self.packs = used
    }

    /// The objects in the order in which they lie on the disk, those that are in no pack last.
    var diskOrder: [Int32] {
        (0..<Int32(self.objects.count)).sorted { one, other in
            let (one, other) = (self.entries[Int(one)], self.entries[Int(other)])
            if one.pack != other.pack { return UInt32(bitPattern: one.pack) < UInt32(bitPattern: other.pack) }
            return one.offset < other.offset
        }
    }

    /// The bytes of all entries, which is about the size of the pack.
    var bytes: Int { self.entries.reduce(0) { $0 + $1.count } }
}
