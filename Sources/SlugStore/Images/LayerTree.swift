/// What the layers of an image have said so far about a directory of it, and what they may therefore still say. Decides; touches
/// no file.
///
/// A whiteout removes what lower layers have put there, and nothing of its own layer, wherever in the layer it comes. So every
/// path is known with whether the present layer has named it, or anything below it.
struct LayerTree {
    /// What to do for an entry.
    enum Step: Equatable {
        /// It is elsewhere in the image, or there is nothing to do.
        case none
        /// Entries that go, with all below them.
        case remove([Removal])
        case add(ArchiveTree.Admission, replacing: [Removal])
    }

    struct Removal: Equatable {
        var path: TreePath
        /// Links are not on the disk before the end.
        var isLink: Bool
    }

    private(set) var tree: ArchiveTree
    /// The directory of the image that is wanted; `nil` for all of it.
    private let root: TreePath?
    private var touched: Set<TreePath> = []
    private var rootIsTouched = false
    private var rootExists: Bool
    /// The whiteouts of the present layer.
    private var whiteouts: Set<TreePath> = []
    private var whiteoutBytes = 0
    private let limits: ArchiveExtractor.Limits
    /// How many entries have been looked at for whiteouts and replacements. Each of those looks at all that is below it and
    /// stays, so their number alone bounds nothing.
    private var looks = 0
    private static let maxLooks = 20_000_000
    /// By directory; `nil` is the root.
    private var children: [TreePath?: Set<TreePath>] = [:]
    /// The root or a directory above it, if that is something else now, and what.
    private var obstacle: (path: TreePath, what: String, isOfThisLayer: Bool)?

    init(root: TreePath?, limits: ArchiveExtractor.Limits) {
        self.root = root
        self.rootExists = root == nil
        self.limits = limits
        // A layer may take one spelling away and bring the other, in any order.
        self.tree = ArchiveTree(limits: limits, checksSpellings: false)
    }

    /// What comes next is of the layer above.
    mutating func beginLayer() {
        self.touched = []
        (self.whiteouts, self.whiteoutBytes) = ([], 0)
        self.rootIsTouched = false
        self.obstacle?.isOfThisLayer = false
    }

    // MARK: Entries

    /// Where an entry is in the wanted directory; `nil` if it is elsewhere, and then ``step(outside:_:)`` is to be asked.
    func inside(_ path: TreePath) -> TreePath? {
        guard let root else { return path }
        guard path.isBelow(root) else { return nil }
        return TreePath(unchecked: Array(path.bytes[(root.bytes.count + 1)...]))
    }

    /// Takes an entry of the wanted directory.
    mutating func step(_ path: TreePath, _ node: ArchiveTree.Node) throws(SlugStoreError) -> Step {
        try self.checkWay(to: path)
        self.rootExists = true
        self.rootIsTouched = true
        var replaced: [Removal] = []
        if let existing = self.tree.nodes[path], !self.touched.contains(path) {
            if existing == .directory, node == .directory {
                self.touch(path)
                return .none
            }
            replaced = try self.removeUntouched(at: path)
        }
        guard let admission = try self.tree.admit(path, node) else {
            self.touch(path)
            return .none
        }
        for directory in admission.newDirectories { self.children[directory.parent, default: []].insert(directory) }
        self.children[path.parent, default: []].insert(path)
        self.touch(path)
        return .add(admission, replacing: replaced)
    }

    /// Takes an entry that is not in the wanted directory: it may be that directory, or stand in its way.
    mutating func step(outside path: TreePath, _ kind: ArchiveEntry.Kind) throws(SlugStoreError) -> Step {
        guard let root, root == path || root.isBelow(path) else { return .none }
        if let obstacle, obstacle.path == path, obstacle.isOfThisLayer {
            throw ArchiveTree.invalid("The archive has \(path) twice.")
        }
        if case .directory = kind {
            if self.obstacle?.path == path { self.obstacle = nil }
            if root == path { (self.rootExists, self.rootIsTouched) = (true, true) }
            return .none
        }
        guard !self.rootIsTouched else { throw ArchiveTree.invalid("The archive has \(path) twice.") }
        if case .symbolicLink(let target) = kind {
            self.obstacle = (path, "is a link to \(printable(target)): name that directory", true)
        } else {
            self.obstacle = (path, "is not a directory", true)
        }
        return .remove(try self.emptyRoot())
    }

    /// Takes a whiteout: of one entry, or of all that lower layers have in a directory.
    /// - Parameters:
    ///   - target: The entry, or the directory.
    ///   - isOpaque: Whether it is the directory.
    mutating func whiteOut(_ target: TreePath?, isOpaque: Bool, marker: TreePath) throws(SlugStoreError) -> Step {
        guard self.whiteouts.insert(marker).inserted else {
            throw ArchiveTree.invalid("The archive has \(marker) twice.")
        }
        self.whiteoutBytes += marker.bytes.count
        guard self.whiteouts.count <= self.limits.maxEntries, self.whiteoutBytes <= self.limits.maxPathBytes else {
            throw SlugStoreError(
                code: .limitExceeded,
                message: "The layer has more than \(self.limits.maxEntries) whiteouts, or "
                    + "\(self.limits.maxPathBytes) bytes of their paths, which is the limit, at \(marker).")
        }
        guard let target, self.root != target, self.root?.isBelow(target) != true else {
            // Of the root or of a directory above it; `nil` is the image's.
            if let obstacle, !obstacle.isOfThisLayer,
                target.map({ obstacle.path.isBelow($0) || (obstacle.path == $0 && !isOpaque) }) ?? true
            {
                self.obstacle = nil
            }
            let removals = try self.emptyRoot()
            if isOpaque, self.root == target { self.rootExists = true }
            return .remove(removals)
        }
        guard let path = self.inside(target) else { return .none }
        return .remove(isOpaque ? try self.removeUntouched(below: path) : try self.removeUntouched(at: path))
    }

    // MARK: The end

    /// Checks what has come of all layers.
    /// - Parameter keepsOutwardLinks: Whether links may lead out of the tree.
    func check(keepsOutwardLinks: Bool, _ cancellation: Cancellation) throws(SlugStoreError) {
        if let root, let obstacle {
            throw SlugStoreError(
                code: .notFound, message: "The image has no directory /\(root): /\(obstacle.path) \(obstacle.what).")
        }
        guard self.rootExists else {
            throw SlugStoreError(
                code: .notFound, message: "The image has no directory /\(self.root.map { "\($0)" } ?? "").")
        }
        try self.tree.checkSpellings(cancellation)
        if !keepsOutwardLinks { try self.tree.checkLinks(root: nil, cancellation) }
    }

    // MARK: What is where

    private func checkWay(to path: TreePath) throws(SlugStoreError) {
        guard let root, let obstacle else { return }
        throw ArchiveTree.refused("The archive wants to write \(root)/\(path), and \(obstacle.path) \(obstacle.what).")
    }

    private mutating func touch(_ path: TreePath) {
        var path: TreePath? = path
        while let current = path, self.touched.insert(current).inserted { path = current.parent }
    }

    private mutating func emptyRoot() throws(SlugStoreError) -> [Removal] {
        if !self.rootIsTouched { self.rootExists = self.root == nil }
        return try self.removeUntouched(below: nil)
    }

    private mutating func removeUntouched(below directory: TreePath?) throws(SlugStoreError) -> [Removal] {
        var removals: [Removal] = []
        for child in self.children[directory] ?? [] { removals += try self.removeUntouched(at: child) }
        return removals
    }

    /// What the present layer has named has all directories above it named, too. So below what it has not, it has named nothing.
    private mutating func removeUntouched(at path: TreePath) throws(SlugStoreError) -> [Removal] {
        self.looks += 1
        guard self.looks <= Self.maxLooks else {
            throw SlugStoreError(
                code: .limitExceeded, message: "The image's whiteouts are too entangled to be applied, at \(path).")
        }
        guard let node = self.tree.nodes[path] else { return [] }
        if self.touched.contains(path) { return try self.removeUntouched(below: path) }
        self.children[path.parent]?.remove(path)
        var pending = [path]
        while let next = pending.popLast() {
            pending += self.children.removeValue(forKey: next) ?? []
            self.tree.remove(next)
        }
        if case .symbolicLink = node { return [Removal(path: path, isLink: true)] }
        return [Removal(path: path, isLink: false)]
    }
}
