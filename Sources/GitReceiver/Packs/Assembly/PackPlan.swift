/// Which objects a new pack has, in which order, and how each gets into it. Pure: what it is told of the objects decides.
///
/// An entry that lies in a pack already is copied, since to find a delta again costs a hundred times as much as to copy
/// it. A delta needs its base before it; where that cannot be, or where deltas on deltas would become too many, the object
/// goes in whole.
///
/// ## Why no delta can lead back to itself
/// ``order`` is made by ``place(_:)``, which appends an object as a delta only after its base was appended, and appends nothing
/// twice. So each delta's base stands before it, whatever the candidates say of each other, and the depth of each is one
/// more than that of its base, hence at most the limit.
///
/// Objects of sound packs never lead in a circle anyway: each is taken from the first pack that has it, in a fixed order of
/// packs. Its base is in the same pack, as packs on disk are complete, so that is taken from the same pack or an earlier
/// one; and within one pack a delta was made from the contents of its base, which SHA-1 names. A damaged pack may say
/// otherwise: then ``place(_:)`` cuts the circle, and reading the object that is to go in whole finds the damage.
struct PackPlan: Sendable {
    /// What an object is a delta of, as it lies on the disk.
    enum Base: Sendable, Equatable {
        /// It lies there whole, packed.
        case none
        /// Another object of the new pack, by its number.
        case sent(Int32)
        /// An object that whoever gets the pack has already.
        case held
        /// An object that is not to be had where the pack goes.
        case absent
        /// It lies in no pack.
        case loose
    }

    /// How an object gets into the pack.
    enum Method: UInt8, Sendable {
        /// Its entry is copied as it is.
        case copy
        /// Its entry is copied; the base, which is earlier in the pack, is named anew.
        case delta
        /// Its entry is copied; the base is one that the receiver has.
        case thin
        /// It is unpacked, checked and packed whole.
        case whole
    }

    /// The numbers of the objects in the order of the pack.
    private(set) var order: [Int32] = []
    /// For each object by its number.
    private(set) var methods: [Method]
    /// How many deltas have to be applied to make each object; ``unplaced`` or ``waiting`` before that is known.
    private(set) var depths: [Int32]

    private let bases: [Base]
    private let depthLimit: Int
    private static let unplaced: Int32 = -1
    private static let waiting: Int32 = -2

    /// - Parameters:
    ///   - bases: what each object is a delta of.
    ///   - preferred: all their numbers, in the order which is best for reading; an object is moved before those that build
    ///     on it.
    ///   - depthLimit: how many deltas on deltas there may be.
    init(bases: [Base], preferred: [Int32], depthLimit: Int) {
        self.bases = bases
        self.depthLimit = depthLimit
        self.methods = Array(repeating: .whole, count: bases.count)
        self.depths = Array(repeating: Self.unplaced, count: bases.count)
        self.order.reserveCapacity(bases.count)
        for number in preferred where self.depths[Int(number)] == Self.unplaced { self.place(number) }
    }

    /// The number of objects that are deltas.
    var deltas: Int { self.methods.count { $0 == .delta || $0 == .thin } }
    /// The number of objects whose entries are copied.
    var copied: Int { self.methods.count { $0 != .whole } }

    /// Appends an object, after all that it builds on.
    private mutating func place(_ start: Int32) {
        var path = [start]
        self.depths[Int(start)] = Self.waiting
        while case .sent(let base)? = path.last.map({ self.bases[Int($0)] }),
            self.depths[Int(base)] == Self.unplaced
        {
            self.depths[Int(base)] = Self.waiting
            path.append(base)
        }
        for number in path.reversed() {
            let (method, depth) = self.decide(self.bases[Int(number)])
            self.methods[Int(number)] = method
            self.depths[Int(number)] = depth
            self.order.append(number)
        }
    }

    private func decide(_ base: Base) -> (Method, depth: Int32) {
        switch base {
        case .none: return (.copy, 0)
        case .absent, .loose: return (.whole, 0)
        // Nobody knows how deep the receiver's own object is.
        case .held: return self.depthLimit > 0 ? (.thin, 1) : (.whole, 0)
        case .sent(let base):
            let depth = self.depths[Int(base)]
            // One that still waits is behind this object: a circle.
            guard depth >= 0, depth < self.depthLimit else { return (.whole, 0) }
            return (.delta, depth + 1)
        }
    }
}
