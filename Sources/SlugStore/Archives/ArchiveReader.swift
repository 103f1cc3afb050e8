#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// One entry of an archive, as the archive says it is.
struct ArchiveEntry {
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

/// Reads one format of archives, entry by entry. Used on one thread.
protocol ArchiveReader: AnyObject {
    /// What has been read of the archive so far in bytes, as it came.
    var archiveBytes: Int64 { get }
    /// The next entry; `nil` at the end. `last` is the path of the one before, for messages.
    func next(after last: TreePath?) throws(SlugStoreError) -> ArchiveEntry?
    /// The next bytes of the current entry, which must be read to its end; 0 at the end.
    func read(into buffer: UnsafeMutableRawBufferPointer, of path: TreePath) throws(SlugStoreError) -> Int
    /// Reads what comes after the last entry. Throws unless the archive is complete, and nothing else than complete.
    func finish() throws(SlugStoreError)
}
