import CArchive

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// libarchive, reading tar and nothing else, through no filter: what is compressed, ``TarSource`` decompresses.
///
/// Create, use and release it on one thread: it sets that thread's locale.
final class TarReader: ArchiveReader {
    private let archive: OpaquePointer
    private let source: TarSource
    private let locale: locale_t?
    private let previousLocale: locale_t?
    private var entries = 0
    /// Whether what ended the archive was a block of zeros, and not that nothing came any more.
    private var hasEndMark = false

    var archiveBytes: Int64 { self.source.archiveBytes }

    init(_ source: TarSource) throws(SlugStoreError) {
        guard let archive = archive_read_new() else {
            throw SlugStoreError(code: .inputOutput, message: "Opening the archive: out of memory.")
        }
        self.archive = archive
        self.source = source
        // In the C locale, libarchive cannot hand out a name that is not ASCII. Changing the process's locale is not for a
        // library to do; this is the thread's alone.
        let utf8 = newlocale(CInt(LC_CTYPE_MASK), "C.UTF-8", nil)
        self.locale = utf8
        self.previousLocale = utf8.map { uselocale($0) } ?? nil
        archive_read_support_format_tar(archive)
        // The source outlives the archive, which only `deinit` frees.
        let status = archive_read_open(
            archive, Unmanaged.passUnretained(source).toOpaque(), nil,
            { _, context, place in
                guard let context, let place else { return la_ssize_t(ARCHIVE_FATAL) }
                guard let bytes = Unmanaged<TarSource>.fromOpaque(context).takeUnretainedValue().read() else {
                    return la_ssize_t(ARCHIVE_FATAL)
                }
                place.pointee = bytes.baseAddress
                return la_ssize_t(bytes.count)
            }, nil)
        guard status == ARCHIVE_OK else { throw self.failure("at its start") }
    }

    deinit {
        archive_read_free(self.archive)
        if let locale { uselocale(self.previousLocale); freelocale(locale) }
    }

    /// How much of the tar bytes was consumed.
    private var position: Int64 { archive_filter_bytes(self.archive, 0) }

    func next(after last: TreePath?) throws(SlugStoreError) -> ArchiveEntry? {
        var pointer: OpaquePointer?
        self.source.beginHeader(at: self.position)
        let status = archive_read_next_header(self.archive, &pointer)
        let start = archive_read_header_position(self.archive)
        let header = self.source.endHeader(from: start, to: self.position)
        self.entries += 1
        let place = last.map { "in entry \(self.entries), after \($0) (byte \(start))" } ?? "at its start"
        // libarchive may be content without the bytes that could not be had: its look beyond a first block of zeros.
        guard self.source.failure == nil, status == ARCHIVE_OK || status == ARCHIVE_WARN || status == ARCHIVE_EOF else {
            throw self.failure(place)
        }
        guard let header else {
            throw SlugStoreError(code: .invalidArchive, message: "The archive has an unreadable header \(place).")
        }
        let before = try TarHeaderCheck(header, place: place).run()
        if status == ARCHIVE_EOF {
            self.hasEndMark = header.count - before >= TarHeader.blockBytes
            return nil
        }
        guard let pointer else { throw self.failure(place) }
        guard let path = Self.bytes(archive_entry_pathname(pointer)) else {
            throw SlugStoreError(
                code: .invalidArchive, message: "The archive has a name that is not UTF-8 \(place).")
        }
        if status == ARCHIVE_WARN, let warning = archive_error_string(self.archive), strstr(warning, "converted") != nil
        {
            throw SlugStoreError(
                code: .invalidArchive,
                message: "The archive has a name or link that is not UTF-8 \(place): \(printable(path)).")
        }
        return ArchiveEntry(
            path: path, kind: Self.kind(pointer),
            bytes: archive_entry_size_is_set(pointer) != 0 ? archive_entry_size(pointer) : 0,
            permissions: archive_entry_perm(pointer),
            modified: archive_entry_mtime_is_set(pointer) != 0
                ? timespec(
                    // What no file system can keep is not worth an error.
                    tv_sec: min(max(archive_entry_mtime(pointer), 0), 253_402_300_799),
                    tv_nsec: min(max(archive_entry_mtime_nsec(pointer), 0), 999_999_999)) : nil)
    }

    private static func kind(_ entry: OpaquePointer) -> ArchiveEntry.Kind {
        if let target = self.bytes(archive_entry_hardlink(entry)) { return .hardLink(target: target) }
        switch archive_entry_filetype(entry) {
        case S_IFREG: return .file
        case S_IFDIR: return .directory
        case S_IFLNK: return .symbolicLink(target: self.bytes(archive_entry_symlink(entry)) ?? [])
        case S_IFIFO: return .other("a FIFO")
        case S_IFSOCK: return .other("a socket")
        case S_IFCHR, S_IFBLK: return .other("a device")
        default: return .other("of an unknown kind")
        }
    }

    private static func bytes(_ string: UnsafePointer<CChar>?) -> [UInt8]? {
        string.map { Array(UnsafeRawBufferPointer(start: $0, count: strlen($0))) }
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, of path: TreePath) throws(SlugStoreError) -> Int {
        let count = archive_read_data(self.archive, buffer.baseAddress, buffer.count)
        guard count >= 0 else { throw self.failure("in \(path)") }
        return count
    }

    func finish() throws(SlugStoreError) {
        // An archive that is cut off between two entries looks complete, but for a block of zeros that every writer ends it
        // with, mostly two.
        let end = self.position
        guard self.hasEndMark else {
            throw SlugStoreError(
                code: .invalidArchive, message: "The archive is cut off at byte \(end): its end mark is missing.")
        }
        try self.source.drain(from: end)
    }

    private func failure(_ place: String) -> SlugStoreError {
        if let failure = self.source.failure { return failure }
        let reason = archive_error_string(self.archive).map { String(cString: $0) } ?? "it cannot be read"
        return SlugStoreError(
            code: .invalidArchive,
            message: "The archive is damaged or cut off \(place): \(reason). Expected: tar, tar.gz, tar.zst or zip.")
    }
}
