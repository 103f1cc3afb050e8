/// How far a `put` has come. The numbers only grow.
public struct SlugProgress: Sendable, Hashable {
    /// File bytes read so far.
    public var bytesRead: Int64
    /// Of those, bytes in chunks that the repository did not have, before compression.
    public var bytesNew: Int64
    /// Of those, bytes in chunks that it had, or that the same tree has twice.
    public var bytesReused: Int64
    /// Files read so far.
    public var files: Int

    /// Makes a progress report.
    public init(bytesRead: Int64 = 0, bytesNew: Int64 = 0, bytesReused: Int64 = 0, files: Int = 0) {
        self.bytesRead = bytesRead
        self.bytesNew = bytesNew
        self.bytesReused = bytesReused
        self.files = files
    }
}
