#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A file of a tree while it is read, watched for changes.
struct TreeFile {
    private let path: TreePath
    private let file: Descriptor
    private let before: stat

    /// The size that the file must have when it has been read.
    var bytes: Int64 { Int64(self.before.st_size) }
    var isExecutable: Bool { self.before.st_mode & S_IXUSR != 0 }

    init(_ path: TreePath, in directory: Descriptor) throws(SlugStoreError) {
        self.path = path
        // Without O_NONBLOCK, a file that somebody replaced by a FIFO would hold this thread for ever.
        self.file = try directory.open(path.name, O_RDONLY | O_NONBLOCK, "Opening \(path)")
        self.before = try self.file.status("Looking at \(path)")
        guard self.before.st_mode & S_IFMT == S_IFREG else { throw Self.changed(path) }
    }

    /// Reads on; fewer bytes than fit mean the end.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws(SlugStoreError) -> Int {
        try self.file.read(into: buffer, "Reading \(self.path)")
    }

    /// Throws if the file is not what it was when it was opened, or if `count` bytes are not all of it.
    func finish(bytesRead count: Int64) throws(SlugStoreError) {
        let after = try self.file.status("Looking at \(self.path)")
        guard count == self.bytes, after.st_size == self.before.st_size, after.st_mode == self.before.st_mode,
            Self.isSame(after.modified, self.before.modified), Self.isSame(after.changed, self.before.changed)
        else { throw Self.changed(self.path) }
    }

    private static func isSame(_ lhs: timespec, _ rhs: timespec) -> Bool {
        lhs.tv_sec == rhs.tv_sec && lhs.tv_nsec == rhs.tv_nsec
    }

    private static func changed(_ path: TreePath) -> SlugStoreError {
        SlugStoreError(
            code: .changedWhileReading,
            message: "\(path) changed while it was read. Store the tree when nothing writes to it any more.")
    }
}

extension stat {
    #if canImport(Darwin)
        fileprivate var modified: timespec { self.st_mtimespec }
        fileprivate var changed: timespec { self.st_ctimespec }
    #else
        fileprivate var modified: timespec { self.st_mtim }
        fileprivate var changed: timespec { self.st_ctim }
    #endif
}
