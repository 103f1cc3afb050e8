/// Work that nobody waits for, run by the platform's own task group, so that it ends with the platform.
struct BackgroundJobs: Sendable {
    typealias Job = @Sendable () async -> Void

    private let continuation: AsyncStream<Job>.Continuation
    let stream: AsyncStream<Job>

    init() {
        (self.stream, self.continuation) = AsyncStream.makeStream(bufferingPolicy: .unbounded)
    }

    /// Hands over a job. After ``finish()`` it is dropped, and false returned: the next start finds what is left to do.
    @discardableResult
    func add(_ job: @escaping Job) -> Bool {
        if case .enqueued = self.continuation.yield(job) { true } else { false }
    }

    func finish() { self.continuation.finish() }
}
