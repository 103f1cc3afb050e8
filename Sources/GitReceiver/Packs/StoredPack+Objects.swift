extension StoredPack {
    /// Unpacks an object, whose entry begins at an offset. There is no limit of its own for what is stored already: limits
    /// that are lower now than they were when it was received make nothing unreadable.
    ///
    /// - Parameters:
    ///   - bases: what was unpacked before; the object on which this one builds is added.
    ///   - check: asked before each delta is applied.
    func object(
        at offset: Int, bases: inout BaseCache, check: () throws(GitReceiverError) -> Void
    ) throws(GitReceiverError) -> (kind: ObjectKind, data: ObjectBuffer) {
        var window = PackWindow(self)
        let inflater = try Inflater()
        var deltas: [(offset: Int, position: Int, size: Int)] = []
        var current = offset
        while true {
            if let (kind, base) = bases.find(self, current) {
                return (kind, try self.apply(deltas, to: base, kind, at: current, &window, inflater, &bases, check))
            }
            let header = try window.header(at: current)
            let (entry, position) = (current, current + header.count)
            switch header.content {
            case .whole(let kind):
                let base = try self.unpack(at: position, size: header.size, &window, inflater)
                return (kind, try self.apply(deltas, to: base, kind, at: current, &window, inflater, &bases, check))
            case .place(let distance): current -= distance
            case .name(let oid):
                guard let base = self.index.find(oid) else { throw self.damaged("has a delta without a base") }
                current = try self.index.offset(base)
            }
            // More deltas than there are objects: a circle.
            guard deltas.count < self.index.count else { throw self.damaged("has deltas that lead in a circle") }
            deltas.append((entry, position, header.size))
        }
    }

    /// Applies deltas, the last first, to an object whose entry begins at an offset.
    private func apply(
        _ deltas: [(offset: Int, position: Int, size: Int)], to base: ObjectBuffer, _ kind: ObjectKind, at offset: Int,
        _ window: inout PackWindow, _ inflater: Inflater, _ bases: inout BaseCache,
        _ check: () throws(GitReceiverError) -> Void
    ) throws(GitReceiverError) -> ObjectBuffer {
        var (data, offset) = (base, offset)
        for (place, delta) in deltas.enumerated().reversed() {
            try check()
            if place == 0 { bases.insert(self, offset, kind, data) }
            data = try PackDelta.apply(
                self.unpack(at: delta.position, size: delta.size, &window, inflater), to: data, limit: .max)
            offset = delta.offset
        }
        return data
    }

    private func unpack(
        at start: Int, size: Int, _ window: inout PackWindow, _ inflater: Inflater
    ) throws(GitReceiverError) -> ObjectBuffer {
        try inflater.start(size: size)
        var position = start
        while true {
            let (used, done) = try window.withBytes(
                at: position, least: 1, wanted: min(max(size / 2, 1 << 10), 1 << 16)
            ) { bytes throws(GitReceiverError) in
                try inflater.feed(bytes)
            }
            if let done { return done }
            guard used > 0 else { throw self.damaged("has an object that does not end") }
            position += used
        }
    }

    /// Reads the pack from its first to its last byte: the checksum of the whole and that of each entry have to be right, and
    /// the entries follow each other without a gap. False if `isOver` stopped it.
    func verify(isOver: () -> Bool) throws(GitReceiverError) -> Bool {
        var entries: [(offset: Int, crc: UInt32)] = []
        entries.reserveCapacity(self.index.count)
        for row in 0..<self.index.count { entries.append((try self.index.offset(row), self.index.crc(row))) }
        entries.sort { $0.offset < $1.offset }
        guard entries.first?.offset ?? self.end == PackHeader.size else { throw self.damaged("has a gap") }
        var (checksum, buffer) = (StreamChecksum(), [UInt8](repeating: 0, count: 1 << 18))
        var (position, next, crc) = (0, 0, CRC32())
        while position < self.end {
            if isOver() { return false }
            let count = min(buffer.count, self.end - position)
            try buffer.withMutableRaw { buffer throws(GitReceiverError) in
                let bytes = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
                try self.fill(bytes, from: position)
                checksum.update(UnsafeRawBufferPointer(bytes))
                var from = max(position, PackHeader.size)
                while from < position + count, next < entries.count {
                    let end = next + 1 < entries.count ? entries[next + 1].offset : self.end
                    let stop = min(end, position + count)
                    guard stop > from else { throw self.damaged("has two objects in one place") }
                    crc.update(UnsafeRawBufferPointer(rebasing: bytes[from - position..<stop - position]))
                    from = stop
                    guard stop == end else { break }
                    guard crc.value == entries[next].crc else { throw self.damaged("has a damaged object") }
                    (next, crc) = (next + 1, CRC32())
                }
            }
            position += count
        }
        guard checksum.finish() == self.index.packChecksum, next == entries.count else {
            throw self.damaged("has a wrong checksum")
        }
        return true
    }
}
