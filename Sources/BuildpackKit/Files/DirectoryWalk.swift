import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Walks a directory from the top down, symbolic links not followed.
enum DirectoryWalk {
    enum Step { case descend, skip }

    /// Something that is found on the way.
    struct Entry {
        /// Its full path.
        var path: RawPath
        /// Its path from the root of the walk.
        var relative: RawPath
        var status: FileStatus
    }

    /// The names in a directory, sorted by their bytes.
    static func names(in directory: FilePath) throws(FileError) -> [String] {
        try self.names(in: RawPath(directory)).sorted { $0.lexicographicallyPrecedes($1) }
            .map { String(decoding: $0, as: UTF8.self) }
    }

    /// The names in a directory, in whatever order.
    static func names(in directory: RawPath) throws(FileError) -> [[UInt8]] {
        guard let stream = directory.withCString({ opendir($0) }) else {
            throw FileError(operation: "list", path: directory.filePath, errno: Errno(rawValue: errno))
        }
        defer { closedir(stream) }
        var names: [[UInt8]] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            if name != [UInt8(ascii: ".")], name != [UInt8(ascii: "."), UInt8(ascii: ".")] { names.append(name) }
        }
        return names
    }

    /// Calls `visit` for everything beneath `root`, a directory before what is in it.
    ///
    /// What vanishes meanwhile is passed over: builds delete their temporary files while they are measured.
    static func walk(_ root: FilePath, visit: (Entry) throws -> Step) throws {
        let root = RawPath(root)
        var pending: [RawPath] = [.empty]
        while let directory = pending.popLast() {
            try Task.checkCancellation()
            let full = directory.bytes.isEmpty ? root : root.appending(directory.bytes)
            let names: [[UInt8]]
            do throws(FileError) {
                names = try Self.names(in: full)
            } catch {
                if error.errno == .noSuchFileOrDirectory, !directory.bytes.isEmpty { continue }
                throw error
            }
            for name in names {
                let path = full.appending(name)
                guard let status = try FileStatus.of(path) else { continue }
                let relative = directory.appending(name)
                let step = try visit(Entry(path: path, relative: relative, status: status))
                if step == .descend, status.kind == .directory { pending.append(relative) }
            }
        }
    }

    /// The bytes that everything beneath `root` occupies; a file with several names counts once.
    @concurrent
    static func diskUsage(of root: FilePath) async throws -> Int64 {
        var total: Int64 = 0
        var seen: Set<UInt64> = []
        try self.walk(root) { entry in
            let status = entry.status
            if status.links < 2 || status.kind == .directory || seen.insert(status.inode).inserted {
                total += status.diskUsage
            }
            return .descend
        }
        return total
    }
}
