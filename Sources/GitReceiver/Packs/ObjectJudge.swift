/// Judges each object of a pack by itself, in the moment in which its bytes are there anyway, and notes what it needs.
struct ObjectJudge {
    private let limits: GitServer.Configuration.Limits
    private(set) var table: ObjectTable
    /// The bytes of all objects so far.
    private var total = 0

    init(limits: GitServer.Configuration.Limits) {
        self.limits = limits
        self.table = ObjectTable(objects: limits.objects)
    }

    /// Adds an object; returns its number in the table.
    mutating func add(
        _ oid: ObjectID, _ kind: ObjectKind, _ data: UnsafeRawBufferPointer
    ) throws(GitReceiverError) -> Int32 {
        self.total += data.count
        guard self.total <= self.limits.totalObjectBytes else {
            throw GitReceiverError(
                .limitExceeded, "the pack unpacks to more than \(self.limits.totalObjectBytes >> 20) MiB")
        }
        let number = try self.table.add(oid, kind)
        switch kind {
        case .blob: break
        case .tree: try self.tree(oid, number, data)
        case .commit: try self.commit(oid, number, data)
        case .tag: try self.tag(oid, number, data)
        }
        return number
    }

    private mutating func tree(
        _ tree: ObjectID, _ number: Int32, _ data: UnsafeRawBufferPointer
    ) throws(GitReceiverError) {
        var reader = TreeReader(data, tree: tree)
        var order = TreeOrder()
        var count = 0
        while let entry = try reader.next() {
            guard order.accepts(entry.name, isDirectory: entry.kind == .directory) else {
                throw GitReceiverError(.corrupt, "tree \(tree) has a name twice or its names out of order")
            }
            count += 1
            guard count <= self.limits.treeEntries else {
                throw GitReceiverError(
                    .limitExceeded,
                    "a directory has more than \(self.limits.treeEntries) entries, the limit of this server")
            }
            if entry.kind == .link, TreeEntryRules.isDotGitmodules(entry.name) {
                throw GitReceiverError(.corrupt, "tree \(tree) has .gitmodules as a symbolic link")
            }
            guard let target = entry.target else {
                guard !entry.oid.isZero else {
                    throw GitReceiverError(.corrupt, "tree \(tree) has a submodule without a commit")
                }
                continue
            }
            let child = try self.table.want(entry.oid, target, by: number)
            if target == .tree { try self.table.nest(child, in: number) }
        }
    }

    private mutating func commit(
        _ commit: ObjectID, _ number: Int32, _ data: UnsafeRawBufferPointer
    ) throws(GitReceiverError) {
        var header = ObjectHeader(data)
        guard let tree = header.oid("tree") else {
            throw GitReceiverError(.corrupt, "commit \(commit) has no tree")
        }
        try self.table.want(tree, .tree, by: number)
        while let parent = header.oid("parent") { try self.table.want(parent, .commit, by: number) }
        guard let author = header.text("author"), let committer = header.text("committer") else {
            throw GitReceiverError(.corrupt, "commit \(commit) has no author or committer")
        }
        guard ObjectHeader.isIdentity(author), ObjectHeader.isIdentity(committer) else {
            throw GitReceiverError(.corrupt, "commit \(commit) has a malformed author or committer")
        }
        try header.requireText(of: "commit \(commit)")
    }

    private mutating func tag(
        _ tag: ObjectID, _ number: Int32, _ data: UnsafeRawBufferPointer
    ) throws(GitReceiverError) {
        var header = ObjectHeader(data)
        guard let object = header.oid("object"), let type = header.text("type"), let name = header.text("tag"),
            !name.isEmpty, let kind = [ObjectKind.commit, .tree, .blob, .tag].first(where: { $0.name == type })
        else { throw GitReceiverError(.corrupt, "tag \(tag) is malformed") }
        if let tagger = header.text("tagger"), !ObjectHeader.isIdentity(tagger) {
            throw GitReceiverError(.corrupt, "tag \(tag) has a malformed tagger")
        }
        try header.requireText(of: "tag \(tag)")
        try self.table.want(object, kind, by: number)
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

    /// The name of an object in the next line if it has this key; otherwise the line stays.
    mutating func oid(_ key: StaticString) -> ObjectID? {
        let (start, length) = (self.rest.startIndex, key.utf8CodeUnitCount + 1)
        guard self.rest.count > length + 40, self.rest[start + length + 40] == UInt8(ascii: "\n"),
            self.rest[start + length - 1] == UInt8(ascii: " "),
            self.rest.starts(with: UnsafeBufferPointer(start: key.utf8Start, count: length - 1)),
            let oid = ObjectID(hex: self.rest[start + length..<start + length + 40])
        else { return nil }
        self.rest = self.rest.dropFirst(length + 41)
        return oid
    }

    /// Whether a value is `Name <address> seconds zone`, as everything that reads commits expects.
    static func isIdentity(_ value: String) -> Bool {
        let bytes = Array(value.utf8)
        guard let open = bytes.firstIndex(of: UInt8(ascii: "<")), let close = bytes.lastIndex(of: UInt8(ascii: ">")),
            open < close, !bytes.contains(0)
        else { return false }
        let fields = bytes[(close + 1)...].split(separator: UInt8(ascii: " "))
        guard fields.count == 2, (1...18).contains(fields[0].count), fields[0].allSatisfy({ (48...57).contains($0) })
        else { return false }
        return fields[1].first == UInt8(ascii: "+") || fields[1].first == UInt8(ascii: "-")
    }

    /// What remains of the header has no zero byte, and ends with an empty line unless the object ends there.
    mutating func requireText(of what: @autoclosure () -> String) throws(GitReceiverError) {
        while let end = self.rest.firstIndex(of: UInt8(ascii: "\n")) {
            let line = self.rest[..<end]
            self.rest = self.rest[(end + 1)...]
            if line.isEmpty { return }
            guard !line.contains(0) else {
                throw GitReceiverError(.corrupt, "\(what()) has a zero byte in its header")
            }
        }
        guard self.rest.isEmpty else { throw GitReceiverError(.corrupt, "\(what()) has no end of its header") }
    }
}
