/// What an archive has said so far about its tree, and what it may therefore still say. Decides; touches no file.
struct ArchiveTree {
    enum Node: Equatable, Sendable {
        case directory
        case file
        case symbolicLink(target: [UInt8])
    }

    /// What to do for an entry.
    struct Admission: Equatable, Sendable {
        var path: TreePath
        /// Directories that must be made first, outermost first; the entry itself is the last if it is a new directory.
        var newDirectories: [TreePath]
    }

    private let limits: ArchiveExtractor.Limits
    private let checksSpellings: Bool
    private(set) var nodes: [TreePath: Node] = [:]
    private var pathBytes = 0
    /// Every path in a form in which paths are equal that some file system takes for equal.
    private var spellings: [String: TreePath] = [:]

    /// - Parameter checksSpellings: Whether two names that are one where case does not count are refused when the second
    ///   comes. Otherwise ``checkSpellings(_:)`` looks for them in the end, when some may have been removed.
    init(limits: ArchiveExtractor.Limits, checksSpellings: Bool = true) {
        self.limits = limits
        self.checksSpellings = checksSpellings
    }

    /// Admits an entry. `nil`: there is nothing to do, for example for the root of the tree.
    mutating func admit(_ rawPath: [UInt8], _ node: Node) throws(SlugStoreError) -> Admission? {
        guard let path = try self.clean(rawPath) else {
            guard node == .directory else { throw Self.invalid("The archive has an entry without a name.") }
            return nil
        }
        return try self.admit(path, node)
    }

    /// Admits an entry whose path is clean.
    mutating func admit(_ path: TreePath, _ node: Node) throws(SlugStoreError) -> Admission? {
        if case .symbolicLink(let target) = node { try self.check(target, of: path) }
        var newDirectories: [TreePath] = []
        var parent = path.parent
        while let directory = parent {
            switch self.nodes[directory] {
            case .directory: break
            case .file: throw Self.invalid("The archive has \(path) inside of the file \(directory).")
            case .symbolicLink: throw Self.refused("The archive wants to write \(path) through the link \(directory).")
            case nil:
                newDirectories.insert(directory, at: 0)
                parent = directory.parent
                continue
            }
            break
        }
        for directory in newDirectories { try self.add(directory, .directory) }
        if let existing = self.nodes[path] {
            guard existing == .directory, node == .directory else {
                throw Self.invalid("The archive has \(path) twice.")
            }
            return nil
        }
        try self.add(path, node)
        if node == .directory { newDirectories.append(path) }
        return Admission(path: path, newDirectories: newDirectories)
    }

    /// The file that a hard link is another name of.
    func hardLinkTarget(_ rawTarget: [UInt8], of rawPath: [UInt8]) throws(SlugStoreError) -> TreePath {
        let link = printable(rawPath)
        guard let target = try self.clean(rawTarget) else { throw Self.invalid("The hard link \(link) leads nowhere.") }
        return try self.hardLinkTarget(target, of: link)
    }

    /// The file that a hard link is another name of, both paths being clean.
    func hardLinkTarget(_ target: TreePath, of link: String) throws(SlugStoreError) -> TreePath {
        switch self.nodes[target] {
        case .file: return target
        case .symbolicLink: throw Self.refused("The hard link \(link) leads to the link \(target).")
        case .directory: throw Self.invalid("The hard link \(link) leads to the directory \(target).")
        case nil:
            throw Self.refused(
                "The hard link \(link) leads to \(target), which is not a file of the archive before it.")
        }
    }

    /// The directory that holds everything, if there is one.
    var topLevelDirectory: TreePath? {
        var top: TreePath?
        for (path, node) in self.nodes where path.parent == nil {
            guard top == nil, node == .directory else { return nil }
            top = path
        }
        return top
    }

    private mutating func add(_ path: TreePath, _ node: Node) throws(SlugStoreError) {
        guard self.nodes.count < self.limits.maxEntries else {
            throw SlugStoreError(
                code: .limitExceeded,
                message: "The archive has more than \(self.limits.maxEntries) entries, which is the limit, at \(path).")
        }
        self.pathBytes += Self.pathBytes(of: path, node)
        guard self.pathBytes <= self.limits.maxPathBytes else {
            throw SlugStoreError(
                code: .limitExceeded,
                message: "The archive has paths and targets of links of more than \(self.limits.maxPathBytes) bytes "
                    + "together, which is the limit, at \(path).")
        }
        if self.checksSpellings { try Self.spell(path, &self.spellings) }
        self.nodes[path] = node
    }

    private static func pathBytes(of path: TreePath, _ node: Node) -> Int {
        guard case .symbolicLink(let target) = node else { return path.bytes.count }
        return path.bytes.count + target.count
    }

    private static func spell(_ path: TreePath, _ spellings: inout [String: TreePath]) throws(SlugStoreError) {
        // String's equality takes composed and decomposed letters for the same, as some file systems do.
        // Up and then down, since some letters have no lower case of their own, such as ß.
        let spelling = String(decoding: path.bytes, as: UTF8.self).uppercased().lowercased()
        if let other = spellings.updateValue(path, forKey: spelling) {
            throw self.invalid(
                "The archive has \(other) and \(path), which are one name where case does not count. Rename one of them."
            )
        }
    }

    /// Refuses two names that are one where case does not count.
    func checkSpellings(_ cancellation: Cancellation) throws(SlugStoreError) {
        var spellings: [String: TreePath] = [:]
        for path in self.nodes.keys {
            try cancellation.check()
            try Self.spell(path, &spellings)
        }
    }

    /// Forgets an entry below which there is nothing any more.
    mutating func remove(_ path: TreePath) {
        guard let node = self.nodes.removeValue(forKey: path) else { return }
        self.pathBytes -= Self.pathBytes(of: path, node)
    }

    /// A path of the archive as a path of the tree; `nil` for the tree's root.
    func clean(_ raw: [UInt8]) throws(SlugStoreError) -> TreePath? {
        guard String(validating: raw, as: UTF8.self) != nil else {
            throw Self.invalid("The archive has a name that is not UTF-8: \(printable(raw)).")
        }
        guard raw.count <= self.limits.maxPathLength else {
            throw SlugStoreError(
                code: .limitExceeded,
                message: "The archive has a path of \(raw.count) bytes; the limit is \(self.limits.maxPathLength): "
                    + "\(printable(raw.prefix(80)))…")
        }
        guard raw.first != TreePath.slash else {
            throw Self.refused("The archive has the absolute path \(printable(raw)).")
        }
        try Self.checkBackslashes(raw)
        var components: [ArraySlice<UInt8>] = []
        for component in raw.split(separator: TreePath.slash) where !component.elementsEqual([0x2e]) {
            guard !component.elementsEqual([0x2e, 0x2e]) else {
                throw Self.refused("The archive has the path \(printable(raw)), which leaves the tree.")
            }
            guard component.count <= self.limits.maxNameLength else {
                throw SlugStoreError(
                    code: .limitExceeded,
                    message:
                        "The archive has a name of \(component.count) bytes; the limit is \(self.limits.maxNameLength): "
                        + "\(printable(component.prefix(80)))…")
            }
            components.append(component)
        }
        guard components.count <= self.limits.maxDepth + 1 else {
            throw SlugStoreError(
                code: .limitExceeded,
                message:
                    "The archive nests \(printable(raw.prefix(80))) deeper than \(self.limits.maxDepth) directories.")
        }
        return components.isEmpty ? nil : TreePath(unchecked: Array(components.joined(separator: [TreePath.slash])))
    }

    /// A backslash is a character of a name like others. But a path that would leave the tree where it separates names was made
    /// to leave one.
    private static func checkBackslashes(_ raw: [UInt8]) throws(SlugStoreError) {
        let backslash = UInt8(ascii: "\\")
        guard raw.contains(backslash) else { return }
        let components = raw.split(separator: backslash, omittingEmptySubsequences: false)
            .flatMap { $0.split(separator: TreePath.slash) }
        let hasDrive = raw.count > 2 && raw[1] == UInt8(ascii: ":") && raw[2] == backslash
        guard raw.first != backslash, !hasDrive, !components.contains(where: { $0.elementsEqual([0x2e, 0x2e]) }) else {
            throw Self.refused(
                "The archive has the path \(printable(raw)), which leaves the tree where \\ separates names.")
        }
    }

    private func check(_ target: [UInt8], of path: TreePath) throws(SlugStoreError) {
        guard !target.isEmpty else { throw Self.invalid("The link \(path) leads nowhere.") }
        guard String(validating: target, as: UTF8.self) != nil else {
            throw Self.invalid("The link \(path) leads to a name that is not UTF-8: \(printable(target)).")
        }
        guard target.count <= self.limits.maxPathLength else {
            throw SlugStoreError(
                code: .limitExceeded,
                message: "The link \(path) leads to a path of \(target.count) bytes; the limit is "
                    + "\(self.limits.maxPathLength).")
        }
    }

    static func invalid(_ message: String) -> SlugStoreError { SlugStoreError(code: .invalidArchive, message: message) }
    static func refused(_ message: String) -> SlugStoreError { SlugStoreError(code: .unsafeArchive, message: message) }
}
