/// What went wrong with a certificate that was ordered from an ACME authority, or with the ordering itself.
public struct ACMEError: Error, Sendable, CustomStringConvertible {
    /// The kind of failure.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        private let value: String
        private init(_ value: String) { self.value = value }
        /// The code's name.
        public var description: String { self.value }

        /// A configuration value makes no sense, or the user has not agreed to the authority's terms.
        public static let invalidConfiguration = Self("invalidConfiguration")
        /// A host cannot have a certificate from an authority by these challenges.
        public static let invalidHost = Self("invalidHost")
        /// The authority could not be reached, or did not answer in time.
        public static let unreachable = Self("unreachable")
        /// The authority's answer was not what the protocol says.
        public static let unexpectedAnswer = Self("unexpectedAnswer")
        /// The authority refused a request; ``ACMEError/problem`` says why.
        public static let refused = Self("refused")
        /// The authority wants fewer requests; ``ACMEError/retryAfter`` may say when.
        public static let rateLimited = Self("rateLimited")
        /// The authority could not see the proof that the host is ours.
        public static let challengeFailed = Self("challengeFailed")
        /// The authority took too long.
        public static let timedOut = Self("timedOut")
        /// What is kept could not be read or written.
        public static let storage = Self("storage")
        /// `run()` was called twice.
        public static let alreadyRunning = Self("alreadyRunning")
    }

    /// The kind of failure.
    public var code: Code
    /// What happened, where, and what to do about it.
    public var message: String
    /// What the authority said about it.
    public var problem: ACMEProblem?
    /// The kind of challenge that failed, for ``Code/challengeFailed``.
    public var challenge: ACMEChallengeKind?
    /// How long the authority asks to wait.
    public var retryAfter: Duration?
    /// The failure underneath.
    public var cause: (any Error)?

    /// Makes an error.
    public init(
        _ code: Code, _ message: String, problem: ACMEProblem? = nil, challenge: ACMEChallengeKind? = nil,
        retryAfter: Duration? = nil, cause: (any Error)? = nil
    ) {
        self.code = code
        self.message = message
        self.problem = problem
        self.challenge = challenge
        self.retryAfter = retryAfter
        self.cause = cause
    }

    /// The message, with what the authority said and the cause.
    public var description: String {
        var text = self.message
        if let problem = self.problem { text += " The authority says: \(problem)" }
        if let cause = self.cause { text += " (\(cause))" }
        return text
    }
}
