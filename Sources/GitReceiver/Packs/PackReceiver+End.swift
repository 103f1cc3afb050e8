import SystemPackage

/// What is left to do when all bytes of the pack are there.
extension PackReceiver {
    /// Resolves the deltas that wait, adds the bases of a thin pack from the repository, and writes the index. False if
    /// `isOver` stopped it.
    func finish(objects: () throws(GitReceiverError) -> ObjectDatabase, isOver: () -> Bool) throws(GitReceiverError)
        -> Bool
    {
        guard case .trailer = self.state, self.partial.count == 20 else {
            throw GitReceiverError(.corrupt, "the pack is cut off")
        }
        var checksum = self.file.finishDigest()
        guard checksum == self.partial else {
            throw GitReceiverError(.corrupt, "the pack is damaged: its checksum is wrong")
        }
        for base in self.waitingForPlace.keys.sorted() where self.entries[Int(base)].number >= 0 {
            guard try self.settle(base, isOver) else { return false }
        }
        for name in self.waitingForName.keys.sorted() {
            guard let base = self.index(of: name) else { continue }
            guard try self.settle(base, isOver) else { return false }
        }
        let own = self.entries.count
        if !self.waitingForName.isEmpty {
            guard try self.settleThin(try objects(), isOver) else { return false }
        }
        guard self.waitingForName.isEmpty, self.waitingForPlace.isEmpty else { throw Self.noBase }
        if self.entries.count > own {
            guard try self.complete(own: own, isOver) else { return false }
        }
        if self.entries.count > own {
            try self.file.restart(count: self.entries.count, end: self.end)
            checksum = self.file.finishDigest()
            try checksum.withRaw { bytes throws(GitReceiverError) in try self.file.write(bytes) }
        }
        try self.judge.table.checkDepth(limit: self.limits.treeDepth) { () throws(GitReceiverError) in }
        try self.install(checksum)
        return true
    }

    /// Applies all that waits for a known object, directly or not.
    func settle(_ root: Int32, _ isOver: () -> Bool) throws(GitReceiverError) -> Bool {
        var pending = [root]
        while let base = pending.popLast() {
            var children = self.waitingForPlace.removeValue(forKey: base) ?? []
            let oid = self.judge.table.rows[Int(self.entries[Int(base)].number)].oid
            if !self.waitingForName.isEmpty { children += self.waitingForName.removeValue(forKey: oid) ?? [] }
            if children.isEmpty { continue }
            let data = try self.contents(of: base)
            for child in children {
                if isOver() { return false }
                try self.apply(self.unpack(child), child, to: data, at: base)
                pending.append(child)
            }
        }
        return true
    }

    private func install(_ checksum: [UInt8]) throws(GitReceiverError) {
        let rows = self.judge.table.rows
        let index = self.entries
            .map { PackIndexFile.Entry(oid: rows[Int($0.number)].oid, crc: $0.crc.value, offset: $0.offset) }
            .sorted { $0.oid < $1.oid }
        let name = PackIndexFile.name(index)
        try self.file.sync()
        try PackIndexFile.write(index, packChecksum: checksum, to: self.directory.appending(name + ".idx"))
        try Files.rename(self.directory.appending("incoming"), to: self.directory.appending(name + ".pack"))
    }
}
