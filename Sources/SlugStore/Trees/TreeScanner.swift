import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Lists a tree in the order of a manifest, without reading files and without following a link.
struct TreeScanner {
    struct Entry: Sendable {
        enum Kind: Sendable {
            case directory
            case file
            case symbolicLink(target: [UInt8])
        }

        var path: TreePath
        var kind: Kind
    }

    /// Leaves out the entries, and all below them, for which it returns true.
    typealias Exclusion = @Sendable (_ path: TreePath, _ isDirectory: Bool) -> Bool

    private let limits: TreeLimits
    private let excludes: Exclusion?
    private let cancellation: Cancellation
    private var entries: [Entry] = []

    private init(limits: TreeLimits, excludes: Exclusion?, cancellation: Cancellation) {
        self.limits = limits
        self.excludes = excludes
        self.cancellation = cancellation
    }

    static func scan(
        _ root: Descriptor, limits: TreeLimits, excluding excludes: Exclusion? = nil, cancellation: Cancellation
    ) throws(SlugStoreError) -> [Entry] {
        var scanner = TreeScanner(limits: limits, excludes: excludes, cancellation: cancellation)
        try scanner.scan(root, at: nil, depth: 0)
        return scanner.entries
    }

    // Recursion is bounded by maxDepth, and so is the number of directories that are open at once.
    private mutating func scan(_ directory: Descriptor, at path: TreePath?, depth: Int) throws(SlugStoreError) {
        try self.cancellation.check()
        var names = try directory.entries("Listing the directory \(path?.description ?? "at the root of the tree")")
        names.sort { $0.name.lexicographicallyPrecedes($1.name) }
        for (name, type) in names {
            let path = path?.appending(name) ?? TreePath(unchecked: name)
            guard let kind = try self.kind(of: name, type: type, in: directory, at: path) else { continue }
            if let excludes {
                if case .directory = kind {
                    if excludes(path, true) { continue }
                } else if excludes(path, false) {
                    continue
                }
            }
            guard path.bytes.count <= self.limits.maxPathLength else {
                throw self.exceeded("The path \(path) has \(path.bytes.count) bytes", self.limits.maxPathLength)
            }
            guard self.entries.count < self.limits.maxEntries else {
                throw self.exceeded("The tree has more files and directories than may be", self.limits.maxEntries)
            }
            switch kind {
            case .file:
                self.entries.append(Entry(path: path, kind: .file))
            case .link:
                let target = try directory.linkTarget(
                    of: name, limit: self.limits.maxPathLength, "Reading the link \(path)")
                self.entries.append(Entry(path: path, kind: .symbolicLink(target: target)))
            case .directory:
                guard depth < self.limits.maxDepth else {
                    throw self.exceeded("The directory \(path) is nested too deep", self.limits.maxDepth)
                }
                self.entries.append(Entry(path: path, kind: .directory))
                let child = try directory.open(name, O_RDONLY | O_DIRECTORY, "Opening the directory \(path)")
                try self.scan(child, at: path, depth: depth + 1)
            case .other(let what):
                throw SlugStoreError(
                    code: .unsupportedEntry,
                    message: "\(path) is \(what); a slug holds files, directories and links. Remove it from the tree.")
            }
        }
    }

    private enum Found { case file, directory, link, other(String) }

    /// What an entry is; `nil` if it has gone since the directory was listed.
    private func kind(
        of name: [UInt8], type: UInt8, in directory: Descriptor, at path: TreePath
    ) throws(SlugStoreError) -> Found? {
        // Most file systems tell the type in the listing, which saves a system call for each file.
        switch CInt(type) {
        case CInt(DT_REG): return .file
        case CInt(DT_DIR): return .directory
        case CInt(DT_LNK): return .link
        default: break
        }
        guard let status = try directory.status(of: name, "Looking at \(path)") else { return nil }
        switch status.st_mode & S_IFMT {
        case S_IFREG: return .file
        case S_IFDIR: return .directory
        case S_IFLNK: return .link
        case S_IFSOCK: return .other("a socket")
        case S_IFIFO: return .other("a FIFO")
        default: return .other("a device")
        }
    }

    private func exceeded(_ what: String, _ limit: Int) -> SlugStoreError {
        SlugStoreError(code: .limitExceeded, message: "\(what); the limit is \(limit).")
    }
}
