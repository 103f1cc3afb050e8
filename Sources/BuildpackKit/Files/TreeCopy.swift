import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

extension FileTree {
    /// Copies a directory: files, permissions and symbolic links. Never by hard links, which would let a later change
    /// of one tree reach into the other.
    @concurrent
    static func copy(_ from: FilePath, to: FilePath) async throws {
        try self.createDirectory(to)
        let target = RawPath(to)
        var buffer = [UInt8](repeating: 0, count: 128 * 1024)
        var directories: [(RawPath, FilePermissions)] = []
        try DirectoryWalk.walk(from) { entry in
            let path = target.appending(entry.relative.bytes)
            switch entry.status.kind {
            case .directory:
                guard path.withCString({ mkdir($0, 0o700) }) == 0 || errno == EEXIST else {
                    throw FileError(operation: "create directory", path: path.filePath, errno: Errno(rawValue: errno))
                }
                directories.append((path, entry.status.mode))
                return .descend
            case .link: try self.copyLink(entry.path, to: path)
            case .regular: try self.copyFile(entry.path, to: path, mode: entry.status.mode, buffer: &buffer)
            case .other: break  // Sockets and pipes are leftovers of processes that are gone.
            }
            return .skip
        }
        // Last, so that a directory without write permission can be filled.
        for (path, mode) in directories.reversed() { path.withCString { _ = chmod($0, mode.rawValue) } }
    }

    private static func copyLink(_ from: RawPath, to: RawPath) throws(FileError) {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
        guard from.withCString({ readlink($0, &buffer, Int(PATH_MAX)) }) >= 0,
            to.withCString({ symlink(buffer, $0) }) == 0
        else { throw FileError(operation: "copy the link", path: from.filePath, errno: Errno(rawValue: errno)) }
    }

    private static func copyFile(
        _ from: RawPath, to: RawPath, mode: FilePermissions, buffer: inout [UInt8]
    ) throws(FileError) {
        func failure() -> FileError {
            FileError(operation: "copy to \(to.text)", path: from.filePath, errno: Errno(rawValue: errno))
        }
        let input = from.withCString { open($0, O_RDONLY | O_NOFOLLOW | O_CLOEXEC) }
        guard input >= 0 else { throw failure() }
        defer { close(input) }
        let output = to.withCString { open($0, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600) }
        guard output >= 0 else { throw failure() }
        defer { close(output) }
        do {
            while true {
                let count = try buffer.withUnsafeMutableBytes { try FileDescriptor(rawValue: input).read(into: $0) }
                if count == 0 { break }
                try FileDescriptor(rawValue: output).writeAll(buffer[..<count])
            }
        } catch {
            throw FileError(operation: "copy to \(to.text)", path: from.filePath, errno: error as? Errno ?? .ioError)
        }
        guard fchmod(output, mode.rawValue) == 0 else { throw failure() }
    }
}
