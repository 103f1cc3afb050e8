public import SystemPackage

#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// A push whose objects are received and checked, and which waits for a verdict.
public struct Push: Sendable {
    /// The repository's name, without `.git`.
    public var repository: String
    /// The references that would change. Those that the server refused on its own are not among them.
    public var updates: [RefUpdate]
    /// The push options (`git push -o …`), in order.
    public var options: [String]
    /// Who pushes, from ``GitRequest/pusher``.
    public var pusher: String?
    /// A name for this push, unique among all servers and times.
    public var id: String

    let source: any PushSource

    /// A push for tests of a handler, without a repository behind it: `source` answers its questions.
    public init(
        repository: String, updates: [RefUpdate], options: [String] = [], pusher: String? = nil, id: String,
        source: any PushSource
    ) {
        self.repository = repository
        self.updates = updates
        self.options = options
        self.pusher = pusher
        self.id = id
        self.source = source
    }

    /// Writes the files of a commit into a directory, which is created if missing and has to be empty.
    ///
    /// Works until the handler has returned. Executable bits and symbolic links are kept, submodules are left out and
    /// named in the report. Cancellation stops it between two files; what it wrote so far remains.
    @discardableResult
    public func export(commit: String, to directory: FilePath) async throws(GitReceiverError) -> ExportReport {
        try await self.source.export(commit: commit, to: directory)
    }

    /// Who wrote a commit, when, and its subject line.
    public func commitInfo(_ oid: String) async throws(GitReceiverError) -> CommitInfo {
        try await self.source.commitInfo(oid)
    }
}

/// Where a ``Push`` finds its objects: the quarantine in production, anything in a test of a handler.
public protocol PushSource: Sendable {
    /// Writes the files of a commit into a directory.
    func export(commit: String, to directory: FilePath) async throws(GitReceiverError) -> ExportReport
    /// Describes a commit.
    func commitInfo(_ oid: String) async throws(GitReceiverError) -> CommitInfo
}

/// What an export wrote, and what the person who pushed should know about it.
public struct ExportReport: Sendable, Hashable {
    /// The number of files and symbolic links.
    public var files: Int
    /// Their size in bytes.
    public var bytes: Int
    /// Sentences worth showing: Git LFS pointers without contents, submodules left out.
    public var notes: [String]
    /// The paths of submodules, whose contents are not in the repository; each is an empty directory.
    public var submodules: [String]

    /// The paths of files that are Git LFS pointers: what was written is the pointer, not the contents.
    public var pointers: [String]

    /// A report with all its parts.
    public init(
        files: Int = 0, bytes: Int = 0, notes: [String] = [], submodules: [String] = [], pointers: [String] = []
    ) {
        self.pointers = pointers
        self.files = files
        self.bytes = bytes
        self.notes = notes
        self.submodules = submodules
    }
}

/// A commit in short.
public struct CommitInfo: Sendable, Hashable {
    /// The object identifier, 40 hexadecimal digits.
    public var oid: String
    /// The author's name.
    public var author: String
    /// The author's e-mail address.
    public var email: String
    /// The first line of the message.
    public var subject: String
    /// When the commit was made.
    public var date: Date

    /// A commit with all its parts.
    public init(oid: String, author: String, email: String = "", subject: String, date: Date) {
        self.oid = oid
        self.author = author
        self.email = email
        self.subject = subject
        self.date = date
    }
}
