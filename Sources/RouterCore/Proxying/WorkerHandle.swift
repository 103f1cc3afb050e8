/// What other threads hold of a worker: they can only send it work.
final class WorkerHandle: Sendable {
    private let bound: LoopBound<Worker>

    /// Must be made on the worker's loop, or before the loop runs.
    init(_ worker: Worker, _ executor: any LoopExecutor) {
        self.bound = LoopBound(worker, executor)
    }

    /// Has the worker do something, in the order of the calls; false when its loop has ended.
    @discardableResult
    func execute(_ work: @escaping @Sendable (Worker) -> Void) -> Bool { self.bound.execute(work) }

    /// On the worker's own thread only.
    func withWorker<R>(_ body: (Worker) throws -> R) rethrows -> R { try self.bound.withValue(body) }

    /// Has the worker do something and waits until it is done; at once when its loop has ended.
    func run(_ work: @escaping @Sendable (Worker) -> Void) async {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            let isAccepted = self.execute { worker in
                work(worker)
                continuation.resume()
            }
            if !isAccepted { continuation.resume() }
        }
    }

    /// Calls up a queued request.
    func wake(ticket: UInt64) {
        self.execute { $0.wake(ticket: ticket) }
    }

    /// Tells a waiting request that others have its place.
    func displace(ticket: UInt64) {
        self.execute { $0.displace(ticket: ticket) }
    }
}
