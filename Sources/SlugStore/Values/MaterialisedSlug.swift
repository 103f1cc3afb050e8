public import SystemPackage

/// A slug as a directory tree. The tree is shared by everybody who materialised the slug and must not be written to.
public struct MaterialisedSlug: Sendable, Hashable {
    /// The slug's identity.
    public var id: SlugID
    /// The root of the tree.
    public var path: FilePath

    /// Makes a materialised slug.
    public init(id: SlugID, path: FilePath) {
        self.id = id
        self.path = path
    }
}
