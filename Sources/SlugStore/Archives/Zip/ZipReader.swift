#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Reads a zip archive that can only be read in one way.
///
/// A zip archive says everything twice: before each entry's content and in the directory at its end. Programs believe one
/// or the other, so an archive can be harmless for the one that checks it and not for the one that uses it. Here both must
/// agree, and entries and directory must cover every byte once: nothing is hidden between, before or after them, and no two
/// entries share a content, which is how the worst bombs are made.
final class ZipReader: ArchiveReader {
    private let file: ZipFile
    private let limits: ArchiveExtractor.Limits
    private var entries: ArraySlice<ZipEntry>
    /// Where the next entry, in the order of the file, or the directory begins, by where an entry does.
    private var ends: [Int64: Int64] = [:]
    private var content: ZipContent?
    private(set) var archiveBytes: Int64 = 0

    init(_ file: ZipFile, limits: ArchiveExtractor.Limits) throws(SlugStoreError) {
        self.file = file
        self.limits = limits
        let end = try ZipEnd(file)
        self.entries = try Self.directory(end, of: file, limits)[...]
        var next = end.directoryOffset
        for entry in self.entries.sorted(by: { $0.offset > $1.offset }) {
            guard self.ends.updateValue(next, forKey: entry.offset) == nil else {
                throw ZipEntry.invalid("\(printable(entry.name)) shares its content with another entry")
            }
            guard entry.offset < next else {
                throw ZipEntry.invalid(
                    "\(printable(entry.name)) begins at byte \(entry.offset), in the archive's directory")
            }
            next = entry.offset
        }
        guard next == 0 else { throw ZipEntry.invalid("something comes before the zip archive") }
    }

    private static func directory(
        _ end: ZipEnd, of file: ZipFile, _ limits: ArchiveExtractor.Limits
    ) throws(SlugStoreError) -> [ZipEntry] {
        guard end.entries <= limits.maxEntries else {
            throw SlugStoreError(
                code: .limitExceeded,
                message: "The archive has \(end.entries) entries; the limit is \(limits.maxEntries).")
        }
        guard end.directoryBytes <= Self.maxDirectoryBytes else {
            throw SlugStoreError(
                code: .limitExceeded,
                message:
                    "The zip archive's directory has \(end.directoryBytes) bytes; the limit is \(Self.maxDirectoryBytes)."
            )
        }
        var rest = try file.read(Int(end.directoryBytes), at: end.directoryOffset, "its directory").bytes
        var entries: [ZipEntry] = []
        for number in 0..<end.entries { entries.append(try ZipEntry(&rest, number: number + 1)) }
        guard rest.isEmpty else {
            throw ZipEntry.invalid("its directory has more than the \(end.entries) entries it says")
        }
        return entries
    }

    /// It is held in memory while the archive is read: some 100 bytes for each entry.
    private static let maxDirectoryBytes: Int64 = 64 << 20

    func next(after last: TreePath?) throws(SlugStoreError) -> ArchiveEntry? {
        guard let entry = self.entries.popFirst() else { return nil }
        var kind = try entry.kind()
        let content = try ZipContent(entry, in: self.file, end: self.ends[entry.offset] ?? 0)
        self.content = content
        if case .symbolicLink = kind {
            guard entry.bytes <= Int64(self.limits.maxPathLength) else {
                throw SlugStoreError(
                    code: .limitExceeded,
                    message: "The link \(printable(entry.name)) leads to a path of \(entry.bytes) bytes; the limit is "
                        + "\(self.limits.maxPathLength).")
            }
            let target = try self.readAll(of: content, Int(entry.bytes))
            guard !target.contains(0) else {
                throw ZipEntry.invalid("the link \(printable(entry.name)) leads to a name with a NUL in it")
            }
            kind = .symbolicLink(target: target)
        } else if case .directory = kind {
            _ = try self.readAll(of: content, 0)
        }
        return ArchiveEntry(
            path: entry.name, kind: kind, bytes: entry.bytes, permissions: entry.mode & 0o7777,
            modified: entry.modified)
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, of path: TreePath) throws(SlugStoreError) -> Int {
        guard let content else { return 0 }
        defer { self.archiveBytes += content.takeConsumed() }
        return try content.read(into: buffer)
    }

    func finish() {
        // What the entries leave of it is its directory.
        self.archiveBytes = self.file.bytes
    }

    private func readAll(of content: ZipContent, _ count: Int) throws(SlugStoreError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count + 1)
        var filled = 0
        while filled < bytes.count {
            let read = try bytes.withMutableBytes { [filled] buffer throws(SlugStoreError) in
                try content.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[filled...]))
            }
            if read == 0 { break }
            filled += read
        }
        self.archiveBytes += content.takeConsumed()
        return Array(bytes[..<filled])
    }
}
