/// All objects that a pack has or mentions, each with a small number, so that millions stay small.
struct ObjectTable {
    /// What is known of an object.
    struct Row {
        var oid: ObjectID
        /// What it is, if the pack has it.
        var kind: ObjectKind?
        /// What another object says it is.
        var wanted: ObjectKind?
        /// The object that said so first.
        var owner: Int32 = -1
    }

    private var numbers: [ObjectID: Int32] = [:]
    private(set) var rows: [Row] = []
    /// Trees of the pack and the trees in them.
    private(set) var nesting: [(parent: Int32, child: Int32)] = []

    private let maxRows: Int
    private let maxNesting: Int

    /// - Parameter objects: How many objects a pack may have. What they mention is limited in proportion, since a few bytes of
    ///   a pack can mention any number.
    init(objects: Int) {
        (self.maxRows, _) = objects.multipliedReportingOverflow(by: 2)
        (self.maxNesting, _) = objects.multipliedReportingOverflow(by: 8)
    }

    mutating func number(of oid: ObjectID) throws(GitReceiverError) -> Int32 {
        let next = Int32(self.rows.count)
        let number = self.numbers[oid, default: next]
        if number == next {
            guard self.rows.count < min(self.maxRows, Int(Int32.max) - 1) else {
                throw GitReceiverError(
                    .limitExceeded, "the pack mentions more than \(self.maxRows) objects, the limit of this server")
            }
            self.numbers[oid] = next
            self.rows.append(Row(oid: oid))
        }
        return number
    }

    func find(_ oid: ObjectID) -> Int32? { self.numbers[oid] }

    /// Adds an object of the pack.
    mutating func add(_ oid: ObjectID, _ kind: ObjectKind) throws(GitReceiverError) -> Int32 {
        let number = try self.number(of: oid)
        guard self.rows[Int(number)].kind == nil else {
            throw GitReceiverError(.corrupt, "the pack has the object \(oid) twice")
        }
        self.rows[Int(number)].kind = kind
        return number
    }

    /// Notes that an object names another as one of a kind.
    @discardableResult
    mutating func want(_ oid: ObjectID, _ kind: ObjectKind, by owner: Int32) throws(GitReceiverError) -> Int32 {
        let number = try self.number(of: oid)
        if let wanted = self.rows[Int(number)].wanted {
            let other = self.rows[Int(owner)]
            let need = ObjectNeed(oid: oid, kind: kind, owner: other.oid, ownerKind: other.kind)
            try need.check(wanted, isShallow: false)
        } else {
            self.rows[Int(number)].wanted = kind
            self.rows[Int(number)].owner = owner
        }
        return number
    }

    mutating func nest(_ child: Int32, in parent: Int32) throws(GitReceiverError) {
        guard self.nesting.count < self.maxNesting else {
            throw GitReceiverError(
                .limitExceeded, "the pack's trees name more than \(self.maxNesting) trees, the limit of this server")
        }
        self.nesting.append((parent, child))
    }

    /// Checks that each object of the pack is what the others say it is; returns what they need that the pack does not have.
    ///
    /// All objects count, not only those that the pushed references reach: whatever is in the pack becomes part of the
    /// repository. As this holds for every pack that was ever accepted, what the repository has is complete, and the
    /// check costs what the pack holds and nothing more.
    func needs() throws(GitReceiverError) -> [ObjectNeed] {
        var needs: [ObjectNeed] = []
        for row in self.rows {
            guard let wanted = row.wanted else { continue }
            let owner = self.rows[Int(row.owner)]
            let need = ObjectNeed(oid: row.oid, kind: wanted, owner: owner.oid, ownerKind: owner.kind)
            if let kind = row.kind { try need.check(kind, isShallow: false) } else { needs.append(need) }
        }
        return needs
    }

    /// Limits how deep the pack's own trees nest. Older trees below them are not followed: an export, which has a
    /// limit of its own, is where their depth would matter.
    func checkDepth(limit: Int, _ check: () throws(GitReceiverError) -> Void) throws(GitReceiverError) {
        // Trees without a tree of the pack above them are depth 1; each round goes one level down.
        var parents = [Int32](repeating: 0, count: self.rows.count)
        var starts = [Int32](repeating: 0, count: self.rows.count + 1)
        for (parent, child) in self.nesting where self.rows[Int(child)].kind == .tree {
            parents[Int(child)] += 1
            starts[Int(parent) + 1] += 1
        }
        for index in 0..<self.rows.count { starts[index + 1] += starts[index] }
        var (children, filled) = ([Int32](repeating: 0, count: Int(starts[self.rows.count])), starts)
        for (parent, child) in self.nesting where self.rows[Int(child)].kind == .tree {
            children[Int(filled[Int(parent)])] = child
            filled[Int(parent)] += 1
        }
        var level = self.rows.indices.filter { self.rows[$0].kind == .tree && parents[$0] == 0 }
        var depth = 0
        while !level.isEmpty {
            depth += 1
            guard depth <= limit else {
                throw GitReceiverError(
                    .limitExceeded, "directories nest deeper than \(limit), the limit of this server")
            }
            try check()
            var next: [Int] = []
            for tree in level {
                for child in children[Int(starts[tree])..<Int(starts[tree + 1])] {
                    // The last parent decides: its level is the deepest.
                    parents[Int(child)] -= 1
                    if parents[Int(child)] == 0 { next.append(Int(child)) }
                }
            }
            level = next
        }
    }
}
