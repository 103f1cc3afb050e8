import CLibgit2

/// Names and judges objects as their bytes come to be known.
extension PackReceiver {
    func complete(
        _ index: Int32, _ header: PackEntryHeader, _ data: ObjectBuffer
    ) throws(GitReceiverError) {
        switch header.content {
        case .whole(let kind): try self.resolved(index, kind, data)
        case .place:
            let base = self.entries[Int(index)].base
            if self.entries[Int(base)].number >= 0, let baseData = self.cache[base] {
                try self.apply(data, index, to: baseData, at: base)
            } else {
                self.waitingForPlace[base, default: []].append(index)
                self.deltas.insert(data, at: index)
            }
        case .name(let oid):
            if let base = self.index(of: oid), let baseData = self.cache[base] {
                try self.apply(data, index, to: baseData, at: base)
            } else {
                self.waitingForName[oid, default: []].append(index)
                self.deltas.insert(data, at: index)
            }
        }
    }

    func index(of oid: ObjectID) -> Int32? {
        guard let number = self.judge.table.find(oid), self.judge.table.rows[Int(number)].kind != nil else {
            return nil
        }
        if self.places == nil {
            self.places = [:]
            for (index, entry) in self.entries.enumerated() where entry.number >= 0 {
                self.places?[entry.number] = Int32(index)
            }
        }
        return self.places?[number]
    }

    /// Makes an object of a delta.
    func apply(
        _ delta: ObjectBuffer, _ index: Int32, to data: ObjectBuffer, at base: Int32
    ) throws(GitReceiverError) {
        let parent = self.entries[Int(base)]
        guard parent.depth < Int32(clamping: self.limits.deltaDepth) else {
            throw Self.tooDeep(self.limits)
        }
        self.entries[Int(index)].base = base
        self.entries[Int(index)].depth = parent.depth + 1
        guard let kind = self.judge.table.rows[Int(parent.number)].kind else { throw Self.noBase }
        try self.resolved(
            index, kind, try PackDelta.apply(delta, to: data, limit: self.limits.objectBytes))
    }

    func resolved(_ index: Int32, _ kind: ObjectKind, _ data: ObjectBuffer) throws(GitReceiverError) {
        var oid = git_oid()
        // libgit2's hash looks for collision attacks, and fails on one.
        guard git_odb_hash(&oid, data.pointer, data.count, git_object_t(kind.rawValue)) == 0 else {
            throw GitReceiverError(
                .corrupt, "an object of the pack cannot be hashed, as in a SHA-1 collision attack",
                cause: Libgit2Failure.last(-1))
        }
        let number: Int32
        if let base = self.borrowed.removeValue(forKey: ObjectID(oid)) {
            number = self.entries[Int(base)].number
            self.replaced[base] = index
        } else {
            number = try self.judge.add(ObjectID(oid), kind, data.bytes)
        }
        self.entries[Int(index)].number = number
        self.places?[number] = index
        self.cache.insert(data, at: index)
    }

    static func tooDeep(_ limits: GitServer.Configuration.Limits) -> GitReceiverError {
        GitReceiverError(
            .limitExceeded,
            "the pack has deltas on deltas deeper than \(limits.deltaDepth), the limit of this server; "
                + "run: git repack -adf --depth=50")
    }

    static var noBase: GitReceiverError {
        GitReceiverError(.corrupt, "the pack is damaged: a delta has no base")
    }

    /// The contents of a known object: from memory, or made again from what is.
    func contents(of index: Int32) throws(GitReceiverError) -> ObjectBuffer {
        var chain: [Int32] = []
        var current = index
        while self.cache[current] == nil, self.entries[Int(current)].depth > 0 {
            chain.append(current)
            current = self.entries[Int(current)].base
        }
        var data: ObjectBuffer
        if let cached = self.cache[current] { data = cached } else { data = try self.unpack(current) }
        for index in chain.reversed() {
            data = try PackDelta.apply(self.unpack(index), to: data, limit: self.limits.objectBytes)
            self.cache.insert(data, at: index)
        }
        return data
    }

    /// Reads an entry from the file again.
    func unpack(_ index: Int32) throws(GitReceiverError) -> ObjectBuffer {
        if let delta = self.deltas[index] { return delta }
        let entry = self.entries[Int(index)]
        if entry.offset < 0, let repository = self.repository {
            let oid = self.judge.table.rows[Int(entry.number)].oid
            return try repository.buffer(of: oid, limit: self.limits.objectBytes).data
        }
        try self.inflater.start(size: entry.size)
        var position = entry.offset + entry.header
        while true {
            let count = try self.buffer.withMutableRaw { buffer throws(GitReceiverError) in
                try self.file.read(at: position, into: buffer)
            }
            guard count > 0 else { throw GitReceiverError(.storage, "The pack cannot be read.") }
            position += count
            let (_, done) = try self.buffer.withRaw { buffer throws(GitReceiverError) in
                try self.inflater.feed(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            }
            if let done { return done }
        }
    }
}
