/// Why a git operation failed: what happened, where, and what to do.
///
/// ``message`` is meant for the person who pushes: it never contains a path of the server. ``cause`` may, and is for
/// the operator's log.
public struct GitReceiverError: Error, Sendable, CustomStringConvertible {
    /// The kind of failure. New kinds may be added; switch with a `default`.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Value: String {
            case invalidName, notFound, alreadyExists, busy, limitExceeded, deadlineExceeded, malformed, corrupt
            case incomplete, unsupported, refused, clientGone, cancelled, storage
        }
        private let value: Value

        /// A repository name is not 1 to 63 characters of `a-z`, `0-9` and `-`.
        public static let invalidName = Self(value: .invalidName)
        /// No such repository, reference or object.
        public static let notFound = Self(value: .notFound)
        /// A repository of that name exists already, or a file is in the way of an export.
        public static let alreadyExists = Self(value: .alreadyExists)
        /// Another operation holds the repository, or too many wait for it. Try again later.
        public static let busy = Self(value: .busy)
        /// A limit of ``GitServer/Configuration/Limits-swift.struct`` was hit; the message names it.
        public static let limitExceeded = Self(value: .limitExceeded)
        /// Indexing, checking or waiting took longer than the configuration allows.
        public static let deadlineExceeded = Self(value: .deadlineExceeded)
        /// The client sent what the protocol does not know.
        public static let malformed = Self(value: .malformed)
        /// A pack or an object is damaged or would do harm (`.git` in a tree, for one).
        public static let corrupt = Self(value: .corrupt)
        /// An object refers to one that neither the push nor the repository has.
        public static let incomplete = Self(value: .incomplete)
        /// The client wants something this server does not do, such as SHA-256 repositories.
        public static let unsupported = Self(value: .unsupported)
        /// The operation is against a rule, such as two references in each other's way.
        public static let refused = Self(value: .refused)
        /// The client closed the connection.
        public static let clientGone = Self(value: .clientGone)
        /// The surrounding task was cancelled.
        public static let cancelled = Self(value: .cancelled)
        /// The disk, the file system or libgit2 failed.
        public static let storage = Self(value: .storage)

        /// The code's name.
        public var description: String { self.value.rawValue }
    }

    /// The kind of failure.
    public var code: Code
    /// One sentence for the person who pushes, without server paths.
    public var message: String
    /// The underlying failure, for the operator's log.
    public var cause: (any Error)?

    /// An error with its sentence.
    public init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    /// The message.
    public var description: String { self.message }
}
