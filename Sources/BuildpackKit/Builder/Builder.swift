public import Logging
public import SystemPackage

/// Turns the source of an application into a built application.
///
/// The builder applies `.slugignore`, chooses buildpacks, runs them one after the other in a ``BuildSandbox`` under
/// limits, and tells what can be run afterwards. It keeps nothing: any number of builds may run at the same time, as
/// long as each has its own source and each application is built by one at a time (they share its cache).
///
/// ```swift
/// let builder = Builder(sandbox: HostBuildSandbox(logger: logger), logger: logger)
/// let request = BuildRequest(application: "guestbook", source: source, cache: cache)
/// let built = try await builder.build(request, log: log)
/// print(built.processTypes)
/// ```
public final class Builder: Sendable {
    /// The settings of a ``Builder``.
    public struct Configuration: Sendable {
        /// How long a build may take. 15 min.
        public var buildTimeout: Duration
        /// How many bytes a build may print. 64 MiB.
        public var outputLimit: Int
        /// How many bytes source and cache may occupy together. 4 GiB.
        public var diskLimit: Int64
        /// How often the disk is measured. 5 s.
        public var diskCheckInterval: Duration
        /// `PATH` for build commands: where interpreters and tools are looked for.
        public var searchPath: String
        /// The Python interpreters to choose from; `nil` to look for `python3` and `python3.N` on the search path.
        public var pythonInterpreters: [FilePath]?
        /// More variables for build commands, such as `HTTPS_PROXY` or `PIP_INDEX_URL`. Nothing is inherited.
        public var buildEnvironment: [String: String]
        /// Where temporary directories are made.
        public var temporaryDirectory: FilePath
        /// What classic buildpacks see as `STACK`. Many refuse a value that is not Heroku's.
        public var stack: String
        /// How many of the last lines of a failed command are kept in the error. 20.
        public var failureTailLines: Int

        /// The search path of a login on Debian.
        public static let defaultSearchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

        /// Creates the settings.
        public init(
            buildTimeout: Duration = .seconds(900),
            outputLimit: Int = 64 * 1024 * 1024,
            diskLimit: Int64 = 4 * 1024 * 1024 * 1024,
            diskCheckInterval: Duration = .seconds(5),
            searchPath: String = Configuration.defaultSearchPath,
            pythonInterpreters: [FilePath]? = nil,
            buildEnvironment: [String: String] = [:],
            temporaryDirectory: FilePath = "/tmp",
            stack: String = "heroku-22",
            failureTailLines: Int = 20
        ) {
            self.buildTimeout = buildTimeout
            self.outputLimit = outputLimit
            self.diskLimit = diskLimit
            self.diskCheckInterval = diskCheckInterval
            self.searchPath = searchPath
            self.pythonInterpreters = pythonInterpreters
            self.buildEnvironment = buildEnvironment
            self.temporaryDirectory = temporaryDirectory
            self.stack = stack
            self.failureTailLines = failureTailLines
        }
    }

    /// Python, Node.js, static site, Procfile only: in the order in which they are tried.
    public static var builtInBuildpacks: [any Buildpack] {
        [PythonBuildpack(), NodeBuildpack(), StaticBuildpack(), ProcfileBuildpack()]
    }

    private let configuration: Configuration
    private let buildpacks: [any Buildpack]
    private let sandbox: any BuildSandbox
    private let clock: any Clock<Duration>
    private let logger: Logger

    /// Creates a builder.
    ///
    /// - Parameters:
    ///   - configuration: Limits and places.
    ///   - buildpacks: The buildpacks to choose from, in the order in which they are tried.
    ///   - sandbox: Where commands run.
    ///   - clock: What the build's time limit is measured by.
    ///   - logger: For the operator; the build's own log goes to the ``BuildLog`` of each build.
    public init(
        configuration: Configuration = Configuration(),
        buildpacks: [any Buildpack] = Builder.builtInBuildpacks,
        sandbox: any BuildSandbox,
        clock: any Clock<Duration> = ContinuousClock(),
        logger: Logger
    ) {
        self.configuration = configuration
        self.buildpacks = buildpacks
        self.sandbox = sandbox
        self.clock = clock
        self.logger = logger
    }

    /// Builds an application.
    ///
    /// Cancel the task to cancel the build: every process that it started is stopped before this throws
    /// ``BuildError/Code/cancelled``. A build that fails leaves the source in any state, and the cache as it was or
    /// better.
    ///
    /// - Parameters:
    ///   - request: What to build.
    ///   - log: Gets the build's log, line by line, while it runs.
    /// - Throws: A ``BuildError`` that says which buildpack and command failed and what they printed last.
    public func build(_ request: BuildRequest, log: any BuildLog) async throws(BuildError) -> BuildResult {
        let meter = OutputMeter(limit: self.configuration.outputLimit)
        let output = BuildOutput(log: log, meter: meter)
        let limits = BuildLimits(
            configuration: self.configuration, clock: self.clock, directories: [request.source, request.cache],
            output: meter)
        let metadata: Logger.Metadata = ["build.application": "\(request.application)"]
        self.logger.debug("Build begins", metadata: metadata)
        do throws(BuildError) {
            let result = try await limits.enforce { () async -> Result<BuildResult, BuildError> in
                await self.buildUnlimited(request, output: output)
            }
            self.logger.debug("Build succeeded", metadata: metadata)
            return result
        } catch {
            self.logger.debug("Build failed: \(error.code)", metadata: metadata)
            throw error
        }
    }

    private func buildUnlimited(
        _ request: BuildRequest, output: BuildOutput
    ) async -> Result<BuildResult, BuildError> {
        let scratch: FilePath
        do throws(FileError) {
            scratch = try FileTree.createTemporaryDirectory(
                in: self.configuration.temporaryDirectory, prefix: "slipway-build-")
        } catch {
            return .failure(.wrapping(error, doing: "Cannot make a temporary directory"))
        }
        let result: Result<BuildResult, BuildError>
        do {
            let run = BuildRun(
                request: request, configuration: self.configuration, buildpacks: self.buildpacks,
                sandbox: self.sandbox, output: output, scratch: scratch)
            result = .success(try await run.perform())
        } catch {
            result = .failure(.wrapping(error, doing: "The build failed"))
        }
        try? await FileTree.remove(scratch)
        return result
    }
}
