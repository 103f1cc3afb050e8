import SystemPackage

/// What one client wants from one repository. For use within one blocking call.
struct FetchSelection {
    private let repository: Repository
    private let objects: ObjectDatabase
    private let snapshot: RefSnapshot
    private let wants: [ObjectID]
    /// The commits among the wants, tags followed to theirs.
    private let commits: [ObjectID]

    /// Refuses wants that no reference reaches: what was never shown is not given out.
    init(_ repository: Repository, wants: [ObjectID]) throws(GitReceiverError) {
        self.repository = repository
        self.objects = try repository.objects()
        self.snapshot = try repository.snapshot(peeling: true, limit: .max)
        let tips = Set(self.snapshot.refs.flatMap { [$0.oid, $0.peeled ?? $0.oid] })
        var seen: Set<ObjectID> = []
        var unique: [ObjectID] = []
        for want in wants where seen.insert(want).inserted { unique.append(want) }
        self.wants = unique
        var commits: [ObjectID] = []
        for want in unique {
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

    /// Writes the pack to a file without a name, so that a slow client holds neither a thread nor memory.
    func spool(
        common: [ObjectID], includingTags: Bool, directory: FilePath, limit: Int, flag: CancellationFlag
    ) throws(GitReceiverError) -> PackSpool {
        let builder = try PackBuilder(self.repository)
        let bases = try self.commonCommits(common)
        if !self.commits.isEmpty {
            try builder.insert(RevisionWalk(self.repository, from: self.commits, hiding: bases))
        }
        for want in self.wants { try self.insertTagChain(want, builder) }
        if includingTags, self.snapshot.refs.contains(where: { $0.peeled != nil }) {
            let walk = try RevisionWalk(self.repository, from: self.commits, hiding: bases)
            var sent: Set<ObjectID> = []
            while let commit = try walk.next() { sent.insert(commit) }
            for ref in self.snapshot.refs {
                if let peeled = ref.peeled, sent.contains(peeled) { try self.insertTagChain(ref.oid, builder) }
            }
        }
        try flag.check()
        let spool = try PackSpool(in: directory, limit: limit)
        try builder.forEachPiece { piece in !flag.isSet && spool.append(piece) }
        try spool.rewind()
        return spool
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
