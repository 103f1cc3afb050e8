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
    static func of(_ path: FilePath) throws(FileError) -> FileStatus? {
        var status = stat()
        guard lstat(path.string, &status) == 0 else {
            let error = Errno(rawValue: errno)
            if error == .noSuchFileOrDirectory || error == .notDirectory { return nil }
            throw FileError(operation: "look at", path: path, errno: error)
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
            mode: FilePermissions(rawValue: CModeT(status.st_mode & 0o7777)),
            size: Int64(status.st_size),
            diskUsage: Int64(status.st_blocks) * 512,
            links: UInt64(status.st_nlink),
            inode: UInt64(status.st_ino))
    }
}

private typealias CModeT = CInterop.Mode

/// Walks a directory from the top down, symbolic links not followed.
enum DirectoryWalk {
    enum Step { case descend, skip }

    /// The names in a directory, sorted by their bytes.
    static func names(in directory: FilePath) throws(FileError) -> [FilePath.Component] {
        try self.unsortedNames(in: directory).sorted { $0.string < $1.string }
    }

    /// The names in a directory, in whatever order.
    static func unsortedNames(in directory: FilePath) throws(FileError) -> [FilePath.Component] {
        guard let stream = opendir(directory.string) else {
            throw FileError(operation: "list", path: directory, errno: Errno(rawValue: errno))
        }
        defer { closedir(stream) }
        var names: [FilePath.Component] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CInterop.PlatformChar.self, capacity: 256) {
                    FilePath.Component(platformString: $0)
                }
            }
            guard let name, name.kind == .regular else { continue }
            names.append(name)
        }
        return names
    }

    /// Calls `visit` for everything beneath `root`, a directory before what is in it.
    ///
    /// What vanishes meanwhile is passed over: builds delete their temporary files while they are measured.
    static func walk(
        _ root: FilePath,
        visit: (_ path: FilePath, _ relative: FilePath, _ status: FileStatus) throws -> Step
    ) throws {
        var pending: [FilePath] = [FilePath("")]
        while let directory = pending.popLast() {
            try Task.checkCancellation()
            let names: [FilePath.Component]
            do throws(FileError) {
                names = try Self.names(in: root.pushing(directory))
            } catch {
                if error.errno == .noSuchFileOrDirectory, !directory.isEmpty { continue }
                throw error
            }
            for name in names {
                let relative = directory.appending(name)
                let path = root.pushing(relative)
                guard let status = try FileStatus.of(path) else { continue }
                if try visit(path, relative, status) == .descend, status.kind == .directory {
                    pending.append(relative)
                }
            }
        }
    }

    /// The bytes that everything beneath `root` occupies; a file with several names counts once.
    @concurrent
    static func diskUsage(of root: FilePath) async throws -> Int64 {
        var total: Int64 = 0
        var seen: Set<UInt64> = []
        try self.walk(root) { _, _, status in
            if status.links < 2 || status.kind == .directory || seen.insert(status.inode).inserted {
                total += status.diskUsage
            }
            return .descend
        }
        return total
    }
}
