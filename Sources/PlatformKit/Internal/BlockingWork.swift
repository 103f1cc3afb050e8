internal import Dispatch

/// Runs what waits for disks for long outside the cooperative pool, where a blocked thread is one that everybody else in the
/// process is missing.
enum BlockingWork {
    /// Runs `body` and suspends until it has returned, even when the task is cancelled. How many run at a time is Dispatch's limit.
    static func run<R: Sendable>(
        _ body: @escaping @Sendable () throws(PlatformError) -> R
    ) async throws(PlatformError) -> R {
        let result = await withCheckedContinuation {
            (continuation: CheckedContinuation<Result<R, PlatformError>, Never>) in
            DispatchQueue.global(qos: .utility).async {
                continuation.resume(returning: Result { () throws(PlatformError) in try body() })
            }
        }
        return try result.get()
    }
}
