import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// `FileTree` has a function of this name itself.
private let cUnlink: @Sendable (UnsafePointer<CChar>) -> CInt = { unlink($0) }

/// File operations on whole trees; `@concurrent` where they may take long.
enum FileTree {
    /// Creates a directory and those above it.
    static func createDirectory(_ path: FilePath) throws(FileError) {
        if mkdir(path.string, 0o755) == 0 { return }
        var error = Errno(rawValue: errno)
        if error == .noSuchFileOrDirectory, let parent = path.removingLastComponentIfAny {
            try self.createDirectory(parent)
            if mkdir(path.string, 0o755) == 0 { return }
            error = Errno(rawValue: errno)
        }
        var status = stat()
        if error == .fileExists, stat(path.string, &status) == 0, status.st_mode & S_IFMT == S_IFDIR { return }
        throw FileError(operation: "create directory", path: path, errno: error)
    }

    /// Creates a directory of which nobody else knows the name, for its owner alone.
    static func createTemporaryDirectory(in parent: FilePath, prefix: String) throws(FileError) -> FilePath {
        try self.createDirectory(parent)
        var template = Array(parent.appending("\(prefix)XXXXXX").string.utf8CString)
        guard let made = mkdtemp(&template) else {
            throw FileError(operation: "create a directory in", path: parent, errno: Errno(rawValue: errno))
        }
        return FilePath(platformString: made)
    }

    /// Removes whatever is at `path`; nothing there is fine.
    @concurrent
    static func remove(_ path: FilePath) async throws {
        let path = RawPath(path)
        guard let status = try FileStatus.of(path) else { return }
        guard status.kind == .directory else { return try self.unlinkRaw(path) }
        path.withCString { _ = chmod($0, 0o700) }
        var directories = [path]
        var pending = [path]
        // No walk, which ends when the task is cancelled: a cancelled build must still be able to clean up.
        while let directory = pending.popLast() {
            for name in try DirectoryWalk.names(in: directory) {
                let path = directory.appending(name)
                guard let status = try FileStatus.of(path) else { continue }
                if status.kind == .directory {
                    path.withCString { _ = chmod($0, 0o700) }
                    directories.append(path)
                    pending.append(path)
                } else {
                    try self.unlinkRaw(path)
                }
            }
        }
        for directory in directories.reversed() where directory.withCString({ rmdir($0) }) != 0 {
            throw FileError(operation: "remove", path: directory.filePath, errno: Errno(rawValue: errno))
        }
    }

    static func unlinkFile(_ path: FilePath) throws(FileError) { try self.unlinkRaw(RawPath(path)) }

    private static func unlinkRaw(_ path: RawPath) throws(FileError) {
        guard path.withCString(cUnlink) == 0 || errno == ENOENT else {
            throw FileError(operation: "remove", path: path.filePath, errno: Errno(rawValue: errno))
        }
    }

    /// Renames, replacing a file but not a directory that is not empty.
    static func move(_ from: FilePath, to: FilePath) throws(FileError) {
        guard rename(from.string, to.string) == 0 else {
            throw FileError(operation: "move \(from) to", path: to, errno: Errno(rawValue: errno))
        }
    }

    /// Writes a new file, replacing what has its name and never following a link that has it.
    static func write(
        _ text: String, to path: FilePath, mode: FilePermissions = [.ownerReadWrite, .groupRead, .otherRead]
    )
        throws(FileError)
    {
        try self.unlinkFile(path)
        do {
            let file = try FileDescriptor.open(
                path, .writeOnly, options: [.create, .exclusiveCreate, .noFollow, .closeOnExec], permissions: mode)
            try file.closeAfter { _ = try file.writeAll(text.utf8) }
        } catch {
            throw FileError(operation: "write", path: path, errno: error as? Errno ?? .ioError)
        }
        chmod(path.string, mode.rawValue)
    }

    /// Reads a file that must be a regular one and not longer than `limit` bytes; nil when there is none.
    static func read(_ path: FilePath, limit: Int) throws(FileError) -> [UInt8]? {
        let file: FileDescriptor
        do {
            // Not blocking, because somebody may have put a named pipe there.
            file = try FileDescriptor.open(path, .readOnly, options: [.closeOnExec, .nonBlocking])
        } catch {
            if error as? Errno == .noSuchFileOrDirectory || error as? Errno == .notDirectory { return nil }
            throw FileError(operation: "read", path: path, errno: error as? Errno ?? .ioError)
        }
        defer { try? file.close() }
        var status = stat()
        guard fstat(file.rawValue, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw FileError(operation: "read", path: path, errno: .invalidArgument)
        }
        guard status.st_size <= limit else {
            throw FileError(operation: "read", path: path, errno: .fileTooLarge)
        }
        var bytes: [UInt8] = []
        do {
            var buffer = [UInt8](repeating: 0, count: 64 * 1024)
            while bytes.count <= limit {
                let count = try buffer.withUnsafeMutableBytes { try file.read(into: $0) }
                if count == 0 { return bytes }
                bytes += buffer[..<count]
            }
        } catch {
            throw FileError(operation: "read", path: path, errno: error as? Errno ?? .ioError)
        }
        throw FileError(operation: "read", path: path, errno: .fileTooLarge)
    }

    /// The path with every symbolic link resolved; nil when there is nothing.
    static func resolved(_ path: FilePath) -> FilePath? {
        guard let real = realpath(path.string, nil) else { return nil }
        defer { free(real) }
        return FilePath(platformString: real)
    }

    /// Whether this process may execute the file at `path`.
    static func isExecutable(_ path: FilePath) -> Bool {
        var status = stat()
        return stat(path.string, &status) == 0 && status.st_mode & S_IFMT == S_IFREG && access(path.string, X_OK) == 0
    }
}

extension FilePath {
    fileprivate var removingLastComponentIfAny: FilePath? {
        let parent = self.removingLastComponent()
        return parent.isEmpty || parent == self ? nil : parent
    }
}

extension FileTree {
    /// Makes every file in a directory executable.
    static func makeExecutable(in directory: FilePath) throws(FileError) {
        for name in try DirectoryWalk.names(in: directory) {
            let path = directory.appending(name)
            guard let status = try FileStatus.of(path), status.kind == .regular else { continue }
            let mode = status.mode.union([.ownerReadExecute, .groupReadExecute, .otherReadExecute])
            chmod(path.string, mode.rawValue)
        }
    }
}
