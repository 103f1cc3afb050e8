/// What went wrong in this module, where, and what to do about it.
public struct MetricsError: Error, Sendable, CustomStringConvertible {
    /// The kind of failure, for decisions; the message is for people.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Value: String { case invalidConfiguration, storage, processNotFound, procfs }
        private let value: Value

        /// A configuration value is outside what the component can work with.
        public static let invalidConfiguration = Self(value: .invalidConfiguration)
        /// The directory that keeps log lines cannot be created, listed or written.
        public static let storage = Self(value: .storage)
        /// No process has the given identifier (any more).
        public static let processNotFound = Self(value: .processNotFound)
        /// The proc file system is missing or unreadable.
        public static let procfs = Self(value: .procfs)

        /// The code's name.
        public var description: String { self.value.rawValue }
    }

    /// The kind of failure.
    public var code: Code
    /// What failed, where, and what to do.
    public var message: String
    /// The error underneath, when there was one.
    public var cause: (any Error)?

    /// Makes an error.
    public init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    /// Code, message and cause on one line.
    public var description: String {
        guard let cause = self.cause else { return "\(self.code): \(self.message)" }
        return "\(self.code): \(self.message) (\(cause))"
    }
}
