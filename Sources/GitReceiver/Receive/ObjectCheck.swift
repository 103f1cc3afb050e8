/// Judges every object of a pack before anything may refer to it.
///
/// All objects are checked, not only those that the pushed references reach: whatever is in the pack becomes part of
/// the repository. Each must be readable at its declared size, well-formed, and refer only to objects of the pack or of the
/// repository. As this holds for every pack that was ever accepted, what the repository has is complete, and the
/// check costs what the pack holds and nothing more.
struct ObjectCheck {
    private let view: ObjectDatabase
    private let limits: GitServer.Configuration.Limits
    private let shallow: Set<ObjectID>
    private let deadline: Deadline
    private var kinds: [ObjectID: ObjectKind] = [:]
    /// Objects of the repository that were looked up already.
    private var known: [ObjectID: ObjectKind] = [:]
    /// The directories within each tree of the pack.
    private var children: [ObjectID: [ObjectID]] = [:]

    init(
        view: ObjectDatabase, limits: GitServer.Configuration.Limits, shallow: Set<ObjectID>, deadline: Deadline
    ) {
        self.view = view
        self.limits = limits
        self.shallow = shallow
        self.deadline = deadline
    }

    /// Checks the objects of a pack.
    mutating func check(_ names: [ObjectID]) throws(GitReceiverError) {
        var total = 0
        self.kinds.reserveCapacity(names.count)
        for name in names {
            try self.deadline.check()
            guard let (kind, size) = try self.view.header(of: name) else {
                throw GitReceiverError(.corrupt, "object \(name) cannot be read")
            }
            total += size
            guard size <= self.limits.objectBytes else {
                throw GitReceiverError(
                    .limitExceeded,
                    "object \(name) has \(size >> 20) MiB; the limit of this server is \(self.limits.objectBytes >> 20)"
                )
            }
            guard total <= self.limits.totalObjectBytes else {
                throw GitReceiverError(
                    .limitExceeded, "the pack unpacks to more than \(self.limits.totalObjectBytes >> 30) GiB")
            }
            self.kinds[name] = kind
        }
        for name in names {
            try self.deadline.check()
            let view = self.view
            try view.withObject(name) { kind, data throws(GitReceiverError) in
                switch kind {
                case .blob: break
                case .tree: try self.checkTree(name, data)
                case .commit: try self.checkCommit(name, data)
                case .tag: try self.checkTag(name, data)
                }
            }
        }
        try self.checkDepth()
    }

    private mutating func kind(of name: ObjectID) throws(GitReceiverError) -> ObjectKind? {
        if let kind = self.kinds[name] ?? self.known[name] { return kind }
        let kind = try self.view.header(of: name)?.kind
        self.known[name] = kind
        return kind
    }

    private mutating func require(
        _ name: ObjectID, _ wanted: ObjectKind, of owner: @autoclosure () -> String
    ) throws(GitReceiverError) {
        let found = try self.kind(of: name)
        guard let found else {
            throw GitReceiverError(.incomplete, "\(owner()) needs the \(wanted.name) \(name), which was not sent")
        }
        guard found == wanted else {
            throw GitReceiverError(.corrupt, "\(owner()) names \(name) as a \(wanted.name), but it is a \(found.name)")
        }
    }

    private mutating func checkTree(_ tree: ObjectID, _ data: UnsafeRawBufferPointer) throws(GitReceiverError) {
        var reader = TreeReader(data, tree: tree)
        var order = TreeOrder()
        var directories: [ObjectID] = []
        while let entry = try reader.next() {
            guard order.accepts(entry.name, isDirectory: entry.kind == .directory) else {
                throw GitReceiverError(.corrupt, "tree \(tree) has a name twice or its names out of order")
            }
            if entry.kind == .link, String(decoding: entry.name, as: UTF8.self).lowercased() == ".gitmodules" {
                throw GitReceiverError(.corrupt, "tree \(tree) has .gitmodules as a symbolic link")
            }
            guard let target = entry.target else { continue }
            try self.require(entry.oid, target, of: "tree \(tree)")
            if target == .tree, self.kinds[entry.oid] != nil { directories.append(entry.oid) }
        }
        self.children[tree] = directories
    }

    private mutating func checkCommit(_ commit: ObjectID, _ data: UnsafeRawBufferPointer) throws(GitReceiverError) {
        var header = ObjectHeader(data)
        guard let tree = header.oid("tree") else {
            throw GitReceiverError(.corrupt, "commit \(commit) has no tree")
        }
        try self.require(tree, .tree, of: "commit \(commit)")
        while let parent = header.oid("parent") {
            if try self.kind(of: parent) == nil, !self.shallow.isEmpty {
                throw GitReceiverError(.incomplete, "shallow update not allowed; run: git fetch --unshallow")
            }
            try self.require(parent, .commit, of: "commit \(commit)")
        }
        guard header.text("author") != nil, header.text("committer") != nil else {
            throw GitReceiverError(.corrupt, "commit \(commit) has no author or committer")
        }
    }

    private mutating func checkTag(_ tag: ObjectID, _ data: UnsafeRawBufferPointer) throws(GitReceiverError) {
        var header = ObjectHeader(data)
        guard let object = header.oid("object"), let type = header.text("type"), header.text("tag") != nil,
            let kind = [ObjectKind.commit, .tree, .blob, .tag].first(where: { $0.name == type })
        else { throw GitReceiverError(.corrupt, "tag \(tag) is malformed") }
        try self.require(object, kind, of: "tag \(tag)")
    }

    /// Limits how deep the pack's own trees nest. Older trees below them are not followed: an export, which has a
    /// limit of its own, is where their depth would matter.
    private func checkDepth() throws(GitReceiverError) {
        // Trees without a tree of the pack above them are depth 1; each round goes one level down.
        var parents: [ObjectID: Int] = [:]
        for children in self.children.values { for child in children { parents[child, default: 0] += 1 } }
        var level = self.children.keys.filter { parents[$0] == nil }
        var depth = 0
        while !level.isEmpty {
            depth += 1
            guard depth <= self.limits.treeDepth else {
                throw GitReceiverError(
                    .limitExceeded, "directories nest deeper than \(self.limits.treeDepth), the limit of this server")
            }
            try self.deadline.check()
            var next: [ObjectID] = []
            for tree in level {
                for child in self.children[tree] ?? [] {
                    // The last parent decides: its level is the deepest.
                    parents[child, default: 1] -= 1
                    if parents[child] == 0 { next.append(child) }
                }
            }
            level = next
        }
    }
}

/// The header lines of a commit or tag.
struct ObjectHeader {
    private var rest: Slice<UnsafeRawBufferPointer>

    init(_ data: UnsafeRawBufferPointer) { self.rest = data[...] }

    /// The value of the next line if it has this key; otherwise the line stays.
    mutating func text(_ key: String) -> String? {
        guard let end = self.rest.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        let line = self.rest[..<end]
        guard line.starts(with: key.utf8), line.dropFirst(key.utf8.count).first == UInt8(ascii: " ") else { return nil }
        self.rest = self.rest[(end + 1)...]
        return String(decoding: line.dropFirst(key.utf8.count + 1), as: UTF8.self)
    }

    mutating func oid(_ key: String) -> ObjectID? {
        let before = self.rest
        if let text = self.text(key), let oid = ObjectID(text) { return oid }
        self.rest = before
        return nil
    }
}
