/// What the path of an entry means in a layer: some names are not names but say what of lower layers is gone.
enum LayerEntry: Equatable {
    case entry(TreePath)
    /// What lower layers have at this path is gone.
    case whiteout(TreePath)
    /// All that lower layers have in this directory is gone; `nil` is the root of the image.
    case opaque(TreePath?)

    private static let prefix = Array(".wh.".utf8)
    static let opaqueName = Array(".wh..wh..opq".utf8)

    /// Whether a name says something of lower layers, and so can be no file's.
    static func isReserved(_ name: ArraySlice<UInt8>) -> Bool { name.starts(with: self.prefix) }

    /// - Throws: ``SlugStoreError/Code/invalidArchive`` for a whiteout of nothing, of an unknown kind, or above something.
    init(_ path: TreePath) throws(SlugStoreError) {
        let components = path.components
        guard let name = components.last, components.contains(where: Self.isReserved) else {
            self = .entry(path)
            return
        }
        guard !components.dropLast().contains(where: Self.isReserved) else {
            throw ArchiveTree.invalid("The archive has \(path), which is below a whiteout.")
        }
        if name.elementsEqual(Self.opaqueName) {
            self = .opaque(path.parent)
            return
        }
        let hidden = name.dropFirst(Self.prefix.count)
        guard !hidden.isEmpty, !hidden.elementsEqual([0x2e]), !hidden.elementsEqual([0x2e, 0x2e]),
            !hidden.starts(with: Self.prefix)
        else { throw ArchiveTree.invalid("The archive has \(path), which is a whiteout of an unknown kind.") }
        self = .whiteout(path.parent.map { $0.appending(hidden) } ?? TreePath(unchecked: Array(hidden)))
    }
}
