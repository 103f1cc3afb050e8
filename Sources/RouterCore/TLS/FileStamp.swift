import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

extension TLSCertificate {
    /// The files a certificate came from, as they were when they were read.
    struct Files: Sendable {
        var chain: FilePath
        var key: FilePath
        var chainStamp: FileStamp
        var keyStamp: FileStamp

        /// Whether one of them has been written or replaced since.
        var haveChanged: Bool {
            FileStamp(of: self.chain) != self.chainStamp || FileStamp(of: self.key) != self.keyStamp
        }
    }
}

/// Tells a file from the same file written anew.
struct FileStamp: Hashable, Sendable {
    private var device: UInt64
    private var inode: UInt64
    private var size: Int64
    private var seconds: Int64
    private var nanoseconds: Int64

    /// The stamp of a file; nil when it is not there.
    init?(of path: FilePath) {
        var status = stat()
        guard path.withPlatformString({ stat($0, &status) }) == 0 else { return nil }
        self.init(status)
    }

    private init(_ status: stat) {
        self.device = UInt64(truncatingIfNeeded: status.st_dev)
        self.inode = UInt64(truncatingIfNeeded: status.st_ino)
        self.size = Int64(status.st_size)
        #if canImport(Darwin)
            self.seconds = Int64(status.st_mtimespec.tv_sec)
            self.nanoseconds = Int64(status.st_mtimespec.tv_nsec)
        #else
            self.seconds = Int64(status.st_mtim.tv_sec)
            self.nanoseconds = Int64(status.st_mtim.tv_nsec)
        #endif
    }

    /// More than any chain of certificates needs.
    private static let maxBytes = 1 << 20

    /// Reads a small file whole, with the stamp it had before the first byte was read.
    static func read(_ path: FilePath) throws(TLSError) -> ([UInt8], FileStamp) {
        do {
            // Not blocking, because somebody may have put a FIFO there.
            let file = try FileDescriptor.open(path, .readOnly, options: [.nonBlocking, .closeOnExec])
            return try file.closeAfter {
                var status = stat()
                guard fstat(file.rawValue, &status) == 0 else { throw Errno(rawValue: errno) }
                guard status.st_mode & S_IFMT == S_IFREG else { throw Errno.invalidArgument }
                guard status.st_size <= Self.maxBytes else { throw Errno.fileTooLarge }
                let bytes = try [UInt8](unsafeUninitializedCapacity: Self.maxBytes + 1) { buffer, count in
                    while count < buffer.count {
                        let space = UnsafeMutableRawBufferPointer(
                            rebasing: UnsafeMutableRawBufferPointer(buffer)[count...])
                        let read = try file.read(into: space)
                        if read == 0 { break }
                        count += read
                    }
                }
                guard bytes.count <= Self.maxBytes else { throw Errno.fileTooLarge }
                return (bytes, FileStamp(status))
            }
        } catch {
            throw TLSError(
                .unreadableFile, "The file '\(path)' cannot be read; it has to be a PEM file of at most 1 MiB.",
                cause: error)
        }
    }
}
