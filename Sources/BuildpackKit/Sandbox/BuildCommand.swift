public import SystemPackage

/// One command of a build.
public struct BuildCommand: Sendable, CustomStringConvertible {
    /// A name to look up on the `PATH` of ``environment``, or an absolute path.
    public var executable: String
    /// The arguments after the command's own name.
    public var arguments: [String]
    /// The complete environment.
    public var environment: [String: String]
    /// The directory that the command starts in.
    public var workingDirectory: FilePath
    /// How long it may run; `nil` for as long as the build may.
    public var timeLimit: Duration?
    /// Whether stderr goes nowhere instead of into the output, for commands whose output is parsed.
    public var discardsStandardError: Bool

    /// Creates a command.
    public init(
        executable: String,
        arguments: [String] = [],
        environment: [String: String],
        workingDirectory: FilePath,
        timeLimit: Duration? = nil,
        discardsStandardError: Bool = false
    ) {
        self.executable = executable
        self.arguments = arguments
        self.environment = environment
        self.workingDirectory = workingDirectory
        self.timeLimit = timeLimit
        self.discardsStandardError = discardsStandardError
    }

    /// The command as one would type it. It never shows the environment, which holds secrets.
    public var description: String {
        ([self.executable] + self.arguments).map(\.shellQuoted).joined(separator: " ")
    }
}

/// How a command ended.
public enum BuildExit: Hashable, Sendable, CustomStringConvertible {
    /// With this status.
    case exited(Int32)
    /// By this signal.
    case signalled(Int32)

    /// Whether it ended with status zero.
    public var isSuccess: Bool { self == .exited(0) }

    /// What it is, in words.
    public var description: String {
        switch self {
        case .exited(let status): "exit status \(status)"
        case .signalled(9): "killed by SIGKILL; it may have run out of memory"
        case .signalled(let signal): "killed by signal \(signal)"
        }
    }
}
