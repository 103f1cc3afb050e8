public import Logging
import Subprocess
import Synchronization
import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Runs the commands of a build as processes of this machine.
///
/// Each command leads a session of its own, sees the environment it is given and nothing else, reads from `/dev/null`,
/// and is stopped together with everything it started. It is *not* a security boundary: a command has the rights of the
/// user it runs as. Give ``Configuration-swift.struct/prefix`` a program that confines, or write another
/// ``BuildSandbox``, to build what you do not trust.
public final class HostBuildSandbox: BuildSandbox {
    /// The settings of a ``HostBuildSandbox``.
    public struct Configuration: Sendable {
        /// How long a command has, once it was asked to stop by SIGTERM, until it is killed. 5 s.
        public var gracePeriod: Duration
        /// A command that starts every other, with absolute path: `["/usr/bin/nice", "-n", "10"]` so that builds do not
        /// starve applications, or `bwrap …`. Empty.
        public var prefix: [String]

        /// Creates the settings.
        public init(gracePeriod: Duration = .seconds(5), prefix: [String] = []) {
            self.gracePeriod = gracePeriod
            self.prefix = prefix
        }
    }

    private let configuration: Configuration
    private let clock: any Clock<Duration>
    private let logger: Logger

    /// Creates a sandbox.
    public init(
        configuration: Configuration = Configuration(),
        clock: any Clock<Duration> = ContinuousClock(),
        logger: Logger
    ) {
        self.configuration = configuration
        self.clock = clock
        self.logger = logger
    }

    public func run(
        _ command: BuildCommand,
        output: @escaping @Sendable (String) async -> Void
    ) async throws(BuildError) -> BuildExit {
        let stop = StopRequest()
        let result = await withTaskCancellationHandler {
            // Awaited, so it is structured in effect. The task exists because the cancellation of this one must not
            // reach the reading of the output: the command's own cleaning up would die of SIGPIPE.
            await Task { await self.runToEnd(command, stop: stop, output: output) }.value
        } onCancel: {
            stop.ask(.cancelled)
        }
        return try result.get()
    }

    private func runToEnd(
        _ command: BuildCommand, stop: StopRequest, output: @escaping @Sendable (String) async -> Void
    ) async -> Result<BuildExit, BuildError> {
        if stop.reason != nil { return .failure(Self.error(.cancelled, command)) }
        let mark = String(UInt64.random(in: .min ... .max), radix: 16)
        let started = Started()
        let result = await withTaskGroup(of: Result<BuildExit, BuildError>?.self) { group in
            group.addTask { await self.spawn(command, mark: mark, started: started, output: output) }
            group.addTask {
                await stop.wait()
                // A stop may be asked for before there is a process to stop.
                guard stop.reason != nil, let tree = await started.tree() else { return nil }
                tree.signal(SIGTERM)
                try? await self.clock.sleep(for: self.configuration.gracePeriod)
                if !Task.isCancelled { tree.killAll() }
                return nil
            }
            if let limit = command.timeLimit {
                group.addTask {
                    try? await self.clock.sleep(for: limit)
                    if !Task.isCancelled { stop.ask(.timedOut) }
                    return nil
                }
            }
            while let next = await group.next() {
                guard let result = next else { continue }
                stop.finish()
                started.finish()
                group.cancelAll()
                return result
            }
            return .failure(Self.error(.cancelled, command))
        }
        // Whatever the command left in the background would run on unseen, and hold the tree busy.
        if let tree = started.current {
            let left = tree.members().count
            if left > 0 {
                self.logger.debug("Killing what a build command left behind", metadata: ["processes": "\(left)"])
                tree.killAll()
            }
        }
        if let reason = stop.reason { return .failure(Self.error(reason, command)) }
        return result
    }

    private func spawn(
        _ command: BuildCommand, mark: String, started: Started, output: @escaping @Sendable (String) async -> Void
    ) async -> Result<BuildExit, BuildError> {
        var options = PlatformOptions()
        options.createSession = true
        var environment: [Environment.Key: String] = [:]
        for (name, value) in command.environment { environment[.init(stringLiteral: name)] = value }
        environment[.init(stringLiteral: ProcessTree.markName)] = mark
        let words = self.configuration.prefix + [command.executable] + command.arguments
        let configuration = Subprocess.Configuration(
            executable: words[0].contains("/") ? .path(FilePath(words[0])) : .name(words[0]),
            arguments: Arguments(Array(words.dropFirst())),
            environment: .custom(environment),
            workingDirectory: command.workingDirectory,
            platformOptions: options)
        do {
            let status =
                if command.discardsStandardError {
                    try await Subprocess.run(configuration, input: .none, output: .sequence, error: .discarded) {
                        try await Self.forward($0, mark: mark, started: started, output: output)
                    }.terminationStatus
                } else {
                    try await Subprocess.run(
                        configuration, input: .none, output: .sequence, error: .combinedWithOutput
                    ) {
                        try await Self.forward($0, mark: mark, started: started, output: output)
                    }.terminationStatus
                }
            switch status {
            case .exited(let code): return .success(.exited(code))
            case .signaled(let signal): return .success(.signalled(signal))
            }
        } catch {
            return .failure(
                BuildError(
                    .spawnFailed,
                    "Cannot run `\(command.executable)`: is it installed, and on the search path for builds?",
                    command: command.description, cause: error))
        }
    }

    private static func forward(
        _ execution: Execution<some InputProtocol, SequenceOutput, some ErrorOutputProtocol>,
        mark: String,
        started: Started,
        output: @Sendable (String) async -> Void
    ) async throws {
        started.set(ProcessTree(leader: execution.processIdentifier.value, mark: mark))
        var splitter = LineSplitter()
        for try await buffer in execution.standardOutput {
            for line in buffer.withUnsafeBytes({ splitter.append($0) }) { await output(line) }
        }
        if let rest = splitter.finish() { await output(rest) }
    }

    private static func error(_ reason: StopRequest.Reason, _ command: BuildCommand) -> BuildError {
        switch reason {
        case .cancelled: BuildError(.cancelled, "The build was cancelled.", command: command.description)
        case .timedOut:
            BuildError(
                .timedOut, "A command did not end within \(command.timeLimit ?? .zero).", command: command.description)
        }
    }
}
