public import PlatformWire

/// What can go wrong with an operation of the platform.
public struct PlatformError: Error, Sendable, CustomStringConvertible {
    /// The kind of failure, for programs.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        enum Value: String {
            case notFound = "not-found"
            case invalid
            case conflict
            case unauthorised
            case forbidden
            case refused
            case limit
            case cancelled
            case unavailable
            case internalError = "internal-error"
        }
        let value: Value

        /// There is no such application, release, deployment or instance.
        public static let notFound = Self(value: .notFound)
        /// The request makes no sense as it is.
        public static let invalid = Self(value: .invalid)
        /// Something else has the name, or stands in the way.
        public static let conflict = Self(value: .conflict)
        /// No token, or one that is not known.
        public static let unauthorised = Self(value: .unauthorised)
        /// The token's role does not allow it.
        public static let forbidden = Self(value: .forbidden)
        /// A build, a release command or a rollout failed; the message is the cause.
        public static let refused = Self(value: .refused)
        /// A limit of the configuration was reached.
        public static let limit = Self(value: .limit)
        /// Somebody cancelled it, or a newer deployment took its place.
        public static let cancelled = Self(value: .cancelled)
        /// The platform is starting or stopping.
        public static let unavailable = Self(value: .unavailable)
        /// The platform itself failed.
        public static let internalError = Self(value: .internalError)

        /// The word that the API answers as the problem's type.
        public var description: String { self.value.rawValue }
    }

    /// The kind of failure.
    public var code: Code
    /// What happened, where, and what to do.
    public var message: String
    /// Lines that help to understand it, such as the last output of what failed.
    public var details: [String]
    /// The failure beneath it.
    public var cause: (any Error)?

    /// Makes an error.
    public init(_ code: Code, _ message: String, details: [String] = [], cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.details = details
        self.cause = cause
    }

    /// The message.
    public var description: String { self.message }

    /// The error as the API answers it (RFC 9457).
    public var problem: Problem {
        let (status, title) =
            switch self.code.value {
            case .notFound: (404, "Not found")
            case .invalid: (400, "Invalid request")
            case .conflict: (409, "Conflict")
            case .unauthorised: (401, "Not authenticated")
            case .forbidden: (403, "Not allowed")
            case .refused: (422, "Refused")
            case .limit: (413, "Over a limit")
            case .cancelled: (409, "Cancelled")
            case .unavailable: (503, "Not available")
            case .internalError: (500, "Internal error")
            }
        return Problem(type: self.code.description, title: title, status: status, detail: self.message)
    }
}
