import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Opens the directories below a root, component by component and never through a link, and keeps the way to the last
/// one open: paths that come in the order of the tree cost one open per directory.
final class DirectoryCursor {
    private let root: Descriptor
    private var way: [(name: ArraySlice<UInt8>, directory: Descriptor)] = []
    private var last: ArraySlice<UInt8> = []

    init(root: Descriptor) { self.root = root }

    /// The directory that `path` is in.
    func directory(of path: TreePath) throws(SlugStoreError) -> Descriptor {
        guard let end = path.bytes.lastIndex(of: TreePath.slash) else { return self.root }
        return try self.directory(path.bytes[..<end])
    }

    /// The directory `path` itself.
    func directory(at path: TreePath) throws(SlugStoreError) -> Descriptor { try self.directory(path.bytes[...]) }

    private func directory(_ path: ArraySlice<UInt8>) throws(SlugStoreError) -> Descriptor {
        if let top = self.way.last, path == self.last { return top.directory }
        let components = path.split(separator: TreePath.slash)
        let shared = zip(self.way, components).prefix { $0.name == $1 }.count
        self.way.removeSubrange(shared...)
        for component in components[shared...] {
            let above = self.way.last?.directory ?? self.root
            let directory = try above.open(
                component, O_RDONLY | O_DIRECTORY, "Opening the directory \(printable(path))")
            self.way.append((component, directory))
        }
        self.last = path
        return self.way.last?.directory ?? self.root
    }
}
