#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// What a repository knows of a slug without reading its files.
public struct SlugSummary: Codable, Sendable, Hashable {
    /// The slug's identity.
    public var id: SlugID
    /// The metadata it was put with.
    public var metadata: SlugMetadata
    /// The number of regular files.
    public var files: Int
    /// The uncompressed size of all files in bytes.
    public var bytes: Int64
    /// What storing the slug added on disk in bytes. From `put` of a slug that was there already: 0.
    public var newBytesStored: Int64
    /// When the slug was first put, to the millisecond.
    public var createdAt: Date

    /// Makes a summary.
    public init(
        id: SlugID, metadata: SlugMetadata, files: Int, bytes: Int64, newBytesStored: Int64, createdAt: Date
    ) {
        self.id = id
        self.metadata = metadata
        self.files = files
        self.bytes = bytes
        self.newBytesStored = newBytesStored
        self.createdAt = createdAt
    }
}
