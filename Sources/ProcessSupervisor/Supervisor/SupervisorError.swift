/// Why the supervisor could not do what it was asked to.
public struct SupervisorError: Error, Sendable, CustomStringConvertible {
    /// The kind of failure.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Value: String {
            case alreadyRunning, launchFailed, bootFailed, notFound, notRunning, stateDirectory, portUnavailable
            case tooManyInstances, invalidSpec, cancelled, timedOut, stopped
        }
        private let value: Value

        /// An instance of that name exists.
        public static let alreadyRunning = Self(value: .alreadyRunning)
        /// The process could not be executed.
        public static let launchFailed = Self(value: .launchFailed)
        /// The instance ended or was too slow before it was ready.
        public static let bootFailed = Self(value: .bootFailed)
        /// There is no instance of that name.
        public static let notFound = Self(value: .notFound)
        /// The supervisor does not run: `run()` has ended, failed, or is called twice.
        public static let notRunning = Self(value: .notRunning)
        /// The state directory cannot be used.
        public static let stateDirectory = Self(value: .stateDirectory)
        /// No port of the range is free.
        public static let portUnavailable = Self(value: .portUnavailable)
        /// The limit of instances is reached.
        public static let tooManyInstances = Self(value: .tooManyInstances)
        /// The specification cannot be carried out.
        public static let invalidSpec = Self(value: .invalidSpec)
        /// The calling task was cancelled.
        public static let cancelled = Self(value: .cancelled)
        /// The one-off took longer than it may.
        public static let timedOut = Self(value: .timedOut)
        /// The instance was stopped meanwhile.
        public static let stopped = Self(value: .stopped)

        /// The name of the code.
        public var description: String { self.value.rawValue }
    }

    /// The kind of failure.
    public var code: Code
    /// What happened, where, and what to do.
    public var message: String
    /// What led to it.
    public var cause: (any Error)?
    /// How the process ended, where that is the failure.
    public var exit: ExitStatus?
    /// What the last probe found, where that is the failure.
    public var probe: ProbeReport?
    /// The last lines that the instance wrote, at most 20.
    public var lastLines: [String]

    /// Makes an error.
    public init(
        code: Code, message: String, cause: (any Error)? = nil, exit: ExitStatus? = nil, probe: ProbeReport? = nil,
        lastLines: [String] = []
    ) {
        self.code = code
        self.message = message
        self.cause = cause
        self.exit = exit
        self.probe = probe
        self.lastLines = lastLines
    }

    /// The message, with its cause.
    public var description: String {
        guard let cause = self.cause.map({ "\($0)" }), !self.message.contains(cause) else { return self.message }
        return "\(self.message): \(cause)"
    }
}
