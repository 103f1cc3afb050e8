/// One reference that a push creates, moves or deletes.
public struct RefUpdate: Sendable, Hashable {
    /// The full name, such as `refs/heads/main`.
    public var name: String
    /// The object identifier before, in 40 hexadecimal digits; nil for a creation.
    public var old: String?
    /// The object identifier after; nil for a deletion.
    public var new: String?
    /// Whether commits are lost: the old commit is no ancestor of the new one. Nil where the question makes no sense
    /// (creation, deletion, tags of other things than commits).
    public var isForced: Bool?

    /// An update with all its parts.
    public init(name: String, old: String?, new: String?, isForced: Bool? = nil) {
        self.name = name
        self.old = old
        self.new = new
        self.isForced = isForced
    }

    /// Whether the reference is below `refs/heads/`.
    public var isBranch: Bool { self.name.hasPrefix("refs/heads/") }
    /// The name of the branch without `refs/heads/`, or nil for other references.
    public var branchName: String? { self.isBranch ? String(self.name.dropFirst("refs/heads/".count)) : nil }
}
