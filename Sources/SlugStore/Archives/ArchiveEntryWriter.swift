#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Writes the contents of files as they come out of archives, within limits. Used on one thread.
final class ArchiveEntryWriter {
    private let limits: ArchiveExtractor.Limits
    private let cancellation: Cancellation
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 128 << 10, alignment: 16)
    /// What was written, of all archives together.
    private(set) var bytes: Int64 = 0
    /// What came out of the archive that is read now, written or not.
    private var bytesOfArchive: Int64 = 0

    init(limits: ArchiveExtractor.Limits, cancellation: Cancellation) {
        self.limits = limits
        self.cancellation = cancellation
    }

    deinit { self.buffer.deallocate() }

    /// What comes next is of another archive.
    func beginArchive() { self.bytesOfArchive = 0 }

    /// Writes the current entry of a reader into a new file.
    func write(
        _ entry: ArchiveEntry, to path: TreePath, in directory: Descriptor, from reader: any ArchiveReader
    ) throws(SlugStoreError) {
        // Before anything is written: a sparse file can claim any size at no cost.
        guard entry.bytes <= self.limits.maxBytes - self.bytes else { throw self.tooLarge(path) }
        let mode: mode_t = entry.permissions & S_IXUSR != 0 ? 0o755 : 0o644
        let file = try directory.open(path.name, O_WRONLY | O_CREAT | O_EXCL, mode: mode, "Making the file \(path)")
        var written: Int64 = 0
        while let count = try self.read(path, from: reader) {
            guard Int64(count) <= self.limits.maxBytes - self.bytes else { throw self.tooLarge(path) }
            try file.write(
                UnsafeRawBufferPointer(rebasing: self.buffer[..<count]), at: UInt64(written),
                "Writing the file \(path)")
            written += Int64(count)
            self.bytes += Int64(count)
        }
        // A sparse file may end in a hole, of which libarchive gives no bytes.
        let hole = entry.bytes - written
        guard hole >= 0 else {
            throw ArchiveTree.invalid("The archive has \(path) with more than the \(entry.bytes) bytes that it says.")
        }
        if hole > 0 {
            self.bytes += hole
            self.bytesOfArchive += hole
            try self.limits.checkRatio(self.bytesOfArchive, of: reader.archiveBytes, at: path.description)
            try file.setSize(entry.bytes, "Writing the file \(path)")
        }
        try file.setMode(mode, "Setting the mode of \(path)")
        if let modified = entry.modified { try file.setTime(modified, "Setting the time of \(path)") }
    }

    /// Reads the current entry of a reader to its end, and forgets it.
    func skip(_ entry: ArchiveEntry, _ path: TreePath, from reader: any ArchiveReader) throws(SlugStoreError) {
        // The holes of a sparse file are read as zeros, at whatever size it claims.
        guard entry.bytes <= self.limits.maxBytes else { throw self.tooLarge(path) }
        while try self.read(path, from: reader) != nil {}
    }

    /// Fills the buffer; `nil` at the end of the entry.
    private func read(_ path: TreePath, from reader: any ArchiveReader) throws(SlugStoreError) -> Int? {
        try self.cancellation.check()
        let count = try reader.read(into: self.buffer, of: path)
        if count == 0 { return nil }
        self.bytesOfArchive += Int64(count)
        try self.limits.checkRatio(self.bytesOfArchive, of: reader.archiveBytes, at: path.description)
        return count
    }

    private func tooLarge(_ path: TreePath) -> SlugStoreError {
        SlugStoreError(
            code: .limitExceeded,
            message: "The archive holds more than \(self.limits.maxBytes) bytes, which is the limit, at \(path).")
    }
}
