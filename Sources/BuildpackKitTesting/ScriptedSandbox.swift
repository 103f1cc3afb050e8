public import BuildpackKit
import Synchronization

/// A sandbox that runs nothing: a test says what each command prints and how it ends.
///
/// ```swift
/// let sandbox = ScriptedSandbox { command in
///     command.arguments.contains("--version") ? .succeeds(printing: ["v20.1.0"]) : .succeeds()
/// }
/// ```
public final class ScriptedSandbox: BuildSandbox {
    /// What a command does.
    public enum Behaviour: Sendable {
        /// Prints lines and ends.
        case ends(BuildExit, printing: [String])
        /// Prints lines and runs until it is cancelled.
        case hangs(printing: [String])
        /// Cannot be run.
        case fails(BuildError)

        /// Ends with status zero.
        public static func succeeds(printing lines: [String] = []) -> Behaviour { .ends(.exited(0), printing: lines) }
    }

    private let behaviour: @Sendable (BuildCommand) -> Behaviour
    private let recorded = Mutex<[BuildCommand]>([])

    /// Creates a sandbox in which commands behave as `behaviour` says; they succeed by default.
    public init(_ behaviour: @escaping @Sendable (BuildCommand) -> Behaviour = { _ in .succeeds() }) {
        self.behaviour = behaviour
    }

    /// The commands that were run, in order.
    public var commands: [BuildCommand] { self.recorded.withLock { $0 } }

    /// Runs a command to its end; see ``BuildSandbox``.
    public func run(
        _ command: BuildCommand,
        output: @escaping @Sendable (String) async -> Void
    ) async throws(BuildError) -> BuildExit {
        if Task.isCancelled { throw BuildError(.cancelled, "The build was cancelled.") }
        self.recorded.withLock { $0.append(command) }
        switch self.behaviour(command) {
        case .ends(let exit, let lines):
            for line in lines { await output(line) }
            return exit
        case .hangs(let lines):
            for line in lines { await output(line) }
            let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
            // A stream ends when the task that reads it is cancelled, and never otherwise here.
            for await _ in stream {}
            withExtendedLifetime(continuation) {}
            throw BuildError(.cancelled, "The build was cancelled.", command: command.description)
        case .fails(let error):
            throw error
        }
    }
}
