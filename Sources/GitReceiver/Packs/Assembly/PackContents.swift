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
    /// The packs that have some of the objects, and others.
    var packs: [StoredPack]

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
