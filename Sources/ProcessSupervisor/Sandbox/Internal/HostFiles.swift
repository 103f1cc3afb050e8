import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What a sandbox's plan wants to know of the host's file system.
struct HostFiles: Sendable {
    enum Kind: Sendable, Hashable {
        case missing, directory, file
        case link(to: String)
    }

    /// What is at a path itself.
    var inspect: @Sendable (FilePath) -> Kind
    /// Where a path leads, without symbolic links; the path itself where it leads nowhere.
    var resolve: @Sendable (FilePath) -> FilePath

    /// This machine's.
    static let real = HostFiles(
        inspect: { path in
            var information = stat()
            guard lstat(path.string, &information) == 0 else { return .missing }
            switch information.st_mode & S_IFMT {
            case S_IFDIR: return .directory
            case S_IFLNK: return .link(to: Self.destination(of: path))
            default: return .file
            }
        },
        resolve: { path in
            guard let resolved = realpath(path.string, nil) else { return path }
            defer { free(resolved) }
            return FilePath(String(cString: resolved))
        })

    private static func destination(of link: FilePath) -> String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer in
            guard let base = buffer.baseAddress else { return "/" }
            let count = readlink(link.string, base, buffer.count)
            return count > 0 ? String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self) : "/"
        }
    }
}
