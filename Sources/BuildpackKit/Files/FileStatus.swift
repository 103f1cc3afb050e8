import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// What is found at a path, symbolic links not followed.
struct FileStatus {
    enum Kind { case regular, directory, link, other }
    var kind: Kind
    /// The permission bits.
    var mode: FilePermissions
    /// The length in bytes.
    var size: Int64
    /// The bytes that it occupies on disk.
    var diskUsage: Int64
    /// The number of names that a file has.
    var links: UInt64
    /// Which file it is, together with the device.
    var inode: UInt64

    /// The status of `path`, or nil when there is nothing.
    static func of(_ path: FilePath) throws(FileError) -> FileStatus? { try self.of(RawPath(path)) }

    /// The status of `path`, or nil when there is nothing.
    static func of(_ path: RawPath) throws(FileError) -> FileStatus? {
        var status = stat()
        guard path.withCString({ lstat($0, &status) }) == 0 else {
            let error = Errno(rawValue: errno)
            if error == .noSuchFileOrDirectory || error == .notDirectory { return nil }
            throw FileError(operation: "look at", path: path.filePath, errno: error)
        }
        let kind: Kind =
            switch status.st_mode & S_IFMT {
            case S_IFREG: .regular
            case S_IFDIR: .directory
            case S_IFLNK: .link
            default: .other
            }
        return FileStatus(
            kind: kind,
            mode: FilePermissions(rawValue: CInterop.Mode(status.st_mode & 0o7777)),
            size: Int64(status.st_size),
            diskUsage: Int64(status.st_blocks) * 512,
            links: UInt64(status.st_nlink),
            inode: UInt64(status.st_ino))
    }
}
