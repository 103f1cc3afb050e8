/// What was extracted from an archive.
public struct ArchiveReport: Sendable, Hashable {
    /// The number of files, hard links counted as files.
    public var files = 0
    /// The number of directories, those included that the archive only implies.
    public var directories = 0
    /// The number of symbolic links.
    public var links = 0
    /// The size of all files in bytes.
    public var bytes: Int64 = 0
    /// The size of the archive itself in bytes.
    public var archiveBytes: Int64 = 0
    /// The directory that held everything and was left out, if that was asked for and there was one.
    public var strippedDirectory: String?

    /// An empty report.
    public init() {}
}
