import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

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
        guard let status = try FileStatus.of(path) else { return }
        guard status.kind == .directory else { return try self.unlinkFile(path) }
        chmod(path.string, 0o700)
        var directories = [path]
        // Not `walk`'s cancellation: a cancelled build must still be able to clean up.
        var pending = [path]
        while let directory = pending.popLast() {
            for name in try DirectoryWalk.names(in: directory) {
                let path = directory.appending(name)
                guard let status = try FileStatus.of(path) else { continue }
                if status.kind == .directory {
                    chmod(path.string, 0o700)
                    directories.append(path)
                    pending.append(path)
                } else {
                    try self.unlinkFile(path)
                }
            }
        }
        for directory in directories.reversed() where rmdir(directory.string) != 0 {
            throw FileError(operation: "remove", path: directory, errno: Errno(rawValue: errno))
        }
    }

    static func unlinkFile(_ path: FilePath) throws(FileError) {
        guard unlink(path.string) == 0 || errno == ENOENT else {
            throw FileError(operation: "remove", path: path, errno: Errno(rawValue: errno))
        }
    }

    /// Renames, replacing a file but not a directory that is not empty.
    static func move(_ from: FilePath, to: FilePath) throws(FileError) {
        guard rename(from.string, to.string) == 0 else {
            throw FileError(operation: "move \(from) to", path: to, errno: Errno(rawValue: errno))
        }
    }

    /// Copies a directory: files, permissions and symbolic links. Never by hard links, which would let a later change
    /// of one tree reach into the other.
    @concurrent
    static func copy(_ from: FilePath, to: FilePath) async throws {
        try self.createDirectory(to)
        var buffer = [UInt8](repeating: 0, count: 128 * 1024)
        var directories: [(FilePath, FilePermissions)] = []
        try DirectoryWalk.walk(from) { path, relative, status in
            let target = to.pushing(relative)
            switch status.kind {
            case .directory:
                try self.createDirectory(target)
                directories.append((target, status.mode))
                return .descend
            case .link:
                let destination = try self.destination(ofLink: path)
                guard symlink(destination.string, target.string) == 0 else {
                    throw FileError(operation: "create link", path: target, errno: Errno(rawValue: errno))
                }
            case .regular:
                try self.copyFile(path, to: target, mode: status.mode, buffer: &buffer)
            case .other:
                break  // Sockets and pipes are leftovers of processes that are gone.
            }
            return .skip
        }
        // Last, so that a directory without write permission can be filled.
        for (path, mode) in directories.reversed() { chmod(path.string, mode.rawValue) }
    }

    /// What a symbolic link says.
    static func destination(ofLink path: FilePath) throws(FileError) -> FilePath {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
        let length = readlink(path.string, &buffer, Int(PATH_MAX))
        guard length >= 0 else {
            throw FileError(operation: "read link", path: path, errno: Errno(rawValue: errno))
        }
        return FilePath(platformString: buffer)
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

    private static func copyFile(
        _ from: FilePath, to: FilePath, mode: FilePermissions, buffer: inout [UInt8]
    ) throws(FileError) {
        do {
            let input = try FileDescriptor.open(from, .readOnly, options: [.noFollow, .closeOnExec])
            defer { try? input.close() }
            let output = try FileDescriptor.open(
                to, .writeOnly, options: [.create, .exclusiveCreate, .noFollow, .closeOnExec],
                permissions: [.ownerReadWrite])
            defer { try? output.close() }
            while true {
                let count = try buffer.withUnsafeMutableBytes { try input.read(into: $0) }
                if count == 0 { break }
                try output.writeAll(buffer[..<count])
            }
            guard fchmod(output.rawValue, mode.rawValue) == 0 else { throw Errno(rawValue: errno) }
        } catch {
            throw FileError(operation: "copy \(from) to", path: to, errno: error as? Errno ?? .ioError)
        }
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
