/// What one client wants from one repository. For use within one blocking call.
struct FetchSelection {
    private let repository: Repository
    private let objects: ObjectDatabase
    private let snapshot: RefSnapshot
    private let wants: [ObjectID]
    /// The commits among the wants, tags followed to theirs.
    private var commits: [ObjectID]
    private let limit: Int
    private let deadline: Deadline

    /// Refuses wants that no reference reaches: what was never shown is not given out.
    ///
    /// - Parameters:
    ///   - limit: the most objects that may be looked at.
    ///   - deadline: when this and all that follows has to be done.
    init(
        _ repository: Repository, wants: [ObjectID], limit: Int, deadline: Deadline
    ) throws(GitReceiverError) {
        self.limit = limit
        self.deadline = deadline
        self.repository = repository
        self.objects = try repository.objects()
        self.snapshot = try repository.snapshot(peeling: true, limit: .max)
        var seen: Set<ObjectID> = []
        self.wants = wants.filter { seen.insert($0).inserted }
        self.commits = []
        try self.refuseHidden()
        for want in self.wants {
            try deadline.check()
            let chain = try self.objects.tagChain(want)
            if chain.kind == .commit { self.commits.append(chain.end) }
        }
    }

    private func refuseHidden() throws(GitReceiverError) {
        let tips = Set(self.snapshot.refs.flatMap { [$0.oid, $0.peeled ?? $0.oid] })
        // A reference may have moved between the advertisement and this request.
        var commits: Set<ObjectID> = []
        // A client without all files asks for those that it needs, many at once.
        var others: Set<ObjectID> = []
        for want in self.wants where !tips.contains(want) {
            try self.deadline.check()
            switch try self.objects.header(of: want)?.kind {
            case .commit: commits.insert(want)
            case .tree, .blob: others.insert(want)
            default: throw Self.hidden(want)
            }
        }
        if !commits.isEmpty { try self.walkCommits(from: tips, until: &commits) }
        if !others.isEmpty, commits.isEmpty {
            var walk = ObjectWalk(self.objects, limit: self.limit, deadline: self.deadline)
            for tip in tips { try walk.visit(tip) { (_, _) throws(GitReceiverError) in } }
            others.subtract(walk.seen)
        }
        if let want = self.wants.first(where: { commits.contains($0) || others.contains($0) }) {
            throw Self.hidden(want)
        }
    }

    /// Removes what the tips reach. One walk for all that are sought, however many tips there are; it ends with the last.
    private func walkCommits(
        from tips: Set<ObjectID>, until sought: inout Set<ObjectID>
    ) throws(GitReceiverError) {
        var seen: Set<ObjectID> = []
        var pending: [ObjectID] = []
        for tip in tips where try self.objects.header(of: tip)?.kind == .commit { pending.append(tip) }
        while !sought.isEmpty, let oid = pending.popLast() {
            guard seen.insert(oid).inserted else { continue }
            guard seen.count <= self.limit else {
                throw GitReceiverError(.limitExceeded, "The repository has more than \(self.limit) commits.")
            }
            try self.deadline.check()
            sought.remove(oid)
            pending += try self.objects.commit(oid).parents
        }
    }

    private static func hidden(_ want: ObjectID) -> GitReceiverError {
        GitReceiverError(.notFound, "upload-pack: not our ref \(want)")
    }

    func has(_ oid: ObjectID) -> Bool { self.objects.contains(oid) }

    /// Whether each wanted commit has an ancestor among these, so that more haves would not make the pack smaller by much.
    func suffices(_ common: [ObjectID]) throws(GitReceiverError) -> Bool {
        let bases = try self.commonCommits(common)
        for commit in self.commits {
            var found = false
            // The latest haves are the nearest, as clients go back in time.
            for base in bases.suffix(64) {
                try self.deadline.check()
                guard try self.repository.isDescendant(commit, of: base) else { continue }
                found = true
                break
            }
            guard found else { return false }
        }
        return true
    }

    private func commonCommits(_ common: [ObjectID]) throws(GitReceiverError) -> [ObjectID] {
        var commits: [ObjectID] = []
        for oid in common {
            try self.deadline.check()
            switch try self.objects.header(of: oid)?.kind {
            case .commit: commits.append(oid)
            case .tag:
                let end = try self.repository.peel(oid)
                if try self.objects.header(of: end)?.kind == .commit { commits.append(end) }
            default: break
            }
        }
        return commits
    }

    /// Those that the repository has and that are commits. Of those that it has not there may be any number, each of
    /// which ``ObjectDatabase/header(of:)`` would look for in the directory.
    private func knownCommits(of oids: Set<ObjectID>) throws(GitReceiverError) -> Set<ObjectID> {
        var known: Set<ObjectID> = []
        for oid in oids {
            try self.deadline.check()
            if self.has(oid), try self.objects.header(of: oid)?.kind == .commit { known.insert(oid) }
        }
        return known
    }

    private var history: ShallowHistory {
        let (objects, deadline) = (self.objects, self.deadline)
        return ShallowHistory { oid throws(GitReceiverError) in
            try deadline.check()
            return try objects.commit(oid)
        }
    }

    /// Where the client's history will end.
    func boundary(_ request: ShallowRequest) throws(GitReceiverError) -> ShallowBoundary {
        if request.isEmpty { return ShallowBoundary() }
        var known = request
        known.present = try self.knownCommits(of: request.present)
        var excluded: [ObjectID] = []
        for name in request.excluded {
            let candidates = [name, "refs/\(name)", "refs/tags/\(name)", "refs/heads/\(name)"]
            guard let ref = self.snapshot.refs.first(where: { candidates.contains($0.name) }) else {
                throw GitReceiverError(
                    .notFound,
                    "git upload-pack: deepen-not is not a ref: \(ReceiveReport.line(String(name.prefix(100))))")
            }
            excluded.append(ref.peeled ?? ref.oid)
        }
        return try self.history.boundary(
            known, wants: self.commits,
            tips: try known.isRelative ? self.commonCommits(self.snapshot.refs.map { $0.peeled ?? $0.oid }) : [],
            excluded: try self.commonCommits(excluded))
    }

    /// What the client lacks, and what it has that deltas may build on.
    struct Missing {
        fileprivate(set) var objects: [ObjectID] = []
        fileprivate(set) var held: Set<ObjectID> = []
        private var seen: Set<ObjectID> = []

        fileprivate mutating func add(_ oid: ObjectID) {
            if self.seen.insert(oid).inserted { self.objects.append(oid) }
        }

        fileprivate func contains(_ oid: ObjectID) -> Bool { self.seen.contains(oid) }
    }

    /// Lists the objects of the pack.
    func missing(
        _ request: FetchRequest, common: [ObjectID], boundary: ShallowBoundary
    ) throws(GitReceiverError) -> Missing {
        let bases = try self.commonCommits(common)
        var missing = Missing()
        var walk = ObjectWalk(
            self.objects, includesBlobs: !request.omitsBlobs, limit: self.limit, deadline: self.deadline)
        if bases.isEmpty, request.shallow.isEmpty {
            for commit in self.commits {
                try walk.visitHistory(of: commit) { oid, _ throws(GitReceiverError) in missing.add(oid) }
            }
        } else {
            let part = try self.part(request, bases, boundary)
            for tree in part.knownTrees { try walk.visitTree(tree) { (_, _) throws(GitReceiverError) in } }
            if request.capabilities.has("thin-pack") { missing.held = walk.seen }
            for commit in part.commits {
                try walk.visitCommit(commit.oid, tree: commit.tree) { oid, _ throws(GitReceiverError) in
                    missing.add(oid)
                }
            }
        }
        // One walk for all of them: trees that share most of what is below them are read once.
        var others = ObjectWalk(self.objects, limit: self.limit, deadline: self.deadline)
        for want in self.wants { try self.addTagChain(want, to: &missing, &others) }
        if request.includesTags {
            for ref in self.snapshot.refs {
                if let peeled = ref.peeled, missing.contains(peeled) {
                    try self.addTagChain(ref.oid, to: &missing, &others)
                }
            }
        }
        return missing
    }

    /// The commits to send, and the trees next to them that the client has.
    private func part(
        _ request: FetchRequest, _ bases: [ObjectID], _ boundary: ShallowBoundary
    ) throws(GitReceiverError) -> ShallowHistory.Missing {
        guard request.shallow.isEmpty else {
            let old = try self.knownCommits(of: request.shallow.present)
            return try self.history.missing(wants: self.commits, common: bases, old: old, boundary: boundary)
        }
        // libgit2 stops where both histories have met, without reading what lies below.
        var part = ShallowHistory.Missing()
        guard !self.commits.isEmpty else { return part }
        var sent: Set<ObjectID> = []
        var parents: [ObjectID] = []
        let walk = try RevisionWalk(self.repository, from: self.commits, hiding: bases)
        while let oid = try walk.next() {
            try self.deadline.check()
            let commit = try self.objects.commit(oid)
            part.commits.append((oid, commit.tree))
            sent.insert(oid)
            parents += commit.parents
        }
        // A parent that is not sent is one that the client has. The newest are enough: more cost more to read than they
        // save.
        var edges: Set<ObjectID> = []
        for parent in parents where edges.count < 256 && !sent.contains(parent) && edges.insert(parent).inserted {
            part.knownTrees.append(try self.objects.commit(parent).tree)
        }
        return part
    }

    /// Adds a tag with the tags it points at, and a tree or blob that is wanted by itself. Commits come from the walk.
    private func addTagChain(
        _ oid: ObjectID, to missing: inout Missing, _ walk: inout ObjectWalk
    ) throws(GitReceiverError) {
        try self.deadline.check()
        let (tags, end, kind) = try self.objects.tagChain(oid)
        for tag in tags { missing.add(tag) }
        guard kind == .tree || kind == .blob else { return }
        try walk.visit(end) { oid, _ throws(GitReceiverError) in missing.add(oid) }
    }
}
