import SystemPackage

extension PackAssembly {
    /// Writes the pack and its index into a directory; returns their name without suffix. What was written is read again before it counts: each entry's checksum, the pack's, and how many there are.
    mutating func write(
        into directory: FilePath, loose: Loose, deadline: Deadline
    ) throws(GitReceiverError) -> String {
        let path = directory.appending("incoming")
        let file = try PackFile(creating: path)
        while true {
            let piece = try self.next(loose: loose) { () throws(GitReceiverError) in try deadline.check() }
            if piece.isEmpty { break }
            try piece.withRaw { bytes throws(GitReceiverError) in try file.write(bytes) }
        }
        try file.sync()
        let rows = self.contents.objects.indices.map { number in
            PackIndexFile.Entry(
                oid: self.contents.objects[number], crc: self.sums[number].value, offset: self.starts[number])
        }
        .sorted { $0.oid < $1.oid }
        let name = PackIndexFile.name(rows)
        try PackIndexFile.write(rows, packChecksum: self.trailer, to: directory.appending(name + ".idx"))
        try Files.rename(path, to: directory.appending(name + ".pack"))
        let written = try StoredPack(name, in: directory)
        guard written.index.count == self.contents.objects.count else {
            throw GitReceiverError(.storage, "The new pack is not complete; the old ones stay.")
        }
        guard try written.verify(isOver: { deadline.isOver }) else {
            try deadline.check()
            throw deadline.error
        }
        return name
    }
}
