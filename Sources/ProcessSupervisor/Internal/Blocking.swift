import Dispatch

/// Runs file system calls that may block for long (fsync) away from the threads that Swift tasks share.
func blocking<Value: Sendable>(
    _ body: @escaping @Sendable () throws(SupervisorError) -> Value
) async throws(SupervisorError) -> Value {
    let result: Result<Value, SupervisorError> = await withCheckedContinuation { continuation in
        DispatchQueue.global().async {
            do throws(SupervisorError) {
                continuation.resume(returning: .success(try body()))
            } catch {
                continuation.resume(returning: .failure(error))
            }
        }
    }
    return try result.get()
}
