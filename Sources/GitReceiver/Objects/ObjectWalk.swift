/// Visits what commits, tags and trees reach, each object once. For use within one blocking call.
struct ObjectWalk {
    /// What a visitor is told of an object.
    typealias Visitor = (ObjectID, ObjectKind) throws(GitReceiverError) -> Void

    private let objects: ObjectDatabase
    private let deadline: Deadline
    private let limit: Int
    /// Whether files are visited; without, only commits, tags and directories are.
    private let includesBlobs: Bool
    /// All that was visited or left out on purpose.
    private(set) var seen: Set<ObjectID> = []

    /// - Parameter limit: The most objects that may be seen; each costs about 40 bytes.
    init(_ objects: ObjectDatabase, includesBlobs: Bool = true, limit: Int, deadline: Deadline) {
        self.objects = objects
        self.includesBlobs = includesBlobs
        self.limit = limit
        self.deadline = deadline
    }

    private mutating func isNew(_ oid: ObjectID) throws(GitReceiverError) -> Bool {
        guard self.seen.insert(oid).inserted else { return false }
        guard self.seen.count <= self.limit else {
            throw GitReceiverError(.limitExceeded, "The repository has more than \(self.limit) objects.")
        }
        if self.seen.count.isMultiple(of: 64) { try self.deadline.check() }
        return true
    }

    /// Visits a commit and all its ancestors, with their directories and files.
    mutating func visitHistory(of tip: ObjectID, _ visit: Visitor) throws(GitReceiverError) {
        var pending = [tip]
        while let oid = pending.popLast() {
            guard try self.isNew(oid) else { continue }
            let commit = try self.objects.commit(oid)
            try visit(oid, .commit)
            try self.visitTree(commit.tree, visit)
            pending += commit.parents.reversed()
        }
    }

    /// Visits one commit with its directories and files, not its ancestors.
    mutating func visitCommit(_ oid: ObjectID, tree: ObjectID, _ visit: Visitor) throws(GitReceiverError) {
        guard try self.isNew(oid) else { return }
        try visit(oid, .commit)
        try self.visitTree(tree, visit)
    }

    /// Visits a tag, the tags it points at, and what these point at in the end.
    mutating func visit(_ oid: ObjectID, _ visit: Visitor) throws(GitReceiverError) {
        let (tags, end, kind) = try self.objects.tagChain(oid)
        for tag in tags where try self.isNew(tag) { try visit(tag, .tag) }
        switch kind {
        case .commit: try self.visitHistory(of: end, visit)
        case .tree: try self.visitTree(end, visit)
        default: if try self.isNew(end) { try visit(end, .blob) }
        }
    }

    /// Visits a directory with everything below it.
    mutating func visitTree(_ root: ObjectID, _ visit: Visitor) throws(GitReceiverError) {
        guard try self.isNew(root) else { return }
        try visit(root, .tree)
        var pending = [root]
        while let tree = pending.popLast() {
            for entry in try self.entries(of: tree) where try self.isNew(entry.oid) {
                try visit(entry.oid, entry.isDirectory ? .tree : .blob)
                if entry.isDirectory { pending.append(entry.oid) }
            }
        }
    }

    private struct Entry {
        var oid: ObjectID
        var isDirectory: Bool
    }

    private func entries(of tree: ObjectID) throws(GitReceiverError) -> [Entry] {
        // A tree of thousands of entries may have nothing new.
        try self.deadline.check()
        let (seen, includesBlobs) = (self.seen, self.includesBlobs)
        return try self.objects.withObject(tree) { kind, data throws(GitReceiverError) in
            guard kind == .tree else { throw GitReceiverError(.corrupt, "object \(tree) is not a tree") }
            var reader = TreeReader(data, tree: tree)
            var entries: [Entry] = []
            while let entry = try reader.next() {
                guard let target = entry.target, includesBlobs || target == .tree, !seen.contains(entry.oid) else {
                    continue
                }
                entries.append(Entry(oid: entry.oid, isDirectory: target == .tree))
            }
            return entries
        }
    }
}
