/// Why a request got no answer that can be used.
///
/// A refusal by the host is not this: it is a `Problem`, with the host's own words.
public struct ClientError: Error, Sendable, CustomStringConvertible {
    /// What kind of failure it is.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Value: String { case invalid, unreachable, timedOut, interrupted, unexpectedAnswer, limit }
        private let value: Value
        /// What was asked for cannot be sent: the address is malformed, a file cannot be read.
        public static let invalid = Self(value: .invalid)
        /// No connection to the host.
        public static let unreachable = Self(value: .unreachable)
        /// The host did not answer in time.
        public static let timedOut = Self(value: .timedOut)
        /// The connection ended before the answer did.
        public static let interrupted = Self(value: .interrupted)
        /// Something answered, but not as the API does.
        public static let unexpectedAnswer = Self(value: .unexpectedAnswer)
        /// The answer is larger than the client accepts.
        public static let limit = Self(value: .limit)

        /// The name of the code.
        public var description: String { self.value.rawValue }
    }

    /// What kind of failure it is.
    public var code: Code
    /// What happened, where, and what to do.
    public var message: String
    /// What led to it.
    public var cause: (any Error)?

    /// Makes one from its parts.
    public init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    /// The message.
    public var description: String { self.message }
}
