/// What went wrong in the slug store: what, where, and what to do about it.
public struct SlugStoreError: Error, Sendable, CustomStringConvertible {
    /// The kind of failure, for programs to decide on. More kinds may be added.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        /// A stable name for logs and answers.
        public let description: String

        private init(_ description: String) { self.description = description }

        /// The repository has no slug with this identifier.
        public static let notFound = Code("not-found")
        /// Stored bytes are not what was stored: a chunk, a pack, a manifest or a record is damaged or missing.
        public static let corrupted = Code("corrupted")
        /// The repository was written in a format that this version does not read.
        public static let unsupportedFormat = Code("unsupported-format")
        /// A limit of the configuration was reached; the message names it.
        public static let limitExceeded = Code("limit-exceeded")
        /// A tree holds something that is neither a file, a directory nor a symbolic link.
        public static let unsupportedEntry = Code("unsupported-entry")
        /// A file changed while it was read.
        public static let changedWhileReading = Code("changed-while-reading")
        /// An archive is truncated, damaged, of a format that is not read, or contradicts itself.
        public static let invalidArchive = Code("invalid-archive")
        /// An archive tries what no honest archive needs: to write or point outside of its tree, or to smuggle devices or
        /// privileges in.
        public static let unsafeArchive = Code("unsafe-archive")
        /// The destination already exists and is not an empty directory.
        public static let destinationExists = Code("destination-exists")
        /// The disk or the quota is full.
        public static let noSpace = Code("no-space")
        /// A slug is not signed as it has to be, or a key is none.
        public static let untrusted = Code("untrusted")
        /// A system call failed.
        public static let inputOutput = Code("input-output")
        /// The stream that an archive was read from, or written to, failed; see the cause.
        public static let streamFailed = Code("stream-failed")
        /// Another process holds the repository and did not let go in time.
        public static let busy = Code("busy")
        /// A remote store does not answer, or says that it cannot now. What was asked may succeed later.
        public static let remoteUnavailable = Code("remote-unavailable")
        /// A remote store does not accept the credentials, or they do not allow what was asked.
        public static let unauthorised = Code("unauthorised")
        /// A remote store refuses what was asked, and would again.
        public static let remoteRefused = Code("remote-refused")
        /// A remote store's answer is not one that its protocol knows.
        public static let invalidAnswer = Code("invalid-answer")
        /// The task was cancelled. Nothing was stored.
        public static let cancelled = Code("cancelled")
    }

    /// The kind of failure.
    public var code: Code
    /// What happened, where, and what to do.
    public var message: String
    /// The error beneath this one, if there is one.
    public var cause: (any Error)?

    /// Makes an error.
    public init(code: Code, message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    /// The code, the message and the cause on one line.
    public var description: String {
        self.cause.map { "\(self.code): \(self.message) (\($0))" } ?? "\(self.code): \(self.message)"
    }
}

extension SlugStoreError {
    static let cancelled = SlugStoreError(code: .cancelled, message: "The operation was cancelled.")

    static func corrupted(_ message: String) -> SlugStoreError { SlugStoreError(code: .corrupted, message: message) }
}
