public import SystemPackage

/// What a buildpack builds with: the tree, the cache, the log, and a way to run commands.
public struct BuildContext: Sendable {
    /// The application's name.
    public let application: String
    /// The files of the application.
    public let source: SourceTree
    /// A directory that persists between builds, for this buildpack of this application alone.
    public let cache: FilePath
    /// A directory for temporary files, which is removed after the build.
    public let scratch: FilePath
    /// The application's config variables. They may hold secrets: none of them belongs into the tree or the log.
    public let configVariables: [String: String]
    /// The commit that is built.
    public let sourceVersion: String?
    /// Where to write to the build's log.
    public let output: BuildOutput
    /// The builder's settings.
    public let configuration: Builder.Configuration
    let commands: CommandRunner
    let sharedCache: StagedCache

    /// The directory that becomes the built application.
    public var tree: FilePath { self.source.root }

    /// The environment that commands run with: the builder's, what earlier buildpacks exported, and the config
    /// variables except those that would break the tools themselves (`PATH`, `HOME`, `LD_PRELOAD`, …).
    public var environment: [String: String] {
        var environment = self.configVariables.filter { name, value in
            Self.isVariableName(name) && !Self.withheld.contains(name) && !value.utf8.contains(0)
        }
        environment.merge(self.commands.variables.current) { _, own in own }
        return environment
    }

    /// Sets variables for the commands of this buildpack and those after it.
    public func export(_ variables: [String: String]) {
        self.commands.variables.merge(variables)
    }

    /// Runs a command in the tree, its output indented in the log.
    ///
    /// - Parameters:
    ///   - executable: A name on the search path, or an absolute path.
    ///   - arguments: Its arguments.
    ///   - directory: Where it runs; the tree by default.
    ///   - environment: Variables on top of ``environment``.
    /// - Throws: ``BuildError/Code/commandFailed`` with the last lines that it printed, when it does not end with
    ///   status zero. When the task is cancelled, everything it started is stopped.
    public func run(
        _ executable: String,
        _ arguments: [String] = [],
        in directory: FilePath? = nil,
        environment: [String: String] = [:]
    ) async throws(BuildError) {
        let command = self.command(executable, arguments, in: directory, environment: environment)
        let output = self.output
        try await self.commands.run(command) { await output.detail($0) }
    }

    /// Runs a command whose output is an answer and not for the log.
    ///
    /// - Returns: How it ended, and what it printed to stdout, by line.
    public func capture(
        _ executable: String,
        _ arguments: [String] = [],
        environment: [String: String] = [:],
        timeLimit: Duration = .seconds(30)
    ) async throws(BuildError) -> (exit: BuildExit, lines: [String]) {
        var command = self.command(executable, arguments, in: nil, environment: environment)
        command.timeLimit = timeLimit
        return try await self.commands.capture(command)
    }

    /// The absolute path of an executable on the search path; nil when there is none.
    public func find(_ executable: String) -> FilePath? {
        (self.environment["PATH"] ?? "").split(separator: ":").lazy
            .map { FilePath(String($0)).appending(executable) }
            .first { $0.isAbsolute && FileTree.isExecutable($0) }
    }

    func command(
        _ executable: String, _ arguments: [String], in directory: FilePath?, environment: [String: String]
    ) -> BuildCommand {
        BuildCommand(
            executable: executable,
            arguments: arguments,
            environment: self.environment.merging(environment) { _, new in new },
            workingDirectory: directory ?? self.tree)
    }

    /// Whether a process can be given a variable of this name.
    static func isVariableName(_ name: String) -> Bool {
        guard let first = name.utf8.first, !(0x30...0x39).contains(first) else { return false }
        return !name.utf8.contains { $0 == UInt8(ascii: "=") || $0 == UInt8(ascii: "/") || $0 == 0 }
    }

    /// Config variables that never become the environment of a build command.
    private static let withheld: Set<String> = [
        "PATH", "HOME", "TMPDIR", "IFS", "ENV", "BASH_ENV", "SHELLOPTS", "LD_PRELOAD", "LD_LIBRARY_PATH",
        "LIBRARY_PATH", "CPATH", "CPPATH", "GIT_DIR", "PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "VIRTUAL_ENV",
        "NODE_PATH", "PORT",
    ]
}
