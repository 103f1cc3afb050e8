extension StoredPack {
    /// Unpacks an object, whose entry begins at an offset.
    ///
    /// - Parameters:
    ///   - limit: the most bytes that the object, a base of it or a delta may have.
    ///   - depth: the most deltas to apply, which also ends a circle of them.
    func object(
        at offset: Int, limit: Int, depth: Int
    ) throws(GitReceiverError) -> (kind: ObjectKind, data: ObjectBuffer) {
        var window = PackWindow(self)
        let inflater = try Inflater()
        var deltas: [(position: Int, size: Int)] = []
        var current = offset
        while true {
            let header = try window.header(at: current)
            guard header.size <= limit else { throw .objectTooLarge(header.size, limit: limit) }
            let position = current + header.count
            switch header.content {
            case .whole(let kind):
                var data = try self.unpack(at: position, size: header.size, &window, inflater)
                for delta in deltas.reversed() {
                    data = try PackDelta.apply(
                        self.unpack(at: delta.position, size: delta.size, &window, inflater), to: data, limit: limit)
                }
                return (kind, data)
            case .place(let distance): current -= distance
            case .name(let oid):
                guard let base = self.index.find(oid) else { throw self.damaged("has a delta without a base") }
                current = try self.index.offset(base)
            }
            guard deltas.count < depth else {
                throw GitReceiverError(.limitExceeded, "The pack \(self.name) has deltas deeper than \(depth).")
            }
            deltas.append((position, header.size))
        }
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
