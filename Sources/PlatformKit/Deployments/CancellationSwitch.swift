/// Ends a piece of work from outside, with a reason.
final class CancellationSwitch: Sendable {
    /// What the work ends with.
    struct Tripped: Error {
        var reason: String
    }

    private let stream: AsyncStream<String>
    private let continuation: AsyncStream<String>.Continuation

    init() {
        (self.stream, self.continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(1))
    }

    /// Ends the work. Only the first call counts.
    func trip(_ reason: String) {
        self.continuation.yield(reason)
    }

    /// Runs `work`, which is cancelled when the switch is tripped; then throws ``Tripped``.
    func guarding<R: Sendable>(_ work: @escaping @Sendable () async throws -> R) async throws -> R {
        try await withThrowingTaskGroup(of: R?.self) { group in
            group.addTask { try await work() }
            group.addTask {
                for await reason in self.stream { throw Tripped(reason: reason) }
                return nil
            }
            defer { group.cancelAll() }
            while let result = try await group.next() {
                if let result { return result }
            }
            throw CancellationError()
        }
    }
}

/// Runs `work` to its end also when the surrounding task is cancelled: for what must be recorded or undone.
func shielded<R: Sendable, Failure: Error>(
    _ work: @escaping @Sendable () async throws(Failure) -> R
) async throws(Failure) -> R {
    // A task of its own does not inherit cancellation; waiting for its value keeps the structure.
    let task = Task { () -> Result<R, Failure> in
        do throws(Failure) { return .success(try await work()) } catch { return .failure(error) }
    }
    return try await task.value.get()
}
