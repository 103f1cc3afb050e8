/// What a walk needs of a commit.
struct CommitHeader: Hashable, Sendable {
    var tree: ObjectID
    var parents: [ObjectID]
    /// When it was committed, in seconds since 1970; 0 if that is not said in a way that can be read.
    var time: Int

    init?(_ data: UnsafeRawBufferPointer) {
        var header = ObjectHeader(data)
        guard let tree = header.oid("tree") else { return nil }
        self.tree = tree
        self.parents = []
        while let parent = header.oid("parent") { self.parents.append(parent) }
        _ = header.text("author")
        let fields = header.text("committer")?.split(separator: " ").suffix(2)
        self.time = fields?.first.flatMap { Int($0) } ?? 0
    }
}

extension ObjectDatabase {
    /// Reads a commit.
    func commit(_ oid: ObjectID) throws(GitReceiverError) -> CommitHeader {
        try self.withObject(oid) { kind, data throws(GitReceiverError) in
            guard kind == .commit, let header = CommitHeader(data) else {
                throw GitReceiverError(.corrupt, "object \(oid) is not a commit")
            }
            return header
        }
    }

    /// The objects that an object names; none for one that is not there.
    func references(of oid: ObjectID) throws(GitReceiverError) -> [ObjectID] {
        guard let kind = try self.header(of: oid)?.kind, kind != .blob else { return [] }
        if kind == .commit {
            let commit = try self.commit(oid)
            return [commit.tree] + commit.parents
        }
        return try self.withObject(oid) { kind, data throws(GitReceiverError) in
            if kind == .tag {
                var header = ObjectHeader(data)
                return header.oid("object").map { [$0] } ?? []
            }
            var reader = TreeReader(data, tree: oid)
            var names: [ObjectID] = []
            while let entry = try reader.next() { if entry.target != nil { names.append(entry.oid) } }
            return names
        }
    }

    /// The tags from `oid` to what they point at in the end, which is the last; just that if it is no tag. The end is one
    /// more tag if there are more than `limit`.
    func tagChain(
        _ oid: ObjectID, limit: Int = .max
    ) throws(GitReceiverError) -> (tags: [ObjectID], end: ObjectID, kind: ObjectKind) {
        var tags: [ObjectID] = []
        var current = oid
        while true {
            guard let kind = try self.header(of: current)?.kind else {
                throw GitReceiverError(.notFound, "object \(current) is missing")
            }
            guard kind == .tag, tags.count < limit else { return (tags, current, kind) }
            tags.append(current)
            let name = current
            current = try self.withObject(name) { _, data throws(GitReceiverError) in
                var header = ObjectHeader(data)
                guard let object = header.oid("object") else {
                    throw GitReceiverError(.corrupt, "tag \(name) is malformed")
                }
                return object
            }
        }
    }
}
