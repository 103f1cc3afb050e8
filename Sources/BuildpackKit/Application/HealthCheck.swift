extension AppManifest {
    /// One health check of a process type, with the keys and defaults that Dokku has for them.
    public struct HealthCheck: Hashable, Codable, Sendable {
        /// When a check is made and what a failure means.
        public enum Kind: String, Codable, Sendable, CaseIterable {
            /// Until it first succeeds, before the instance is given work. A failure fails the rollout.
            case startup
            /// While the instance runs: a failing instance gets no requests.
            case readiness
            /// While the instance runs: a failing instance is restarted.
            case liveness
        }

        /// When it is made.
        public var type: Kind
        /// A name for messages.
        public var name: String?
        /// The path of an HTTP request; its answer must have one of the ``statuses``.
        public var path: String?
        /// The port to ask; `nil` for the instance's `$PORT`.
        public var port: Int?
        /// `http` or `https`.
        public var scheme: String
        /// Headers of the HTTP request, for example `Host`.
        public var httpHeaders: [String: String]
        /// A text that the answer's body must contain.
        public var content: String?
        /// A command to run in the instance; status zero is success.
        public var command: [String]?
        /// Whether a connection to the port is enough.
        public var listening: Bool
        /// How many seconds the instance must have run to pass.
        public var uptime: Int?
        /// How many seconds one attempt may take.
        public var timeout: Int
        /// How many attempts may fail before the check has failed.
        public var attempts: Int
        /// Seconds between attempts.
        public var wait: Int
        /// Seconds before the first attempt.
        public var initialDelay: Int
        /// How many attempts in a row must succeed before the check has; `nil` for one.
        public var successes: Int?
        /// The statuses that an answer may have; `nil` for 2xx and 3xx.
        public var statuses: [ClosedRange<Int>]?
        /// The number of a descriptor, 3 to 255, to which the instance writes a line when it has started up.
        public var descriptor: Int?

        /// Creates a check.
        public init(
            type: Kind = .startup,
            name: String? = nil,
            path: String? = nil,
            port: Int? = nil,
            scheme: String = "http",
            httpHeaders: [String: String] = [:],
            content: String? = nil,
            command: [String]? = nil,
            listening: Bool = false,
            uptime: Int? = nil,
            timeout: Int = 5,
            attempts: Int = 3,
            wait: Int = 5,
            initialDelay: Int = 0,
            successes: Int? = nil,
            statuses: [ClosedRange<Int>]? = nil,
            descriptor: Int? = nil
        ) {
            self.type = type
            self.name = name
            self.path = path
            self.port = port
            self.scheme = scheme
            self.httpHeaders = httpHeaders
            self.content = content
            self.command = command
            self.listening = listening
            self.uptime = uptime
            self.timeout = timeout
            self.attempts = attempts
            self.wait = wait
            self.initialDelay = initialDelay
            self.successes = successes
            self.statuses = statuses
            self.descriptor = descriptor
        }
    }
}
