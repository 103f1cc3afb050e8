/// What a tree may be at most, so that no application can fill the disk or the memory of the machine.
public struct TreeLimits: Sendable, Hashable {
    /// The size of all files together in bytes. Default: 4 GiB.
    public var maxTreeBytes: Int64 = 4 << 30
    /// Files, directories and links together. Default: 500,000.
    public var maxEntries = 500_000
    /// The length of a path below the tree's root, and of a link's target, in bytes. Default: 4,095.
    public var maxPathLength = 4095
    /// How deep directories may be nested. Default: 64.
    public var maxDepth = 64
    /// The size of the metadata's strings together in bytes. Default: 256 KiB.
    public var maxMetadataBytes = 256 << 10

    /// The defaults.
    public init() {}
}
