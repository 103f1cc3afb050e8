import Synchronization
import SystemPackage

extension Supervisor {
    /// Runs a process to its end, such as a release command or a console.
    ///
    /// All output, in the order of writing, has been handed to `output` when this returns. Cancellation of the calling
    /// task and the timeout end the whole tree of processes; so does the supervisor's own end, and a host that finds a
    /// one-off of a former one ends it.
    ///
    /// - Parameters:
    ///   - spec: What to execute.
    ///   - id: Its name; no instance and no other one-off may have it.
    ///   - labels: The caller's own notes.
    ///   - timeout: How long it may take; nil: for ever.
    ///   - terminal: The terminal to run it at; nil: at none, with pipes.
    ///   - output: Gets the bytes of standard output and standard error, one call after another. A call that takes its
    ///     time slows the process down; one that throws ends it, as a cancellation does.
    ///   - input: Its standard input, which ends with the stream; nil: empty. It is asked for more when the process has
    ///     taken what came before, so that a stream made by `unfolding` holds nothing.
    /// - Returns: How its main process ended. A status that is not 0 is a result, and no error.
    /// - Throws: `launchFailed`, `alreadyRunning`, `tooManyInstances`, `invalidSpec`, `notRunning`; `timedOut` and
    ///   `cancelled` when everything has ended.
    public func runOneOff(
        _ spec: ProcessSpec,
        id: InstanceID,
        labels: [String: String] = [:],
        timeout: Duration? = nil,
        terminal: OneOffTerminal? = nil,
        output: @escaping @Sendable ([UInt8]) async throws -> Void,
        input: AsyncStream<[UInt8]>? = nil
    ) async throws(SupervisorError) -> ExitStatus {
        try id.validate()
        try spec.validate()
        try await self.adopted.value()
        let control = OneOffControl()
        let refusal = self.state.withLock { state -> SupervisorError? in
            if let error = self.refusal(of: id, in: state) { return error }
            state.oneOffs[id] = control
            return nil
        }
        if let refusal { throw refusal }

        let run = OneOffRun(
            spec: InstanceSpec(id: id, process: spec, labels: labels), timeout: timeout, terminal: terminal,
            output: output, input: input, control: control, surroundings: self.surroundings)
        // A task of its own: after the caller's cancellation it still has a tree to end and output to deliver.
        let task = Task { () async -> Result<ExitStatus, SupervisorError> in
            do throws(SupervisorError) { return .success(try await run.run()) } catch { return .failure(error) }
        }
        let result = await withTaskCancellationHandler {
            await task.value
        } onCancel: {
            control.end(.cancelled)
        }
        self.state.withLock { state in
            if state.oneOffs[id] === control { state.oneOffs[id] = nil }
        }
        control.hasEnded()
        return try result.get()
    }
}
