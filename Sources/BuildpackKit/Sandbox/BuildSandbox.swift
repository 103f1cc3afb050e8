/// Where the commands of a build run.
///
/// ## Promises a conformer keeps
/// - The command sees the environment of the ``BuildCommand`` and nothing of the host's.
/// - `output` gets each line once, in the order in which it was printed, stdout and stderr merged, while the command
///   runs; one call ends before the next begins, and none comes after `run` has returned.
/// - When `run` returns or throws, every process that the command started is gone, however it ended.
/// - When the calling task is cancelled, or the command's time limit passes, the command is stopped: asked first, then
///   killed. `run` then throws ``BuildError/Code/cancelled`` or ``BuildError/Code/timedOut``.
/// - A status other than zero is a result, not an error. ``BuildError/Code/spawnFailed`` means that nothing ran.
public protocol BuildSandbox: Sendable {
    /// Runs a command to its end.
    func run(
        _ command: BuildCommand,
        output: @escaping @Sendable (String) async -> Void
    ) async throws(BuildError) -> BuildExit
}
