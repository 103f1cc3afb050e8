/// Cuts histories: decides where one ends and which commits are sent. Pure but for reading commits.
struct ShallowHistory {
    let commit: (ObjectID) throws(GitReceiverError) -> CommitHeader

    /// Where the history of a client ends after a fetch.
    ///
    /// - Parameters:
    ///   - wants: the wanted commits.
    ///   - tips: all commits that references name: a client that goes deeper from where its history ends does not want
    ///     those again that it has.
    ///   - excluded: the commits that the references of `deepen-not` name.
    func boundary(
        _ request: ShallowRequest, wants: [ObjectID], tips: [ObjectID], excluded: [ObjectID]
    ) throws(GitReceiverError) -> ShallowBoundary {
        guard request.isDeepening else { return ShallowBoundary(present: request.present) }
        if request.depth == ShallowRequest.unlimited {
            return ShallowBoundary(removed: request.present.sorted(), present: [])
        }
        let (inner, ends): (Set<ObjectID>, Set<ObjectID>)
        if let depth = request.depth {
            if request.isRelative {
                let reachable = try self.closure(of: wants + tips)
                let starts = request.present.filter(reachable.contains).sorted()
                (inner, ends) = try self.levels(from: starts, depth: depth + 1)
            } else {
                (inner, ends) = try self.levels(from: wants, depth: depth)
            }
        } else {
            (inner, ends) = try self.newer(than: request.since, without: excluded, from: wants)
        }
        let removed = request.present.intersection(inner).subtracting(ends)
        return ShallowBoundary(
            added: ends.subtracting(request.present).sorted(), removed: removed.sorted(),
            present: request.present.subtracting(removed).union(ends))
    }

    /// All commits up to a depth, and those of them whose parents lie deeper.
    private func levels(
        from starts: [ObjectID], depth: Int
    ) throws(GitReceiverError) -> (inner: Set<ObjectID>, ends: Set<ObjectID>) {
        var (inner, ends): (Set<ObjectID>, Set<ObjectID>) = ([], [])
        var level = starts
        var left = depth
        while !level.isEmpty, left > 0 {
            left -= 1
            var next: [ObjectID] = []
            for oid in level where inner.insert(oid).inserted {
                let parents = try self.commit(oid).parents
                if left == 0, !parents.isEmpty { ends.insert(oid) }
                next += parents
            }
            level = next
        }
        return (inner, ends)
    }

    /// The commits that are new enough and not excluded, and those of them that have a parent which is not.
    private func newer(
        than time: Int?, without excluded: [ObjectID], from wants: [ObjectID]
    ) throws(GitReceiverError) -> (inner: Set<ObjectID>, ends: Set<ObjectID>) {
        let outside = try self.closure(of: excluded)
        var parents: [ObjectID: [ObjectID]] = [:]
        var pending = wants
        while let oid = pending.popLast() {
            guard parents[oid] == nil, !outside.contains(oid) else { continue }
            let commit = try self.commit(oid)
            if let time, commit.time < time { continue }
            parents[oid] = commit.parents
            pending += commit.parents
        }
        guard !parents.isEmpty else {
            throw GitReceiverError(.notFound, "no commits selected for shallow requests")
        }
        let ends = Set(parents.filter { $0.value.contains { parents[$0] == nil } }.keys)
        // What lies behind an end is not sent: a client that was told where that ends would miss it later.
        var inner: Set<ObjectID> = []
        pending = wants
        while let oid = pending.popLast() {
            guard let next = parents[oid], inner.insert(oid).inserted, !ends.contains(oid) else { continue }
            pending += next
        }
        return (inner, ends.intersection(inner))
    }

    /// Commits with their ancestors; those of `ends` are the last.
    func closure(of starts: [ObjectID], ends: Set<ObjectID> = []) throws(GitReceiverError) -> Set<ObjectID> {
        var found: Set<ObjectID> = []
        var pending = starts
        while let oid = pending.popLast() {
            guard found.insert(oid).inserted, !ends.contains(oid) else { continue }
            pending += try self.commit(oid).parents
        }
        return found
    }

    /// What a client lacks: the commits to send, and the trees of commits next to them that it has.
    struct Missing {
        var commits: [(oid: ObjectID, tree: ObjectID)] = []
        var knownTrees: [ObjectID] = []
    }

    /// - Parameters:
    ///   - wants: the wanted commits.
    ///   - common: commits that both sides have; the client has their ancestors as well, down to where its history ends.
    ///   - old: where that is, of the commits that the repository has.
    ///   - boundary: where it ends afterwards.
    func missing(
        wants: [ObjectID], common: [ObjectID], old: Set<ObjectID>, boundary: ShallowBoundary
    ) throws(GitReceiverError) -> Missing {
        // An end that nothing common leads to may be one that the client has kept the name of and nothing else.
        let has = try self.closure(of: common, ends: old)
        var missing = Missing()
        var edges: Set<ObjectID> = []
        var seen: Set<ObjectID> = []
        var pending = wants
        // What the client has is closed but for where its history ended: nothing else leads out of it.
        for oid in boundary.removed where old.contains(oid) { pending += try self.commit(oid).parents }
        while let oid = pending.popLast() {
            guard seen.insert(oid).inserted else { continue }
            if has.contains(oid) {
                edges.insert(oid)
                continue
            }
            let commit = try self.commit(oid)
            missing.commits.append((oid, commit.tree))
            if !boundary.present.contains(oid) { pending += commit.parents }
        }
        // The newest that the client has are enough; older ones would cost more to read than they save.
        for oid in edges.union(has.intersection(boundary.removed)).sorted().prefix(256) {
            missing.knownTrees.append(try self.commit(oid).tree)
        }
        return missing
    }
}
