import SystemPackage

/// What one client wants from one repository. For use within one blocking call.
struct FetchSelection {
    private let repository: Repository
    private let objects: ObjectDatabase
    private let snapshot: RefSnapshot
    private let wants: [ObjectID]
    /// The commits among the wants, tags followed to theirs.
    private let commits: [ObjectID]
    private let flag: CancellationFlag

    /// Refuses wants that no reference reaches: what was never shown is not given out.
    init(_ repository: Repository, wants: [ObjectID], flag: CancellationFlag) throws(GitReceiverError) {
        self.flag = flag
        self.repository = repository
        self.objects = try repository.objects()
        self.snapshot = try repository.snapshot(peeling: true, limit: .max)
        let tips = Set(self.snapshot.refs.flatMap { [$0.oid, $0.peeled ?? $0.oid] })
        var seen: Set<ObjectID> = []
        var unique: [ObjectID] = []
        for want in wants where seen.insert(want).inserted { unique.append(want) }
        self.wants = unique
        var commits: [ObjectID] = []
        var reachable: Set<ObjectID>?
        for want in unique {
            try flag.check()
            let kind = try self.objects.header(of: want)?.kind
            var allowed = tips.contains(want)
            if !allowed, kind == .commit {
                // A reference may have moved between the advertisement and this request.
                for tip in tips where try self.objects.header(of: tip)?.kind == .commit {
                    if try repository.isDescendant(tip, of: want) {
                        allowed = true
                        break
                    }
                }
            }
            if !allowed, kind == .blob || kind == .tree {
                // A client without all files asks for those that it needs, many at once.
                if reachable == nil {
                    var walk = ObjectWalk(self.objects, limit: .max, flag: flag)
                    for tip in tips { try walk.visit(tip) { (_, _, _) throws(GitReceiverError) in } }
                    reachable = walk.seen
                }
                allowed = reachable?.contains(want) ?? false
            }
            guard allowed, let kind else { throw GitReceiverError(.notFound, "upload-pack: not our ref \(want)") }
            let end = kind == .tag ? try repository.peel(want) : want
            if try self.objects.header(of: end)?.kind == .commit { commits.append(end) }
        }
        self.commits = commits
    }

    func has(_ oid: ObjectID) -> Bool { self.objects.contains(oid) }

    /// Whether each wanted commit has an ancestor among these, so that more haves would not make the pack smaller by much.
    func suffices(_ common: [ObjectID]) throws(GitReceiverError) -> Bool {
        let bases = try self.commonCommits(common)
        for commit in self.commits {
            var found = false
            // The latest haves are the nearest, as clients go back in time.
            for base in bases.suffix(64) where try self.repository.isDescendant(commit, of: base) {
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

    private var history: ShallowHistory {
        let (objects, flag) = (self.objects, self.flag)
        return ShallowHistory { oid throws(GitReceiverError) in
            try flag.check()
            return try objects.commit(oid)
        }
    }

    /// Where the client's history will end.
    func boundary(_ request: ShallowRequest) throws(GitReceiverError) -> ShallowBoundary {
        if request.isEmpty { return ShallowBoundary() }
        var known = request
        known.present = try request.present.filterThrowing { oid throws(GitReceiverError) in
            try self.objects.header(of: oid)?.kind == .commit
        }
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
            known, wants: self.commits, excluded: try self.commonCommits(excluded))
    }

    /// Writes the pack to a file without a name, so that a slow client holds neither a thread nor memory.
    func spool(
        _ request: FetchRequest, common: [ObjectID], boundary: ShallowBoundary, directory: FilePath,
        limits: GitServer.Configuration.Limits
    ) throws(GitReceiverError) -> PackSpool {
        let builder = try PackBuilder(self.repository)
        let bases = try self.commonCommits(common)
        var sent: Set<ObjectID> = []
        if !request.shallow.isEmpty || request.omitsBlobs {
            sent = try self.insertPart(request, bases, boundary, builder)
        } else if !self.commits.isEmpty {
            try builder.insert(RevisionWalk(self.repository, from: self.commits, hiding: bases))
        }
        for want in self.wants { try self.insertTagChain(want, builder) }
        if request.includesTags, self.snapshot.refs.contains(where: { $0.peeled != nil }) {
            if sent.isEmpty {
                let walk = try RevisionWalk(self.repository, from: self.commits, hiding: bases)
                while let commit = try walk.next() { sent.insert(commit) }
            }
            for ref in self.snapshot.refs {
                if let peeled = ref.peeled, sent.contains(peeled) { try self.insertTagChain(ref.oid, builder) }
            }
        }
        try self.flag.check()
        let (flag, spool) = (self.flag, try PackSpool(in: directory, limit: limits.fetchBytes))
        try builder.forEachPiece { piece in !flag.isSet && spool.append(piece) }
        try spool.rewind()
        return spool
    }

    /// Adds a part of the history, or all of it without its files; returns the commits that were added.
    private func insertPart(
        _ request: FetchRequest, _ bases: [ObjectID], _ boundary: ShallowBoundary, _ builder: PackBuilder
    ) throws(GitReceiverError) -> Set<ObjectID> {
        let old = try request.shallow.present.filterThrowing { oid throws(GitReceiverError) in
            try self.objects.header(of: oid)?.kind == .commit
        }
        let missing = try self.history.missing(
            wants: self.commits, common: bases, old: old, boundary: boundary)
        var walk = ObjectWalk(self.objects, includesBlobs: !request.omitsBlobs, limit: .max, flag: self.flag)
        for tree in missing.knownTrees { try walk.visitTree(tree) { (_, _, _) throws(GitReceiverError) in } }
        for commit in missing.commits {
            try walk.visitCommit(commit.oid, tree: commit.tree) { oid, _, name throws(GitReceiverError) in
                try builder.insert(oid, name: name)
            }
        }
        return Set(missing.commits.map(\.oid))
    }

    /// Adds a tag with the tags it points at, and a tree or blob that is wanted by itself. Commits come from the walk.
    private func insertTagChain(_ oid: ObjectID, _ builder: PackBuilder) throws(GitReceiverError) {
        var next: ObjectID? = oid
        while let current = next {
            next = nil
            switch try self.objects.header(of: current)?.kind {
            case .tag:
                try builder.insert(current)
                next = try self.objects.withObject(current) { _, data throws(GitReceiverError) in
                    var header = ObjectHeader(data)
                    return header.oid("object")
                }
            case .tree, .blob: try builder.insertAll(below: current)
            default: break
            }
        }
    }
}

extension Set<ObjectID> {
    /// `filter` for a question that may fail in this module's way.
    func filterThrowing(
        _ isIncluded: (ObjectID) throws(GitReceiverError) -> Bool
    ) throws(GitReceiverError) -> Set<ObjectID> {
        var result: Set<ObjectID> = []
        for oid in self where try isIncluded(oid) { result.insert(oid) }
        return result
    }
}
