/// What went wrong with the router itself; what goes wrong with a request is a ``RouterErrorCode``.
public struct RouterError: Error, Sendable, CustomStringConvertible {
    /// The kind of failure.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        private let value: String
        private init(_ value: String) { self.value = value }
        /// The code's name.
        public var description: String { self.value }

        /// Two applications claim one host.
        public static let hostTaken = Self("hostTaken")
        /// A route holds what cannot be routed to.
        public static let invalidRoute = Self("invalidRoute")
        /// A configuration value makes no sense.
        public static let invalidConfiguration = Self("invalidConfiguration")
        /// The address to listen on cannot be had.
        public static let cannotListen = Self("cannotListen")
        /// The router that is to hand over its sockets does not: another one is taking over, or it took too long.
        public static let handoverRefused = Self("handoverRefused")
        /// The path of the hand-over cannot be used, or what listens there does not answer as a router does.
        public static let handoverFailed = Self("handoverFailed")
        /// `run()` was called twice.
        public static let alreadyRunning = Self("alreadyRunning")
        /// The router stopped before it listened.
        public static let stopped = Self("stopped")
    }

    /// The kind of failure.
    public var code: Code
    /// What happened, where, and what to do about it.
    public var message: String
    /// The failure underneath.
    public var cause: (any Error)?

    /// Makes an error.
    public init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    /// The message, with the cause.
    public var description: String {
        if let cause = self.cause { return "\(self.message) (\(cause))" }
        return self.message
    }
}
