/// Why a build failed: what happened, where, and what to do about it.
///
/// ``description`` is written for the person who pushed; it names the buildpack and command and ends with the last
/// lines that the command printed.
public struct BuildError: Error, Sendable, CustomStringConvertible {
    /// The kind of failure. New kinds may be added.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        /// The stable name of the code, for logs and APIs.
        public let description: String

        private init(_ name: String) { self.description = name }

        /// No buildpack applies to the source.
        public static let nothingDetected = Self("nothing-detected")
        /// A buildpack that was asked for explicitly does not apply, or its detection broke.
        public static let detectFailed = Self("detect-failed")
        /// A buildpack was asked for that does not exist or cannot be used.
        public static let unknownBuildpack = Self("unknown-buildpack")
        /// A command of the build ended with a status other than zero, or by a signal.
        public static let commandFailed = Self("command-failed")
        /// A buildpack failed for a reason of its own.
        public static let buildpackFailed = Self("buildpack-failed")
        /// The build, or one command of it, took longer than allowed.
        public static let timedOut = Self("timed-out")
        /// The build printed more than allowed.
        public static let outputLimit = Self("output-limit")
        /// Source and cache together grew larger than allowed.
        public static let diskLimit = Self("disk-limit")
        /// The `Procfile` cannot be read.
        public static let invalidProcfile = Self("invalid-procfile")
        /// The `app.json` cannot be read.
        public static let invalidAppManifest = Self("invalid-app-manifest")
        /// Another file of the application cannot be read (`package.json`, `.python-version`, …).
        public static let invalidSource = Self("invalid-source")
        /// This machine has no interpreter or tool of the kind or version that the application asks for.
        public static let runtimeMissing = Self("runtime-missing")
        /// A command could not be started.
        public static let spawnFailed = Self("spawn-failed")
        /// The build was cancelled.
        public static let cancelled = Self("cancelled")
        /// A file operation of the builder itself failed.
        public static let fileSystem = Self("file-system")
    }

    /// The kind of failure.
    public var code: Code
    /// What happened, where, and what to do: one line, so that it fits into a log and into git's reason for a refusal.
    public var message: String
    /// The name of the buildpack that was at work.
    public var buildpack: String?
    /// The command that failed, as one would type it.
    public var command: String?
    /// How that command ended.
    public var exit: BuildExit?
    /// The last lines that the command printed, oldest first.
    public var tail: [String]
    /// The error that this one came from.
    public var cause: (any Error)?

    /// Creates an error.
    public init(
        _ code: Code,
        _ message: String,
        buildpack: String? = nil,
        command: String? = nil,
        exit: BuildExit? = nil,
        tail: [String] = [],
        cause: (any Error)? = nil
    ) {
        self.code = code
        self.message = message.lines.map(\.trimmed).filter { !$0.isEmpty }.joined(separator: " ")
        self.buildpack = buildpack
        self.command = command
        self.exit = exit
        self.tail = tail
        self.cause = cause
    }

    /// What it is, in words.
    public var description: String {
        var lines = [self.message]
        if let buildpack { lines.append("buildpack: \(buildpack)") }
        if let command {
            lines.append("command: \(command)" + (self.exit.map { " (\($0))" } ?? ""))
        }
        if let cause { lines.append("cause: \(cause)") }
        if !self.tail.isEmpty {
            lines.append("last lines:")
            lines += self.tail.map { "  \($0)" }
        }
        return lines.joined(separator: "\n")
    }
}

extension BuildError {
    /// The same, with `message` if it says that a command failed: what that command was for.
    func explained(_ message: @autoclosure () -> String) -> BuildError {
        guard self.code == .commandFailed else { return self }
        var error = self
        error.message = message()
        return error
    }

    /// The error that `error` is, or becomes when a file operation or a buildpack threw it.
    static func wrapping(_ error: any Error, doing what: @autoclosure () -> String) -> BuildError {
        switch error {
        case let error as BuildError: error
        case is CancellationError: BuildError(.cancelled, "The build was cancelled.")
        case let error as FileError:
            BuildError(.fileSystem, "\(what()): \(error)", cause: error.errno)
        default: BuildError(.buildpackFailed, "\(what()): \(error)", cause: error)
        }
    }
}
