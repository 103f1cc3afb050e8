/// Thin packs: deltas on objects that the repository has and the pack lacks.
extension PackReceiver {
    /// Applies the deltas that wait for names. Which of the names the pack makes known by itself is only seen as it comes
    /// to be known, so the names are gone through until nothing more happens; what is missing then is missing.
    /// False if `isOver` stopped it.
    func settleThin(_ objects: ObjectDatabase, _ isOver: () -> Bool) throws(GitReceiverError) -> Bool {
        self.repository = objects
        while true {
            let waiting = self.waitingForName.keys.sorted()
            guard let first = waiting.first else { return true }
            var hasProgress = false
            for name in waiting where self.waitingForName[name] != nil {
                if isOver() { return false }
                if self.index(of: name) == nil { try self.borrow(name, from: objects) }
                guard let base = self.index(of: name) else { continue }
                guard try self.settle(base, isOver) else { return false }
                hasProgress = true
            }
            guard hasProgress else {
                throw GitReceiverError(.incomplete, "the pack needs the object \(first), which was not sent")
            }
        }
    }

    /// Makes an object of the repository known, if it has it, as an entry that is nowhere in the file yet.
    private func borrow(_ oid: ObjectID, from objects: ObjectDatabase) throws(GitReceiverError) {
        guard try objects.header(of: oid) != nil else { return }
        let (kind, data) = try objects.buffer(of: oid, limit: self.limits.objectBytes)
        self.entries.append(Entry(offset: -1, size: data.count, header: 0))
        let index = Int32(self.entries.count - 1)
        try self.resolved(index, kind, data)
        self.borrowed[oid] = index
    }

    /// Writes the borrowed objects to the end of the pack, without those that the pack has itself, as was seen later.
    /// They count as bytes of the pack. False if `isOver` stopped it.
    func complete(own: Int, _ isOver: () -> Bool) throws(GitReceiverError) -> Bool {
        if !self.replaced.isEmpty { try self.measureDepths(own: own) }
        var added: [Entry] = []
        // The checksum of the pack as it was sent stands at its end.
        if !self.borrowed.isEmpty { try self.file.restart(count: own, end: self.end) }
        for index in self.borrowed.values.sorted() {
            if isOver() { return false }
            var entry = self.entries[Int(index)]
            let data = try self.contents(of: index)
            guard let kind = self.judge.table.rows[Int(entry.number)].kind else { throw Self.noBase }
            let header = PackEntryHeader.encode(.whole(kind), size: data.count)
            (entry.offset, entry.header) = (self.end, header.count)
            try header.withRaw { bytes throws(GitReceiverError) in try self.add(bytes, to: &entry) }
            try data.deflate { bytes throws(GitReceiverError) in try self.add(bytes, to: &entry) }
            added.append(entry)
        }
        self.entries.removeSubrange(own...)
        self.entries += added
        return true
    }

    /// Writes packed bytes of a borrowed object.
    private func add(_ bytes: UnsafeRawBufferPointer, to entry: inout Entry) throws(GitReceiverError) {
        guard self.end + bytes.count <= self.limits.packBytes else {
            throw GitReceiverError(
                .limitExceeded,
                "the pack, with what it builds on, is larger than \(self.limits.packBytes >> 20) MiB, the limit of this "
                    + "server; push fewer commits at once")
        }
        entry.crc.update(bytes)
        try self.file.write(bytes)
        self.end += bytes.count
    }

    /// Where an object of the pack takes the place of a borrowed one, what builds on it is deeper than it seemed, and could
    /// even lead back to itself.
    private func measureDepths(own: Int) throws(GitReceiverError) {
        for index in 0..<own {
            if let base = self.replaced[self.entries[index].base] { self.entries[index].base = base }
        }
        let (unknown, waiting): (Int32, Int32) = (-1, -2)
        var depths = [Int32](repeating: unknown, count: self.entries.count)
        for start in 0..<own {
            var path: [Int] = []
            var current = start
            while depths[current] == unknown {
                depths[current] = waiting
                path.append(current)
                let base = self.entries[current].base
                if base >= 0 { current = Int(base) }
            }
            for index in path.reversed() {
                let base = self.entries[index].base
                guard base >= 0 else {
                    depths[index] = 0
                    continue
                }
                guard depths[Int(base)] >= 0 else { throw Self.noBase }
                depths[index] = depths[Int(base)] + 1
                guard depths[index] <= self.limits.deltaDepth else { throw Self.tooDeep(self.limits) }
            }
        }
    }
}
