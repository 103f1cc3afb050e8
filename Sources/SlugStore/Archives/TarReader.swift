import CArchive

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// libarchive, reading tar and nothing else, through no filter but gzip and zstd.
///
/// Create, use and release it on one thread: it sets that thread's locale.
final class TarReader {
    struct Entry {
        enum Kind {
            case file
            case directory
            case symbolicLink(target: [UInt8])
            case hardLink(target: [UInt8])
            case other(String)
        }

        var path: [UInt8]
        var kind: Kind
        var bytes: Int64
        var permissions: mode_t
        var modified: timespec?
    }

    private let archive: OpaquePointer
    private let source: ArchiveSource
    private let locale: locale_t?
    private let previousLocale: locale_t?

    init(_ source: ArchiveSource) throws(SlugStoreError) {
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
        archive_read_support_filter_gzip(archive)
        archive_read_support_filter_zstd(archive)
        // The source outlives the archive, which only `deinit` frees.
        let status = archive_read_open(
            archive, Unmanaged.passUnretained(source).toOpaque(), nil,
            { _, context, place in
                guard let context, let place else { return la_ssize_t(ARCHIVE_FATAL) }
                guard let bytes = Unmanaged<ArchiveSource>.fromOpaque(context).takeUnretainedValue().read() else {
                    return la_ssize_t(ARCHIVE_FATAL)
                }
                place.pointee = bytes.baseAddress
                return la_ssize_t(bytes.count)
            }, nil)
        guard status == ARCHIVE_OK else { throw self.failure("") }
    }

    deinit {
        archive_read_free(self.archive)
        if let locale { uselocale(self.previousLocale); freelocale(locale) }
    }

    /// The next entry; `nil` at the end. `last` is the path of the one before, for messages.
    func next(after last: TreePath?) throws(SlugStoreError) -> Entry? {
        var pointer: OpaquePointer?
        let status = archive_read_next_header(self.archive, &pointer)
        let place = last.map { "after \($0)" } ?? "at its start"
        if status == ARCHIVE_EOF { return nil }
        guard status == ARCHIVE_OK || status == ARCHIVE_WARN, let pointer else { throw self.failure(place) }
        guard let path = Self.bytes(archive_entry_pathname(pointer)) else {
            throw SlugStoreError(
                code: .invalidArchive, message: "The archive has an entry \(place) whose name is not UTF-8.")
        }
        if status == ARCHIVE_WARN, let warning = archive_error_string(self.archive), strstr(warning, "converted") != nil
        {
            throw SlugStoreError(
                code: .invalidArchive,
                message: "The archive has an entry \(place) whose name or link is not UTF-8: \(printable(path)).")
        }
        return Entry(
            path: path, kind: Self.kind(pointer),
            bytes: archive_entry_size_is_set(pointer) != 0 ? archive_entry_size(pointer) : 0,
            permissions: archive_entry_perm(pointer),
            modified: archive_entry_mtime_is_set(pointer) != 0
                ? timespec(tv_sec: archive_entry_mtime(pointer), tv_nsec: archive_entry_mtime_nsec(pointer)) : nil)
    }

    private static func kind(_ entry: OpaquePointer) -> Entry.Kind {
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

    /// The next bytes of the current entry; 0 at its end.
    func read(into buffer: UnsafeMutableRawBufferPointer, of path: TreePath) throws(SlugStoreError) -> Int {
        let count = archive_read_data(self.archive, buffer.baseAddress, buffer.count)
        guard count >= 0 else { throw self.failure("in \(path)") }
        return count
    }

    /// Reads the source to its end.
    func finish() throws(SlugStoreError) {
        try self.source.drain()
        // A compressed archive that is cut off does not get here. A plain one that is cut off between two entries looks
        // complete, except that every writer ends an archive with at least two blocks of zeros.
        guard archive_filter_count(self.archive) > 1 || self.source.trailingZeros >= 512 else {
            throw SlugStoreError(code: .invalidArchive, message: "The archive is cut off: its end mark is missing.")
        }
    }

    private func failure(_ place: String) -> SlugStoreError {
        if let failure = self.source.failure { return failure }
        let reason = archive_error_string(self.archive).map { String(cString: $0) } ?? "it cannot be read"
        return SlugStoreError(
            code: .invalidArchive,
            message: "The archive is damaged or cut off \(place): \(reason). Expected: tar, tar.gz or tar.zst.")
    }
}
