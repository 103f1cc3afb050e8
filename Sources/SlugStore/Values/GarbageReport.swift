/// What a garbage collection freed.
public struct GarbageReport: Sendable, Hashable {
    /// Slugs removed since the last collection.
    public var slugs: Int
    /// Stored chunks that no slug needed any more.
    public var chunks: Int
    /// Bytes on disk that were given back. What rewriting packs took is subtracted, so it can be 0 although chunks went.
    public var bytes: Int64

    /// Makes a report.
    public init(slugs: Int = 0, chunks: Int = 0, bytes: Int64 = 0) {
        self.slugs = slugs
        self.chunks = chunks
        self.bytes = bytes
    }
}
